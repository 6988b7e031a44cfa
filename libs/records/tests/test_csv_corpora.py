"""Published corpora: each case is read exactly as RFC 4180 says, or rejected or refused with this code."""

import io
import json
from pathlib import Path

import pytest
import yaml
from records.csv import CsvReader
from records.errors import FileFault

CORPORA = Path(__file__).parents[3].parent / "shared" / "corpora"
SPECTRUM, CONFORMANCE = CORPORA / "csv-spectrum", CORPORA / "csv-conformance" / "tests"
LINE_ENDS = ("\n", "\r\n")
DEVIATIONS = {
    "location_coordinates": "quote_in_field",
    "comments-none-1": "too_many_fields",
    "different-field-count-1": "too_many_fields",
    "different-field-count-2": "too_few_fields",
    "open-quotation-1": "unclosed_quote",
    "open-quotation-2": "unclosed_quote",
    "open-quotation-3": "quote_in_field",
    "spaces-around-quotes-1": "text_after_quote",
    "spaces-around-quotes-2": "text_after_quote",
    "spaces-around-quotes-3": "quote_in_field",
    "spaces-around-quotes-4": "quote_in_field",
    "spaces-around-quotes-5": "quote_in_field",
}


def read(data, exact):
    """Header, rows with null as empty text, and the codes of what was not read."""
    try:
        reader = CsvReader(io.BytesIO(data), exact=exact)
        rows, codes = [], []
        for block in reader.blocks():
            rows += [[value or "" for value in row[:-1]] for row in block.frame.rows()]
            codes += [code for codes in block.rejects["codes"] for code in codes]
    except FileFault as fault:
        return [], [], [fault.code]
    reader.coverage.prove(len(data))
    return reader.header, rows, codes


def conformance_cases():
    """(id, text, records) of the cases without comment signs, which are no part of RFC 4180."""
    for path in sorted(CONFORMANCE.glob("*.yaml")):
        suite = yaml.safe_load(path.read_text())
        if suite.get("settings", {}).get("commentMode", "NONE") == "NONE":
            for check in suite["checks"]:
                yield check["id"], check["input"], check["records"]


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason=f"no corpus csv-spectrum in {CORPORA.name} beside the repository")
@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
def test_every_file_of_csv_spectrum_is_read_exactly(exact):
    cases = sorted(SPECTRUM.glob("csvs/*.csv"))
    assert len(cases) == 12
    for path in cases:
        header, rows, codes = read(path.read_bytes(), exact)
        wanted = json.loads((SPECTRUM / "json" / f"{path.stem}.json").read_text())
        found = [dict(zip(header, row, strict=True)) for row in rows]
        if path.stem in DEVIATIONS:
            assert (found, codes) == ([], [DEVIATIONS[path.stem]])
        else:
            assert (found, codes) == (wanted, []), path.name


@pytest.mark.skipif(
    not CONFORMANCE.is_dir(), reason=f"no corpus csv-conformance in {CORPORA.name} beside the repository"
)
@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
@pytest.mark.parametrize("line_end", LINE_ENDS, ids=["LF", "CRLF"])
def test_every_case_of_csv_conformance_is_read_or_has_its_code(exact, line_end):
    for name, text, records in conformance_cases():
        text = text.replace("⏎", line_end).replace("␤", "\r\n").replace("␠", " ").replace("␍", "\r").replace("␊", "\n")
        records = [[value.replace("⏎", line_end).replace("␤", "\r\n") for value in record] for record in records]
        header = ",".join(f"column {number}" for number in range(len(records[0]) if records else 1))
        _, rows, codes = read(f"{header}\n{text}".encode(), exact)
        if name in DEVIATIONS:
            assert codes == [DEVIATIONS[name]], name
        else:
            assert (rows, codes) == ([record for record in records if record != [""] or '""' in text], []), name
