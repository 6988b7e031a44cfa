"""Well-formed files of every format, to be damaged, and the signs that mean something in them."""

import gzip
import io
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from backports import zstd
from waybill_contracts import Column, Declaration, Format

TYPES = {
    "id": "integer",
    "name": "text",
    "amount": "decimal(12,2)",
    "ratio": "float",
    "paid": "boolean",
    "day": "date",
    "at": "timestamp",
    "more": "text",
}
Row = dict[str, Any]


@cache
def declaration(declared: Format = Format()) -> Declaration:  # noqa: B008
    """Of all seed files, read as this says."""
    columns = {name: Column(type=kind, optional=name != "id") for name, kind in TYPES.items()}
    return Declaration(organisation="acme", table="fuzz", columns=columns, mode="append", format=declared)


def rows(seed: int, count: int) -> list[Row]:
    """Values of all types."""
    rng = Random(seed)
    texts = ["plain", "", "a,b;c\td|e", 'a "b" c', "two\nlines", "Zürich 東京 🚚", "'q'", "back\\slash", "\r\n", "=1+1"]
    return [
        {
            "id": number,
            "name": rng.choice([*texts, None, "x" * rng.randint(0, 300)]),
            "amount": Decimal(rng.randrange(10**10)).scaleb(-2),
            "ratio": rng.choice([0.1, -2.5e300, 1e-7, 3.0, None]),
            "paid": rng.choice([True, False, None]),
            "day": date.fromordinal(rng.randint(1, 3_652_059)),
            "at": datetime(2026, 1, 1, tzinfo=UTC).replace(minute=rng.randrange(60), microsecond=123_000),
            "more": rng.choice(texts),
        }
        for number in range(count)
    ]


def text_of(value: Any) -> str:
    """As our types are written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def csv_file(data: list[Row], delimiter: str = ",", quote: str = '"', line_end: str = "\n") -> bytes:
    """A CSV file of some dialect."""

    def written(value: Any) -> str:
        text = "" if value is None else text_of(value)
        is_plain = not any(sign in text for sign in (delimiter, quote, "\r", "\n")) and text
        return text if is_plain or value is None else f"{quote}{text.replace(quote, quote * 2)}{quote}"

    lines = [delimiter.join(TYPES), *(delimiter.join(map(written, row.values())) for row in data)]
    return "".join(line + line_end for line in lines).encode()


def json_rows(data: list[Row]) -> list[str]:
    """Each row as an object; amounts as numbers and as texts."""
    objects = [
        {name: v if isinstance(v, int | float | None) else text_of(v) for name, v in row.items()} for row in data
    ]
    for number, row in enumerate(objects[::3]):
        row["more"] = [{"deep": [1.5, None, {"é": "\U0001f69a"}]}, {}, [], number]
    return [json.dumps(row, ensure_ascii=bool(number % 2)) for number, row in enumerate(objects)]


def parquet_file(data: list[Row], seed: int) -> bytes:
    """Columns of many types, in several row groups and compressions."""
    rng = Random(seed)
    table = pa.Table.from_pylist(data)
    if seed % 2:
        nested = [[{"a": row["id"], "b": [row["name"]]}] for row in data]
        table = table.append_column("nested", pa.array(nested))
        table = table.append_column("kind", pa.array([row["more"] for row in data]).dictionary_encode())
    sink = io.BytesIO()
    how = rng.choice(["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
    pq.write_table(
        table,
        sink,
        compression=how,
        row_group_size=rng.choice([5, 100]),
        version=rng.choice(["1.0", "2.6"]),
        data_page_version=rng.choice(["1.0", "2.0"]),
        write_page_checksum=rng.random() < 0.3,
    )
    return sink.getvalue()


def zip_file(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, method)
    return sink.getvalue()


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook_parts(data: list[Row]) -> dict[str, bytes]:
    """What a small workbook consists of: texts shared and in place, numbers, booleans, dates, errors, formulas."""
    cells = [_cells(row, number) for number, row in enumerate(data, 2)]
    names = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in TYPES)
    sheet = f'<worksheet xmlns="{MAIN}"><dimension ref="A1:H{len(data) + 1}"/><sheetData><row r="1">{names}</row>'
    sheet += "".join(cells) + '</sheetData><mergeCells count="1"><mergeCell ref="B2:C2"/></mergeCells></worksheet>'
    shared = "".join(f'<si><t xml:space="preserve">{text}</t></si>' for text in ("plain", "", "two\nlines", "Zürich"))
    overrides = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{SHEET_TYPE}.{kind}+xml"/>'
        for part, kind in (
            ("workbook", "sheet.main"),
            ("worksheets/sheet1", "worksheet"),
            ("sharedStrings", "sharedStrings"),
            ("styles", "styles"),
        )
    )
    relations = "".join(
        f'<Relationship Id="r{number}" Type="{RELATED}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(
            (("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml"))
        )
    )
    texts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" '
        f'Type="{RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="r0"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{relations}</Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}" count="4" uniqueCount="4">{shared}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="3"><xf numFmtId="0"/>'
        '<xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": sheet,
    }
    return {name: f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode() for name, text in texts.items()}


def _cells(row: Row, number: int) -> str:
    shared, error = row["id"] % 4, "<c t='e'><v>#DIV/0!</v></c>" if row["id"] % 7 == 6 else "<c/>"
    day, moment = (row["day"] - date(1899, 12, 30)).days % 50_000 + 61, row["at"].minute / 1440 + 46_023
    return (
        f'<row r="{number}"><c r="A{number}"><v>{row["id"]}</v></c><c r="B{number}" t="s"><v>{shared}</v></c>'
        f"<c><v>{row['amount']}</v></c><c><f>1/3</f><v>{row['ratio'] or 0}</v></c>"
        f'<c t="b"><v>{int(bool(row["paid"]))}</v></c><c s="1"><v>{day}</v></c><c s="2"><v>{moment}</v></c>'
        f"{error}</row>"
    )


def gzip_file(content: bytes) -> bytes:
    """Packed, always into the same bytes."""
    return gzip.compress(content, mtime=0)


def zstd_file(content: bytes) -> bytes:
    """Packed with a checksum."""
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})
