"""Bytes to identified rows, a block at a time: nothing is read before somebody asks for the next block."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl
from records.block import Block
from records.columns import canonical
from records.header import Match, match
from records.infer import infer, infer_columns
from records.judge import Judged, judge
from records.key import content_keys, keys, line_keys
from records.order import row_orders
from records.reject_file import LINE, NOTES, as_sent
from records.row_hash import row_hashes
from waybill_contracts import Column

from ingestor.domain.drift import Drift, Samples, is_tolerated, judge_drift, merged
from ingestor.domain.holds import UNDECLARED, Held, Reason
from ingestor.files.parts import Part
from ingestor.files.ranged import RangedRows
from ingestor.jobs.attempt import Attempt
from ingestor.jobs.recognising import recognise_parts

SAMPLE_ROWS = 3


@dataclass(frozen=True)
class Header:
    """How a part begins: what its columns are called in it, and how the declaration reads that."""

    part: Part
    sent: Sequence[str]
    match: Match


def complete(attempt: Attempt) -> None:
    """Find out how each part is read; Held where that is in doubt, or columns or key are left to be found in the file.

    It is taken at once under the declaration that this makes, and so is every later one. Of a delivery its first part
    shows it.
    """
    recognise_parts(attempt)
    if not attempt.declaration.is_complete:
        first = attempt.parts[0]
        with first.open() as source:
            proposal = infer(lambda: first.begin(source), attempt.declaration, first.format)
        reason = Reason(UNDECLARED, "columns and key are found in this file, and declared from now on")
        raise Held([reason], proposal=proposal, decided_by="inference")


def read(attempt: Attempt) -> Iterator[Block]:
    """The records as text columns with line numbers, which go on from part to part; every byte is accounted for.

    Held or Refused where the columns are not the declared ones, in any part.
    """
    headers = [_read_header(part, attempt) for part in attempt.parts]
    attempt.rejects.begin(_sent_header(headers))
    _check_columns(headers, attempt)
    lines = 0
    for header in headers:
        header.part.first_line = lines + 1
        lines += yield from _read_part(header, attempt)


def _read_part(header: Header, attempt: Attempt) -> Generator[Block, None, int]:
    """The records of one part; how many lines it has."""
    part = header.part
    with part.reader() as reader:
        for block in reader.blocks(header.match.names):
            part.rows += block.frame.height + block.rejects.height
            moved = _moved(block, part)
            _note_lines(moved, attempt)
            yield _with_nulls(_as_sent(moved, attempt), header.match.missing)
        reader.prove()
    return reader.line - 1


def _moved(block: Block, part: Part) -> Block:
    """The block with the lines that it has in the whole delivery."""
    if part.first_line == 1:
        return block
    by = part.first_line - 1
    frame, rejects = block.frame.with_columns(pl.col("_line") + by), block.rejects.with_columns(pl.col("line") + by)
    return replace(block, frame=frame, rejects=rejects, repairs=block.repairs.with_columns(pl.col("line") + by))


def _read_header(part: Part, attempt: Attempt) -> Header:
    """The header as the declaration reads it; notes in a file of rejects that comes back are no drift."""
    if part.header is None:
        with part.reader() as reader:
            part.header = reader.header
    with part.named_in_faults():
        found = match(part.header, attempt.declaration)
    if attempt.file.corrects:
        found = replace(found, unknown=tuple(name for name in found.unknown if name not in NOTES))
    return Header(part, part.header, found)


def _sent_header(headers: Sequence[Header]) -> dict[str, str]:
    """By its name what each column is called where it first appears; the notes are not the sender's."""
    called: dict[str, str] = {}
    for header in headers:
        for name, sent in zip(header.match.names, header.sent, strict=True):
            called.setdefault(name, sent)
    return {name: sent for name, sent in called.items() if name not in NOTES}


def _check_columns(headers: Sequence[Header], attempt: Attempt) -> None:
    """Raises where the columns of a part are not the declared ones, with what all that differ have in common."""
    differing = [header for header in headers if not header.match.is_exact]
    lacking = {name for header in differing for name in header.match.missing}
    is_unknown = any(header.match.unknown for header in differing)
    if is_tolerated(attempt.declaration, attempt.accepted, is_unknown, bool(lacking)):
        return
    missing = [name for name in attempt.declaration.columns if name in lacking]
    parts = [header.part.name for header in differing if header.part.file_id]
    added = merged(_added(header, attempt) for header in differing)
    samples: Samples = {}
    for header in differing:
        samples = _samples(header) | samples
    raise judge_drift(attempt.declaration, Drift(missing, added, samples, parts))


def _added(header: Header, attempt: Attempt) -> dict[str, Column]:
    with header.part.open() as source:
        return infer_columns(lambda: header.part.begin(source), attempt.declaration, header.match.unknown)


def _as_sent(block: Block, attempt: Attempt) -> Block:
    """The rows as they were before the file of rejects made them safe."""
    if not _has_notes(block, attempt):
        return block
    names = [name for name in block.frame.columns if name not in (*NOTES, "_line")]
    return replace(block, frame=block.frame.with_columns(as_sent(name) for name in names))


