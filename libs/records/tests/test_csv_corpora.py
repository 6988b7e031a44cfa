"""Published corpora: each case is read exactly as RFC 4180 says, or rejected or refused with this code."""

import io
import json
from pathlib import Path

import pytest
import yaml
from records.csv.reader import CsvReader
from records.errors import FileFault
from waybill_contracts import Format

CORPORA = Path(__file__).parents[3].parent / "shared" / "corpora"
SPECTRUM, CONFORMANCE = CORPORA / "csv-spectrum", CORPORA / "csv-conformance" / "tests"
LINE_ENDS = {"LF": ("\n", "lf"), "CRLF": ("\r\n", "lf"), "LF of any": ("\n", "any"), "CR of any": ("\r", "any")}
DEVIATIONS = {
    "location_coordinates": ("quote_in_field", "a quote that does not begin a field quotes nothing, RFC 4180 2.5"),
    "different-field-count-1": ("too_many_fields", "a row has as many fields as there are columns, RFC 4180 2.4"),
    "different-field-count-2": ("too_few_fields", "the same"),
    "comments-none-1": ("too_many_fields", "the same: without comments, the second line has two fields"),
    "open-quotation-1": ("unclosed_quote", "what stands behind a quote that is never closed may be rows"),
    "open-quotation-2": ("unclosed_quote", "the same"),
    "open-quotation-3": ("quote_in_field", "a quote inside a field that is not quoted, RFC 4180 2.5"),
    "spaces-around-quotes-1": (
        "text_after_quote",
        "spaces are part of a field, RFC 4180 2.4, and none follows a quote",
    ),
    "spaces-around-quotes-2": ("text_after_quote", "the same"),
    "spaces-around-quotes-3": ("quote_in_field", "spaces are part of a field, so its quote does not begin it"),
    "spaces-around-quotes-4": ("quote_in_field", "the same"),
    "spaces-around-quotes-5": ("quote_in_field", "the same"),
    "empty-file": ("empty_file", "nobody sends nothing on purpose; a file with a header alone has no rows"),
    **{f"comments-skip-{number}": ("empty_file", "nothing but comments: the same") for number in (4, 5, 6, 7)},
}
"""What is rejected or refused by its code, and why; all else is read as the corpus says."""
LEFT_OUT = {"comments-read": "a comment says nothing, so it is no record: read as the cases of comments-skip"}


def read(data, exact, said):
    """Header, rows with null as empty text, and the codes of what was not read."""
    try:
        reader = CsvReader.of_format(io.BytesIO(data), said, exact=exact)
        names = [str(number) for number in range(len(reader.header))]
        rows, codes = [], []
        for block in reader.blocks(names):
            rows += [[value or "" for value in row[:-1]] for row in block.frame.rows()]
            codes += [code for codes in block.rejects["codes"] for code in codes]
    except FileFault as fault:
        return [], [], [fault.code]
    reader.coverage.prove(len(data))
    return reader.header, rows, codes


def conformance_suites():
    """(name, mode of comments, checks) of each file of the corpus."""
    for path in sorted(CONFORMANCE.glob("*.yaml")):
        suite = yaml.safe_load(path.read_text())
        yield path.stem, suite.get("settings", {}).get("commentMode", "NONE"), suite["checks"]


def conformance_cases(line_end):
    """(id, format, text, records) of each case that is not left out."""
    table = str.maketrans({"⏎": line_end, "␤": "\r\n"})
    for name, mode, checks in conformance_suites():
        if name not in LEFT_OUT:
            for check in checks:
                records = [[value.translate(table) for value in record] for record in check["records"]]
                said = {"comment": "#"} if mode == "SKIP" else {}
                yield check["id"], said, check["input"].translate(table), records


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason=f"no corpus csv-spectrum in {CORPORA.name} beside the repository")
@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
def test_every_file_of_csv_spectrum_is_read_exactly(exact):
    cases = sorted(SPECTRUM.glob("csvs/*.csv"))
    assert len(cases) == 12
    for path in cases:
        header, rows, codes = read(path.read_bytes(), exact, Format())
        wanted = json.loads((SPECTRUM / "json" / f"{path.stem}.json").read_text())
        found = [dict(zip(header, row, strict=True)) for row in rows]
        if path.stem in DEVIATIONS:
            assert (found, codes) == ([], [DEVIATIONS[path.stem][0]])
        else:
            assert (found, codes) == (wanted, []), path.name


@pytest.mark.skipif(
    not CONFORMANCE.is_dir(), reason=f"no corpus csv-conformance in {CORPORA.name} beside the repository"
)
@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
@pytest.mark.parametrize(("line_end", "ends"), LINE_ENDS.values(), ids=LINE_ENDS)
def test_every_case_of_csv_conformance_is_read_or_has_its_code(exact, line_end, ends):
    seen = set()
    for name, said, text, records in conformance_cases(line_end):
        _, rows, codes = read(text.encode(), exact, Format(header=False, line_end=ends, **said))
        # A blank line is no row, as its section 3.3 allows.
        wanted = [record for record in records if record != [""] or '""' in text]
        if name in DEVIATIONS:
            assert codes == [DEVIATIONS[name][0]], name
            assert all(row in wanted for row in rows)
        else:
            assert (rows, codes) == (wanted, []), name
        seen.add(name)
    assert len(seen) == 60 - 7
    assert seen | {"location_coordinates"} >= DEVIATIONS.keys()
