"""Which dialect of CSV the beginning of a file is in, and which it might be."""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice

import polars as pl
from waybill_contracts import Declaration
from waybill_contracts.format import Format

from records.errors import FileFault
from records.formats import open_reader
from records.recognise.dialects import (
    DELIMITERS,
    MOST_SKIPPED_LINES,
    RARE_DELIMITERS,
    dialects,
    first_lines,
    is_settled,
    name_lines,
)
from records.recognise.trials import ODD, Candidate, Sample, known_columns, looks_like_values, try_out
from records.transform import make_columns

MARGIN = 0.1
"""By how much the best candidate is more plausible than every other, if it is certain."""
MOST_CANDIDATES = 60
FEW_HINTS, HINT_SHARE = 3, 0.05
"""So many records, and such a share of all, are read otherwise with other quotes before that is believed."""


def header_of(sample: Sample, file_format: Format) -> list[str] | None:
    """The header as it is read in this way; None where there is none."""
    try:
        return open_reader(BytesIO(sample.data), file_format).header
    except FileFault:
        return None


def has_names(header: Sequence[str] | None, dialect: Format, declaration: Declaration, least: int = 1) -> bool:
    """Whether it has every declared column that files must have, and is nothing else that was read wrongly.

    A header of one field only, where none but that one is declared; else `least` columns at least.
    """
    if header is None:
        return False
    # A business name would not show it: that of `'id'` and of `id;` is `id`.
    enclosing = [quote for quote in ("'", '"', "`") if quote != dialect.quote]
    if any(text[:1] in enclosing or text[-1:] in enclosing for text in header if text):
        return False
    others = [sign for sign in DELIMITERS if sign != dialect.delimiter]
    is_usual = dialect.delimiter == DELIMITERS[0] and len(header) > 1
    if not is_usual and any(sign in text for sign in others for text in header):
        return False
    known, missing = known_columns(header, declaration)
    return known > 0 and not missing and (known >= least or known == len(header))


def hints_at_other_quotes(sample: Sample, dialect: Format, declared: Format) -> bool:
    """Whether fields may be enclosed by single quotes, or quotes have a backslash before them; a quick look."""
    if is_settled(declared):
        return False
    data, delimiter = sample.data, (dialect.delimiter or "").encode()
    if not dialect.escape and b"\\" + (dialect.quote or '"').encode() in data:
        return True
    closed = any(b"'" + end in data for end in (delimiter, b"\r", b"\n"))
    return dialect.quote == '"' and delimiter + b"'" in data and closed


def by_names(sample: Sample, declared: Format, declaration: Declaration) -> list[Format]:
    """The dialects in which the header is the declared one, the usual one of each delimiter; most often one."""
    if not declaration.columns or declared.header is False:
        return []
    found: dict[str, Format] = {}
    for dialect in dialects(sample, declared, declaration, skips=name_lines(sample, declared, declaration)):
        delimiter, skipped = dialect.delimiter or "", dialect.skip_lines or 0
        if dialect.line_end == "any" and not declared.line_end:
            continue
        if delimiter in found or any(skipped > (other.skip_lines or 0) for other in found.values()):
            continue
        if has_names(header_of(sample, dialect), dialect, declaration) and _ends_lines(dialect, sample, declaration):
            found[delimiter] = dialect
    return list(found.values())


def _ends_lines(dialect: Format, sample: Sample, declaration: Declaration) -> bool:
    """Whether the line ends are the file's, and not just the header's."""
    if dialect.line_end != "cr" or b"\n" not in sample.data:
        return True
    found = try_out(sample, dialect, declaration)
    return found is not None and not found.faults


