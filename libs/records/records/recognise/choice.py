"""Which of the dialects that a text may be in it is, or that this is in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass

from waybill_contracts import Declaration
from waybill_contracts.format import Format

from records.recognise.csv import (
    by_names,
    by_some_names,
    candidates,
    doubt,
    has_other_quotes,
    hints_at_other_quotes,
)
from records.recognise.dialects import DEFAULT, completed, is_settled
from records.recognise.trials import Candidate, Sample, try_out

MOST_SHOWN = 8
"""Candidates that a person is asked to choose from."""


@dataclass(frozen=True)
class Recognition:
    """The format that the file is read with, all that a reader needs; in doubt the best one, with all candidates."""

    format: Format
    why: str = ""
    """It is in doubt."""
    candidates: tuple[Candidate, ...] = ()
    header: Sequence[str] | None = None
    """Of the file, where it was read already."""

    @property
    def is_certain(self) -> bool:
        return not self.candidates


def choose(text: Sample, declaration: Declaration, name: str) -> Recognition:
    """The dialect of a text."""
    declared = declaration.format
    if is_settled(declared) and declared.header is not None:
        return Recognition(_settled(text, declared))
    named = by_names(text, declared, declaration)
    if len(named) > 1:
        tried = [each for each in (try_out(text, dialect, declaration) for dialect in named) if each]
        return doubtful(tried, "several ways to read it give the declared columns")
    if named and not hints_at_other_quotes(text, named[0], declared):
        return Recognition(named[0])
    if named:
        return _quoted(text, named[0], declaration)
    found = candidates(text, declared, declaration)
    if not found:
        # The reader says what is wrong with it.
        return Recognition(_settled(text, declared))
    return _most_plausible(text, found, declaration, name)


def _most_plausible(text: Sample, found: Sequence[Candidate], declaration: Declaration, name: str) -> Recognition:
    """The best of these, unless it is in doubt."""
    plain = by_some_names(found, declaration)
    has_hints = plain is not None and hints_at_other_quotes(text, plain.format, declaration.format)
    if plain and (not has_hints or _is_settled_by_comma(plain, is_best=plain is found[0])):
        return Recognition(plain.format)
    why = doubt(found, declaration.format, declaration)
    if why is None:
        return Recognition(found[0].format)
    tab = [each for each in found if each.format.delimiter == "\t" and not each.faults]
    if name.lower().endswith((".tsv", ".tab")) and len(tab) == 1 and len(tab[0].header) > 1:
        return Recognition(tab[0].format)
    return doubtful(found, why)


def _quoted(text: Sample, named: Format, declaration: Declaration) -> Recognition:
    """The dialect of a text that has the declared names, but maybe other quotes; faults are its rows' own."""
    lines = {"skip_lines": named.skip_lines or 0, "footer_lines": named.footer_lines or 0}
    declared = declaration.format.model_copy(update={"delimiter": named.delimiter, **lines})
    found = [each for each in candidates(text, declared, declaration) if each.format.comment == declared.comment]
    plain = next((each for each in found if _is_quoted_alike(each.format, named)), None)
    if not found or (plain and _is_settled_by_comma(plain, is_best=plain is found[0])):
        return Recognition(named)
    why = doubt(found, declared, declaration)
    return doubtful(found, why) if why else Recognition(found[0].format)


def _is_settled_by_comma(plain: Candidate, *, is_best: bool) -> bool:
    """Whether other quotes are not believed in: what has commas and the declared names is as it most often is."""
    return plain.format.delimiter == DEFAULT.delimiter and (is_best or not has_other_quotes(plain))


def _is_quoted_alike(one: Format, other: Format) -> bool:
    return (one.quote, one.escape) == (other.quote, other.escape)


def _settled(text: Sample, declared: Format) -> Format:
    line_end = "cr" if b"\r" in text.data and b"\n" not in text.data else "lf"
    return completed(declared, line_end=line_end)


def doubtful(found: Sequence[Candidate], why: str) -> Recognition:
    best = sorted(found, key=lambda candidate: -candidate.score)[:MOST_SHOWN]
    return Recognition(best[0].format, why, tuple(best))
