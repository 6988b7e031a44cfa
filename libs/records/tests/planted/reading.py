"""Reading of planted files by both paths of our reader, in steps that end where a test wants them to."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from records.csv.reader import CsvReader
from records.errors import FileFault
from records.header import require_match
from records.judge import judge
from waybill_contracts.format import Repair

from .outcomes import Reading, Reject
from .tables import Clean


class Trickle(io.BytesIO):
    """A source that gives no more than up to the next of its cuts at a time, as unpacking sources do."""

    def __init__(self, content: bytes, cuts: Sequence[int]) -> None:
        super().__init__(content)
        self._cuts = sorted(cuts)

    def read(self, size: int | None = -1, /) -> bytes:
        ahead = [cut - self.tell() for cut in self._cuts if cut > self.tell()]
        if ahead and (size is None or size < 0 or size > ahead[0]):
            size = ahead[0]
        return super().read(size)


@dataclass(frozen=True)
class Way:
    """How a file is read: in steps that end at these cuts, on one path or the other, with these repairs allowed."""

    cuts: Sequence[int] = ()
    is_exact: bool = False
    is_typed: bool = False
    repair: tuple[Repair, ...] = ()


def read(clean: Clean, content: bytes, way: Way) -> Reading:
    """Rows as texts or, the whole way, as values; what refuses the file has a code."""
    reading = Reading()
    try:
        file_format = clean.dialect.format.model_copy(update={"repair": way.repair})
        reader = CsvReader.of_format(Trickle(content, way.cuts), file_format, exact=way.is_exact)
        for block in reader.blocks(require_match(reader.header, clean.declaration)):
            starts = block.origin.spans(block.frame.with_row_index()["index"])["start"]
            begins = dict(zip(block.frame["_line"], starts, strict=True))
            frame, rejects = block.frame, block.rejects
            if way.is_typed:
                judged = judge(block, clean.declaration)
                frame, rejects = judged.frame, judged.rejects
            # Two rows never begin on one line.
            reading.rows += [(begins[row[-1]], row[-1], row[:-1]) for row in frame.rows()]
            told = rejects.select("line", "start", "size", "raw", "codes").rows()
            reading.rejects += [Reject(*first, tuple(codes)) for *first, codes in told]
            reading.repairs += block.repairs.rows()
        reader.prove()
    except FileFault as fault:
        return Reading(refused=fault.code)
    return reading