def candidates(sample: Sample, declared: Format, declaration: Declaration) -> list[Candidate]:
    """Every way to read the sample that gives other rows than those before it, the best first."""
    skips = sorted({*first_lines(sample, declared), *name_lines(sample, declared, declaration)})
    tried: list[Candidate] = []
    everything = dialects(sample, declared, declaration, skips, everything=True)
    for dialect in islice(everything, MOST_CANDIDATES):
        candidate = try_out(sample, dialect, declaration)
        if candidate and _is_worth(candidate, tried) and not any(candidate.means(other) for other in tried):
            tried.append(candidate)
    if declared.header is None and declaration.columns and not any(candidate.known for candidate in tried):
        tried += list(_without_header(sample, tried, declaration))
    tried += list(_without_footer(sample, tried, declared, declaration))
    kept = [candidate for candidate in tried if len(candidate.header) > 1 or _is_alone(candidate, tried)]
    return sorted(kept, key=lambda candidate: -candidate.score)


def doubt(found: Sequence[Candidate], declared: Format, declaration: Declaration) -> str | None:
    """Why the first of these is not certain."""
    best, others = found[0], found[1:]
    if not _is_usual(best, others, declared):
        return "it is not read in a usual way"
    if not declaration.columns and declared.header is None and looks_like_values(best):
        return "its first record looks like values, not like the names of columns"
    if not others:
        return None
    if round(best.score - others[0].score, 3) < MARGIN * best.weight or any(
        re.search(ODD, name) for name in best.header
    ):
        return "it can be read in several ways that are about as plausible"
    if best.faults:
        return "the likeliest way to read it gives records with faults"
    return None


def by_some_names(found: Sequence[Candidate], declaration: Declaration) -> Candidate | None:
    """The plain one, where it has half of the declared columns and two at least, and no other delimiter gives any."""
    plain = next((candidate for candidate in found if _is_plain(candidate.format)), None)
    if plain is None or plain.known < 2 or 2 * plain.known < len(declaration.columns):
        return None
    rivals = [other for other in found if other.known and other.format.header is not False]
    return plain if all(_places_header_alike(plain, other) for other in rivals) else None


def _is_plain(way: Format) -> bool:
    unusual_lines = way.comment or way.footer_lines or way.line_end != "lf" or way.header is False
    return way.quote == '"' and not way.escape and not unusual_lines


def _places_header_alike(one: Candidate, other: Candidate) -> bool:
    first, second = one.format, other.format
    return (first.delimiter, first.skip_lines or 0) == (second.delimiter, second.skip_lines or 0)


def _is_usual(best: Candidate, others: Sequence[Candidate], declared: Format) -> bool:
    """Whether no more than delimiter, quote, escape and line end are recognised in it, and these on good evidence."""
    found = best.format
    if found.line_end == "any" and not declared.line_end:
        return False
    if found.delimiter in RARE_DELIMITERS and not declared.delimiter:
        return False
    if (found.comment, found.header) != (declared.comment, declared.header is not False):
        return False
    if (found.skip_lines or 0, found.footer_lines or 0) != (declared.skip_lines or 0, declared.footer_lines or 0):
        return False
    is_other = found.quote != '"' and declared.quote is None
    if is_other and _has_plain_quotes(best):
        return False
    if not is_other and (not found.escape or declared.escape):
        return True
    plain = next((other for other in others if _is_with_plain_quotes(best, other)), None)
    return plain is None or has_other_quotes(plain)


def has_other_quotes(plain: Candidate) -> bool:
    """Whether enough is faulty, or enclosed by single quotes, where the usual ones are taken for quotes."""
    enclosed = sum(int(column.str.contains("^'|'$").sum()) for column in plain.frame.iter_columns())
    hints, records = plain.faults + enclosed, plain.row_count + plain.faults
    return hints >= max(FEW_HINTS, HINT_SHARE * records)


def _has_plain_quotes(candidate: Candidate) -> bool:
    """Whether the usual quote is in it: then it may be what it is meant as."""
    texts = [column.str.contains('"', literal=True).any() for column in candidate.frame.iter_columns()]
    return any(texts) or any('"' in name for name in candidate.header)


def _is_with_plain_quotes(best: Candidate, other: Candidate) -> bool:
    return other.format == best.format.model_copy(update={"quote": '"', "escape": None})


