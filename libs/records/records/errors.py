"""What makes a whole file unusable."""


class FileFault(Exception):
    """The file as a whole cannot be taken in; `code` is stable, `message` is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
