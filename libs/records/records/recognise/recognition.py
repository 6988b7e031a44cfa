"""How a file is to be read: as declared, and where the declaration leaves it open, as its content shows.

What is declared is never overruled. Then, in this order: the marks of Parquet and of workbooks; a header that is the
declared one when the file is read as plain CSV; JSON; CSV of another dialect, by the declared names, else by a score
over the beginning of the file (records.recognise.trials). The file's name only breaks ties. Where more than one way
is left, all are told and nothing is chosen.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import orjson
from waybill_contracts import Declaration
from waybill_contracts.format import Encoding, Format, FormatType

from records.contents import OLD_WORKBOOK, PARQUET
from records.packing import ZIP
from records.recognise.choice import Recognition, choose, doubtful
from records.recognise.csv import has_names, header_of, hints_at_other_quotes
from records.recognise.dialects import DEFAULT, RECOGNISED, completed, unusual
from records.recognise.encoding import (
    FEW_INVALID_ROWS,
    Guess,
    bom_of,
    count_invalid_rows,
    guess_encodings,
    is_utf8,
    shown_text,
)
from records.recognise.foreign import require_table
from records.recognise.trials import Candidate, Sample, try_out

SAMPLE_BYTES = 1 << 16
SURE_COLUMNS = 2
"""So many declared names side by side are nobody's chance."""
EXTENSIONS: dict[str, FormatType] = {"json": "json", "jsonl": "jsonl", "ndjson": "jsonl"}
TEXT_EXTENSIONS = ("csv", "tsv", "tab", "txt")
SETTLED = ("delimiter", "quote", "escape", "comment", "skip_lines", "header", "footer_lines")
"""Where candidates differ in one of these, all of them are decided with the one that is chosen."""


def recognise(source: BinaryIO, declaration: Declaration, name: str = "") -> Recognition:
    """How the unpacked file is to be read.

    `source` is read from its beginning, a little more than nothing where plain CSV has the declared header. FileFault
    where it holds no table.
    """
    source.seek(0)
    head, is_whole = _read(source)
    declared = declaration.format
    kind = declared.type or _marked(head)
    if kind not in (None, "csv", "tsv"):
        return Recognition(_other(declared, kind, head))
    if kind is None:
        require_table(head)
    sample = Sample(head, is_whole)
    if plain := _plain(sample, declaration):
        return plain
    texts = [(guess, _decoded(sample, guess.encoding)) for guess in guess_encodings(head, declared)]
    if kind is None:
        found = _json(texts[0][1], declared, declaration, name)
        if found:
            return found
    if len(texts) == 1:
        return _with_encoding(choose(texts[0][1], declaration, name), texts[0][0].encoding)
    return _in_doubt_of_encoding(texts, declaration)


def is_plain(source: BinaryIO, name: str) -> Sequence[str] | None:
    """The header of plain CSV that has a column of this name; None where the file is something else."""
    source.seek(0)
    header = header_of(Sample(*_read(source)), DEFAULT)
    return header if header and name in header else None


def to_declare(candidate: Candidate, others: Sequence[Candidate]) -> Format:
    """What a declaration has to say for files to be read as the candidate is, and not as another."""
    mine = candidate.format.model_dump(include=RECOGNISED, exclude_unset=True)
    every = [mine, *(other.format.model_dump(exclude_unset=True) for other in others)]
    differing = {field for field in RECOGNISED if len({str(each.get(field)) for each in every}) > 1}
    if len(others) == 1 or differing & set(SETTLED):
        differing |= {"delimiter", "quote", "header"}
    kept = {field: value for field, value in mine.items() if value is not None and field in differing}
    return Format.model_validate(_said(unusual(candidate.format)) | kept)


def _said(found: Format | None) -> dict[str, object]:
    return found.model_dump(exclude_unset=True) if found else {}


def _read(source: BinaryIO) -> tuple[bytes, bool]:
    """Whole lines from the beginning of the file, and whether that is all of it."""
    head = b""
    while len(head) <= SAMPLE_BYTES and (more := source.read(SAMPLE_BYTES + 1 - len(head))):
        head += more
    if len(head) <= SAMPLE_BYTES:
        return head, True
    head = head[:SAMPLE_BYTES]
    end = head.rfind(b"\n") + 1 or head.rfind(b"\r") + 1
    return head[:end] if end else head, False


