"""Binary files whose bytes are made while they are read, and made again where somebody goes back."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

MOST = 1 << 62


class MadeBytes(io.RawIOBase):
    """Reads what `make` gives, of which it holds one chunk at a time; a fault on the way stays one.

    Going back within a chunk is free, going further back makes everything again.
    """

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make
        self._begin()

    def _begin(self) -> None:
        self._chunks = self._make()
        self._chunk = b""
        self._chunk_start = 0
        self._at = 0
        self._fault: Exception | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always, at a price."""
        return True

    def tell(self) -> int:
        """Bytes before the next one that is read."""
        return self._chunk_start + self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes; fewer only at the end."""
        missing = MOST if size is None or size < 0 else size
        pieces = []
        while missing and (piece := self._take(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: object) -> int:
        """So many bytes as there is room for; fewer only at the end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there, or to the end where there is nothing."""
        if whence == io.SEEK_END:
            while self._take(MOST):
                pass
        target = max(0, offset + (0 if whence == io.SEEK_SET else self.tell()))
        if target < self._chunk_start:
            self._begin()
        self._at = min(self._at, max(0, target - self._chunk_start))
        while self.tell() < target and self._take(target - self.tell()):
            pass
        return self.tell()

    def _take(self, most: int) -> bytes:
        """The next bytes of one chunk."""
        while self._at == len(self._chunk):
            if (chunk := self._next_chunk()) is None:
                return b""
            self._chunk_start += len(self._chunk)
            self._chunk, self._at = chunk, 0
        piece = self._chunk[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def _next_chunk(self) -> bytes | None:
        # An exhausted generator looks like the end of the file, also where it was a fault that exhausted it.
        if self._fault:
            raise self._fault
        try:
            return next(self._chunks, None)
        except Exception as fault:
            self._fault = fault
            raise


def made(make: Callable[[], Iterator[bytes]]) -> BinaryIO:
    """A file of these bytes."""
    return cast("BinaryIO", MadeBytes(make))
