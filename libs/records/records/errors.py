"""What makes a whole file unusable."""

MAX_CHARACTERS = 2_000
"""Of a message: names that a file has are part of some, and may be as long as the sender likes."""


class FileFault(Exception):
    """The file as a whole cannot be taken in; `code` is stable, `message` is for people and never long."""

    def __init__(self, code: str, message: str) -> None:
        if len(message) > MAX_CHARACTERS:
            message = f"{message[: MAX_CHARACTERS - 1]}…"
        super().__init__(message)
        self.code = code
        self.message = message
