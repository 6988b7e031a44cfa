"""Dialects of CSV that the beginning of a file may be in, from what stands in it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

from waybill_contracts import Declaration
from waybill_contracts.format import Format, LineEnd

from records.header import business_name
from records.recognise.trials import Sample

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = (":", "^", "~", "\x1f", "\x01", " ")
"""Certain only where they separate the declared names."""
QUOTES = ('"', "'")
COMMENT = "#"
MOST_SKIPPED_LINES = 30
DEFAULT = Format(type="csv", encoding="utf-8", delimiter=",", quote='"', line_end="lf", header=True)
"""What is read if nothing says otherwise."""
RECOGNISED = {"type", "encoding", "delimiter", "quote", "escape", "line_end"} | {
    *("header", "skip_lines", "footer_lines", "comment")
}
MARKED = (("encoding", "utf-16"), ("encoding", "utf-32"))


def is_settled(declared: Format) -> bool:
    """Delimiter and quote are declared, so what is left out is not recognised: no escape, comment or skipped line."""
    return declared.quote is not None and (declared.delimiter is not None or declared.type == "tsv")


@lru_cache(maxsize=1_000)
def completed(declared: Format, **found: object) -> Format:
    """What is declared, else what was found, else what is read if nothing says otherwise."""
    usual = DEFAULT.model_dump() | ({"delimiter": "\t"} if declared.type == "tsv" else {}) | found
    said = {field: value for field, value in declared.model_dump(exclude_unset=True).items() if value is not None}
    return Format.model_validate(usual | said)


def unusual(found: Format) -> Format | None:
    """What of a format is not as everybody expects it; a byte-order mark says its own in every file."""
    usual = DEFAULT.model_dump()
    said = {
        field: value
        for field, value in found.model_dump(include=RECOGNISED, exclude_unset=True).items()
        if value is not None and usual.get(field) != value and (field, value) not in MARKED
    }
    return Format.model_validate(said) if said else None


def dialects(
    sample: Sample,
    declared: Format,
    declaration: Declaration,
    skips: Sequence[int],
    *,
    everything: bool = False,
) -> Iterator[Format]:
    """Ways to read the sample, the usual ones first; `everything`: also those that leave the header as it is."""
    data = sample.data
    if is_settled(declared):
        yield from (completed(declared, line_end=end) for end in _line_ends(data))
        return
    seen = [each for each in (*DELIMITERS, *RARE_DELIMITERS) if each.encode() in data or each == DELIMITERS[0]]
    delimiters = ("\t",) if declared.type == "tsv" else [declared.delimiter] if declared.delimiter else seen
    quotes = [each for each in QUOTES if each.encode() in data or each == QUOTES[0]]
    quotes += [""] if everything and (b'"' in data or b"\\" in data) else []
    escapes = [None, "\\"] if everything and b"\\" in data else [None]
    comments = [None, COMMENT] if everything and _begins_with(COMMENT, data) else [None]
    ways = product(skips, delimiters, quotes, _line_ends(data), escapes, comments)
    for skipped, delimiter, quote, line_end, escape, comment in ways:
        found = {"skip_lines": skipped or None, "delimiter": delimiter, "quote": quote, "line_end": line_end}
        # Where nothing is quoted, it is what ends a field that is escaped.
        if escape and f"{escape}{quote or delimiter}".encode() not in data:
            continue
        if delimiter in (quote, escape) or (comment and comment[0] in (delimiter, quote)):
            continue
        yield completed(declared, **found, escape=escape, comment=comment)


def _line_ends(data: bytes) -> list[LineEnd]:
    alone = data.count(b"\r") - data.count(b"\r\n")
    if not alone:
        return ["lf"]
    return ["lf", "cr", "any"] if b"\n" in data else ["cr"]


def lines_of(sample: Sample) -> list[str]:
    """The first lines, as far as anything is skipped."""
    head = sample.data[: 1 << 14].decode(errors="replace")
    return head.replace("\r\n", "\n").replace("\r", "\n").split("\n")[: MOST_SKIPPED_LINES + 2]


def _begins_with(comment: str, data: bytes) -> bool:
    return data.startswith(comment.encode()) or f"\n{comment}".encode() in data


def name_lines(sample: Sample, declared: Format, declaration: Declaration) -> list[int]:
    """The first line, and each that has the name of a declared column, or its alias; how many lines lie before it."""
    if declared.skip_lines is not None or is_settled(declared):
        return [declared.skip_lines or 0]
    columns = declaration.columns.items()
    names = {each for name, column in columns if column.is_in_files for each in (name, *column.aliases)}
    lines = lines_of(sample) if names else []
    return [0, *(at for at, line in enumerate(lines) if at and names & _words(line, declared))][:MOST_SKIPPED_LINES]


def _words(line: str, declared: Format) -> set[str]:
    delimiters = declared.delimiter or "".join((*DELIMITERS, *RARE_DELIMITERS[:-1]))
    for delimiter in delimiters:
        line = line.replace(delimiter, "\n")
    return {business_name(word) for word in line.split("\n") if word}


def first_lines(sample: Sample, declared: Format) -> list[int]:
    """The first line, and the first one that has as many fields as most have; how many lines lie before it."""
    if declared.skip_lines is not None or is_settled(declared):
        return [declared.skip_lines or 0]
    lines, found = lines_of(sample), {0}
    for delimiter in (declared.delimiter,) if declared.delimiter else DELIMITERS:
        counts = [line.count(delimiter) for line in lines if line]
        usual = Counter(count for count in counts if count).most_common(1)
        if usual and usual[0][1] > len(counts) // 2:
            found.add(next(at for at, line in enumerate(lines) if line.count(delimiter) == usual[0][0]))
    return sorted(found)