def _marked(head: bytes) -> FormatType | None:
    """The format of a file that is no text, which its first bytes tell."""
    if head.startswith(PARQUET) and (b"\0" in head or not is_utf8(head)):
        return "parquet"
    # Of an old or encrypted workbook its reader says what it is.
    return "excel" if head.startswith((ZIP, OLD_WORKBOOK)) else None


def _other(declared: Format, kind: FormatType | None, head: bytes) -> Format:
    found: dict[str, object] = {"type": kind}
    if kind in ("json", "jsonl"):
        found["encoding"] = bom_of(head) or declared.encoding or "utf-8"
    return declared.model_copy(update=found)


def _plain(sample: Sample, declaration: Declaration) -> Recognition | None:
    """The format, where plain reading finds what is declared."""
    declared = declaration.format
    dialect = completed(declared)
    if declared.encoding not in (None, "utf-8") or not _is_plain_text(sample.data):
        return None
    if dialect.header is False:
        found = try_out(sample, dialect, declaration)
        return Recognition(dialect) if found and found.row_count and not found.faults else None
    header = header_of(sample, dialect) if declaration.columns else None
    if header is None or not has_names(header, dialect, declaration, SURE_COLUMNS):
        return None
    if hints_at_other_quotes(sample, dialect, declared):
        return None
    return Recognition(dialect, header=header)


def _is_plain_text(head: bytes) -> bool:
    """UTF-8, but for a few rows at most."""
    return bom_of(head) in (None, "utf-8") and b"\0" not in head[:4] and count_invalid_rows(head) <= FEW_INVALID_ROWS


def _decoded(sample: Sample, encoding: Encoding) -> Sample:
    return sample if encoding == "utf-8" else replace(sample, data=shown_text(sample.data, encoding))


def _json(text: Sample, declared: Format, declaration: Declaration, name: str) -> Recognition | None:
    """What begins like JSON is JSON, unless its first line is none; then both are told."""
    kind, is_certain = _json_type(text)
    if kind is None:
        return None
    extension = name.lower().rpartition(".")[2]
    if is_certain or EXTENSIONS.get(extension) is not None:
        return Recognition(_other(declared, kind, text.data))
    if extension in TEXT_EXTENSIONS:
        return None
    found = choose(text, declaration, name)
    told = found.candidates or (try_out(text, found.format, declaration),)
    other = Candidate(_other(declared, kind, text.data), score=0.5, header=(), rows=(), row_count=0, faults=0)
    every = sorted([each for each in (*told, other) if each], key=lambda each: -each.score)
    return Recognition(every[0].format, "it begins like JSON, but its first line is none", tuple(every))


def _json_type(text: Sample) -> tuple[FormatType | None, bool]:
    """json or jsonl, if the text begins like it, and whether that is certain."""
    data = text.data.removeprefix(b"\xef\xbb\xbf").lstrip()
    line = data.partition(b"\n")[0].strip()
    if re.match(rb"\[\s*(?:\{\s*[\"}]|\]\s*$)", data):
        return "json", True
    if data[:1] not in (b"{", b"["):
        return None, False
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        is_cut_off = line == data and not text.is_whole and re.match(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:', line)
        return "jsonl" if data[:1] == b"{" else "json", bool(is_cut_off)
    return ("jsonl", True) if isinstance(value, dict) else ("json", line == data.strip())


def _with_encoding(found: Recognition, encoding: Encoding) -> Recognition:
    told = tuple(replace(each, format=_encoded(each.format, encoding)) for each in found.candidates)
    return replace(found, format=_encoded(found.format, encoding), candidates=told)


def _encoded(found: Format, encoding: Encoding) -> Format:
    return found.model_copy(update={"encoding": encoding})


def _in_doubt_of_encoding(texts: Sequence[tuple[Guess, Sample]], declaration: Declaration) -> Recognition:
    """The dialect that the likeliest encoding shows, in each encoding."""
    dialect = choose(texts[0][1], declaration, "")
    ways = [each.format for each in dialect.candidates[:2]] or [dialect.format]
    found: list[Candidate] = []
    for way in ways:
        for guess, text in texts:
            candidate = try_out(text, _encoded(way, "utf-8"), declaration)
            if candidate:
                score = round(candidate.score * guess.score, 3)
                found.append(replace(candidate, format=_encoded(way, guess.encoding), score=score))
    if not found:
        return _with_encoding(dialect, texts[0][0].encoding)
    rows = count_invalid_rows(texts[-1][1].data)
    said = f"it is no UTF-8 in {rows} of its first rows" if rows else "it looks like UTF-16 without a mark that says so"
    return doubtful(found, f"{said}, and its encoding is not declared")
