"""What people are told of dates in other notations, microseconds, nested values and texts for null."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from waybill.main import app
from waybill.record import key_text

DECLARED = """organisation: acme
table: orders
key: [id]
format: {null_values: ["n/a"]}
columns:
  id: {type: integer}
  at: {type: timestamp, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
  exact: {type: "timestamp(6)"}
  doc: {type: json}
"""
SAMPLE = """id,at,exact,doc
1,31.07.2026 12:00,2026-01-02 03:04:05.678901,"{""b"":1.0,""a"":[]}"
2,n/a,n/a,null
3,29.03.2026 02:30,,
4,,,{}x
"""


def check(folder: Path, declared: str, sample: str = SAMPLE) -> tuple[int, str, str]:
    (folder / "orders.csv").write_text(sample)
    (folder / "orders.yaml").write_text(declared)
    words = ["dataset", "check", str(folder / "orders.yaml"), "--sample", str(folder / "orders.csv"), "--json"]
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_a_sample_is_told_with_canonical_values_and_the_reasons_of_its_rejects(tmp_path: Path) -> None:
    _, out, _ = check(tmp_path, DECLARED)
    found = json.loads(out)["sample"]
    assert found["typed"] == [
        {
            "line": 2,
            "values": {
                "id": "1",
                "at": "2026-07-31T10:00:00.000Z",
                "exact": "2026-01-02T03:04:05.678901Z",
                "doc": '{"a":[],"b":1}',
            },
        },
        {"line": 3, "values": {"id": "2", "at": None, "exact": None, "doc": "null"}},
    ]
    assert [reason for reject in found["rejects"] for reason in reject["reasons"]] == [
        'at: "29.03.2026 02:30" never was in Europe/Berlin, where clocks were put forward',
        'doc: expected json, found "{}x": text after the end of the value at byte 2',
    ]


@pytest.mark.parametrize(
    ("said", "instead", "problem"),
    [
        ("%d.%m.%Y", "%d.%m.%y", "orders.yaml:7: columns.at.format: expected %Y, found %y"),
        ("Europe/Berlin", "Europe/Nowhere", "columns.at.zone: expected the name of a time zone, as Europe/Berlin"),
        ("key: [id]", "key: [doc]", "expected no json in key, order_by or partition, found doc"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_with_line_and_field(
    tmp_path: Path, said: str, instead: str, problem: str
) -> None:
    code, out, complaint = check(tmp_path, DECLARED.replace(said, instead))
    assert code != 0
    assert problem in out + complaint


def test_a_key_of_microseconds_is_looked_up_as_it_is_stored() -> None:
    found = key_text("acme/ticks", {"exact": "timestamp(6)"}, ["2026-01-02 04:04:05.5+01:00"])
    assert found == "2026-01-02T03:04:05.500000Z"
