"""Every byte of a CSV file is read as one thing or another."""

from dataclasses import astuple, dataclass

from records.errors import FileFault


@dataclass
class Coverage:
    """Bytes of a file by what they were; a byte-order mark counts to the header."""

    header: int = 0
    records: int = 0
    blank: int = 0
    rejected: int = 0
    skipped: int = 0
    """Lines before the header."""
    comment: int = 0
    footer: int = 0

    def prove(self, size: int) -> None:
        """Raise unless every byte of the file was read as exactly one of these."""
        read = sum(astuple(self))
        if read != size:
            raise FileFault("bytes_unaccounted", f"{read} bytes were read as {self}, the file has {size}")