def _note_lines(block: Block, attempt: Attempt) -> None:
    """Which lines the rows of a correction stand for."""
    if _has_notes(block, attempt):
        attempt.notes.add(block.frame.select("_line", line=pl.col(LINE).cast(pl.Int64, strict=False)))


def _has_notes(block: Block, attempt: Attempt) -> bool:
    return attempt.file.corrects is not None and LINE in block.frame.columns


def _with_nulls(block: Block, missing: Sequence[str]) -> Block:
    """The block with columns that the file was allowed to lack."""
    if not missing:
        return block
    nulls = [pl.lit(None, pl.String).alias(name) for name in missing]
    return replace(block, frame=block.frame.with_columns(nulls))


def _samples(header: Header) -> Samples:
    """The first values of the columns that are not declared."""
    with header.part.reader() as reader:
        block = next(reader.blocks(header.match.names), None)
    if block is None:
        return {}
    return {name: block.frame[name].head(SAMPLE_ROWS).to_list() for name in header.match.unknown}


def type_and_judge(blocks: Iterable[Block], attempt: Attempt) -> Iterator[pl.DataFrame]:
    """Rows that are of the declared types and satisfy the rules; the others are rejects."""
    for block in blocks:
        judged = judge(block, attempt.declaration)
        if judged.rejects.height:
            _keep_rejects(block, judged, attempt)
        attempt.warnings.add(judged.warnings)
        yield _with_repairs(block, judged.frame, attempt) if block.repairs.height else judged.frame


def _with_repairs(block: Block, good: pl.DataFrame, attempt: Attempt) -> pl.DataFrame:
    """The good rows, with `_repaired`: what was mended in each, null where nothing was; those are kept as they came."""
    repaired = block.repairs.unique(maintain_order=True).group_by("line").agg(repairs="repair").sort("line")
    repaired = repaired.join(good.select(line="_line"), on="line", how="semi", maintain_order="left")
    rows = block.frame["_line"].is_in(repaired["line"].implode()).arg_true()
    raw = block.raw(rows).alias("raw")
    attempt.repairs.add(repaired.hstack([raw]).hstack(block.origin.spans(rows)))
    marks = repaired.select(_line="line", _repaired="repairs")
    return good.join(marks, on="_line", how="left", maintain_order="left")


def _keep_rejects(block: Block, judged: Judged, attempt: Attempt) -> None:
    """Rejects with their fields and keys; their records are not missing in a snapshot."""
    keyed = judged.rejected_keys.select("_line").with_columns(pl.lit(None, pl.String).alias("_key"))
    if attempt.declaration.key and judged.rejected_keys.height:
        keyed = judged.rejected_keys.select("_line", keys(judged.rejected_keys, attempt.declaration.key))
    if attempt.statement.speaks_for_absent:
        attempt.present.add(keyed.select("_key"))
    attempt.rejects.add(judged.rejects, _fields(block, judged.rejects["line"]), keyed)


def _fields(block: Block, lines: pl.Series) -> pl.DataFrame:
    """The fields of refused rows; of a row that was mended there are none that came so, but its raw text."""
    rows = pl.col("_line").is_in(lines.implode()) & ~pl.col("_line").is_in(block.repairs["line"].implode())
    return block.frame.filter(rows).drop(NOTES, strict=False)


def identify(frames: Iterable[pl.DataFrame], attempt: Attempt) -> Iterator[pl.DataFrame]:
    """Rows with key and hash, and with order and scope where each row has its own."""
    statement = attempt.statement
    for frame in frames:
        hashes = row_hashes(frame, attempt.types)
        identified = frame.with_columns(_keys(frame, hashes, attempt), hashes)
        if statement.order_column:
            identified = identified.with_columns(row_orders(frame[statement.order_column]))
        if statement.scope_column:
            identified = identified.with_columns(canonical(frame[statement.scope_column]).alias("_scope"))
        yield identified


def _keys(frame: pl.DataFrame, hashes: pl.Series, attempt: Attempt) -> pl.Series:
    match attempt.declaration.identity:
        case "key":
            return keys(frame, attempt.declaration.key)
        case "line":
            return line_keys(frame["_line"], attempt.file.file_id)
        case "content":
            return content_keys(hashes)


def reread(attempt: Attempt, wanted: RangedRows) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The wanted rows (by `_line`) in file order: raw text with its place (line, raw, start, size), and fields.

    Reads the parts again.
    """
    for part in attempt.parts:
        header = _read_header(part, attempt)
        with part.reader() as reader:
            for block in (_moved(block, part) for block in reader.blocks(header.match.names)):
                lines = block.frame["_line"]
                rows = lines.is_in(wanted.of_block(lines)["_line"].implode()).arg_true()
                if rows.len():
                    told = pl.DataFrame({"line": lines.gather(rows), "raw": block.raw(rows)})
                    yield told.hstack(block.origin.spans(rows)), _fields(_as_sent(block, attempt), told["line"])