def _is_worth(candidate: Candidate, tried: Sequence[Candidate]) -> bool:
    """No candidates: a rare delimiter that explains less than everything, lines skipped where none need be.

    Nor other quotes than the usual ones, unless these are not well formed, or it is those that may enclose fields.
    """
    file_format = candidate.format
    if any(_starts_earlier(other, candidate) and len(other.header) > 1 and not other.faults for other in tried):
        return False
    if file_format.delimiter in RARE_DELIMITERS and not _needs_rare_delimiter(candidate, tried):
        return False
    if file_format.quote == '"' or file_format.quote is None:
        return True
    usual = file_format.model_copy(update={"quote": '"', "escape": None})
    plain = next((other for other in tried if other.format == usual), None)
    if file_format.quote == "" and not file_format.escape and plain and not plain.faults and plain.row_count:
        return False
    return file_format.quote == "" or plain is None or _encloses(file_format.quote, plain)


def _needs_rare_delimiter(candidate: Candidate, tried: Sequence[Candidate]) -> bool:
    """Whether it explains everything, and no common delimiter does."""
    common = [other for other in tried if other.format.delimiter in DELIMITERS and len(other.header) > 1]
    explains = not candidate.faults and len(candidate.header) > 1
    return explains and all(other.faults for other in common)


def _encloses(quote: str, plain: Candidate) -> bool:
    """Whether there are values that begin or end with it: those that do both may be cut at what they hold."""
    return any(column.str.contains(f"^{quote}|{quote}$").any() for column in plain.frame.iter_columns())


def _starts_earlier(one: Candidate, other: Candidate) -> bool:
    return (one.format.skip_lines or 0) < (other.format.skip_lines or 0)


def _is_alone(candidate: Candidate, tried: Sequence[Candidate]) -> bool:
    """One column is a candidate where no common delimiter reads the rows as more than one."""
    several = [other for other in tried if len(other.header) > 1 and other.format.delimiter in DELIMITERS]
    if candidate.format.delimiter not in (DELIMITERS[0], DELIMITERS[2]) and several:
        return False
    return candidate.known > 0 or all(other.faults for other in several)


def _without_header(sample: Sample, tried: Sequence[Candidate], declaration: Declaration) -> Iterator[Candidate]:
    """The same without a header, where the first record has values of the declared types."""
    for candidate in tried:
        if not _are_of_types(candidate.header, declaration):
            continue
        bare = try_out(sample, candidate.format.model_copy(update={"header": False}), declaration)
        if bare:
            yield bare


def _are_of_types(values: Sequence[str], declaration: Declaration) -> bool:
    """Whether the values are as the columns declare them, and one of them not of type text."""
    columns = {name: column for name, column in declaration.columns.items() if column.is_in_files}
    if len(values) != len(columns):
        return False
    texts = {name: [value or None] for name, value in zip(columns, values, strict=True)}
    row = pl.DataFrame(texts, dict.fromkeys(columns, pl.String))
    made = make_columns(row, declaration.model_copy(update={"columns": columns}))
    if made.found:
        return False
    return any(column.type != "text" and made.typed[name].item() is not None for name, column in columns.items())


def _without_footer(
    sample: Sample, tried: Sequence[Candidate], declared: Format, declaration: Declaration
) -> Iterator[Candidate]:
    """The same without the last lines, where it is only those that have faults."""
    if not sample.is_whole or declared.footer_lines is not None or is_settled(declared):
        return
    total = len(sample.data.rstrip(b"\r\n").splitlines())
    for candidate in tried:
        if candidate.first_fault is None or candidate.row_count <= candidate.faults:
            continue
        footer = total - candidate.first_fault + 1
        if not candidate.faults <= footer <= MOST_SKIPPED_LINES:
            continue
        shorter = candidate.format.model_copy(update={"footer_lines": footer})
        found = try_out(sample, shorter, declaration)
        if found and not found.faults and found.row_count == candidate.row_count:
            yield found
