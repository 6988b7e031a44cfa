"""Arrow batches of a Parquet file, read by a process of its own: what that cannot survive is a fault of the file."""

import io
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from records.errors import FileFault

PROGRAM = Path(__file__).with_name("process.py")
# One arena and the system's allocator: what is bounded is then what is used.
SURROUNDINGS = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
UNREADABLE = 3
SAID_BYTES = 10_000
END_SECONDS = 10


@dataclass(frozen=True)
class Bounds:
    """What the process may take: memory of its own, and seconds for each batch."""

    memory_bytes: int = 400 << 20
    seconds: int = 60


class ParquetStream:
    """The batches of a file, from its beginning; the process ends with this object at the latest."""

    def __init__(self, source: BinaryIO, bounds: Bounds) -> None:
        self._bounds = bounds
        with _on_disk(source) as file:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(PROGRAM), str(bounds.memory_bytes), str(bounds.seconds)],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **SURROUNDINGS},
            )
        self._finish = weakref.finalize(self, _finish, self._process)
        try:
            self._stream = pa.ipc.open_stream(_Pipe(self._process, bounds.seconds))
        except (pa.ArrowException, OSError) as error:
            raise self._fault() from error
        self.schema: pa.Schema = self._stream.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """FileFault where the file cannot be read to its end."""
        while True:
            try:
                batch = self._stream.read_next_batch()
            except StopIteration:
                break
            except (pa.ArrowException, OSError) as error:
                raise self._fault() from error
            yield batch
        if self._ended() != 0:
            raise self._fault()

    def _fault(self) -> FileFault:
        """Why it ended, in its own words where it had any."""
        code = self._ended()
        said = self._process.stderr.read(SAID_BYTES) if self._process.stderr else b""
        self._finish()
        if code == UNREADABLE:
            name, _, text = said.decode(errors="replace").partition("\n")
            return FileFault(name, text)
        bounds = f"{self._bounds.memory_bytes >> 20} MB of memory and {self._bounds.seconds} s for each part of it"
        if code == -signal.SIGXCPU:
            return FileFault("too_slow", f"the file cannot be read with {bounds}: write it with smaller row groups")
        why = f"the file ends the process that reads it (status {code}, {bounds})"
        return FileFault("bad_parquet", f"{why}: it is damaged, or has to be written with smaller row groups and pages")

    def _ended(self) -> int:
        try:
            return self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class _Pipe(io.RawIOBase):
    """What the process writes, as long as it writes."""

    def __init__(self, process: "subprocess.Popen[bytes]", seconds: int) -> None:
        assert process.stdout
        self._process = process
        self._descriptor = process.stdout.fileno()
        # The bound of processor time comes first, unless the process does nothing at all.
        self._milliseconds = seconds * 2000

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes; fewer only at the end."""
        pieces, missing = [], MOST if size is None or size < 0 else size
        while missing and (piece := self._piece(min(missing, PIPE_BYTES))):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        if not waiting.poll(self._milliseconds):
            self._process.kill()
        return os.read(self._descriptor, size)


MOST = 1 << 62
PIPE_BYTES = 1 << 20


def _finish(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


@contextmanager
def _on_disk(source: BinaryIO) -> Iterator[BinaryIO]:
    """The file as the system knows it: as it is, or written down where its bytes are made while they are read."""
    if isinstance(source, io.BufferedReader) and isinstance(source.raw, io.FileIO):
        yield source
        return
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        yield file
