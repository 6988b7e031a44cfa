"""Workbooks written part by part, so that they can hold what no program writes."""

import io
from typing import BinaryIO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
CODES = ["yyyy-mm-dd", "h:mm:ss", "[h]:mm", "0.00", '"day" 0', "[$-409]d mmm yyyy;@", "mm:ss.0", "#,##0 [$kr]"]
FORMATS = {code: number for number, code in enumerate(CODES, 1)}
"""Styles by the code of their format; style 0 has none."""


def workbook(rows: str, texts: str = "", book: str = "", **parts: str | None) -> BinaryIO:
    """A workbook whose first sheet has these rows, as XML; parts are replaced, added, or left out where None."""
    made = usual_parts(f"<sheetData>{rows}</sheetData>", texts, book)
    named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in parts.items()}
    return packed({name: text for name, text in (made | named).items() if text is not None})


def packed(parts: dict[str, str]) -> BinaryIO:
    """These parts as one file."""
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    file.seek(0)
    return file


def usual_parts(sheet: str, texts: str = "", book: str = "") -> dict[str, str]:
    """What every workbook has; `book` stands before its list of sheets."""
    sheets = f"<sheets>{ORDERS}{OTHER}</sheets>" if "<sheets>" not in book else ""
    formats = "".join(
        f'<numFmt numFmtId="{160 + at}" formatCode="{escape(code, QUOTE)}"/>' for code, at in FORMATS.items()
    )
    styles = "".join(f'<xf numFmtId="{160 + at}"/>' for at in FORMATS.values())
    return {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}"/>',
        "_rels/.rels": relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{book}{sheets}</workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            {
                "rId1": ("worksheet", "worksheets/sheet1.xml"),
                "rId2": ("worksheet", "/xl/worksheets/sheet2.xml"),
                "rId3": ("sharedStrings", "sharedStrings.xml"),
                "rId4": ("styles", "styles.xml"),
            }
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}">{sheet}</worksheet>',
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{MAIN}">{SECOND}</worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts><cellStyleXfs><xf numFmtId="14"/>'
        f'</cellStyleXfs><cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
    }


ORDERS, OTHER = '<sheet name="Orders" sheetId="1" r:id="rId1"/>', '<sheet name="Other" sheetId="2" r:id="rId2"/>'
SECOND = '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>other</t></is></c></row></sheetData>'
QUOTE = {'"': "&quot;"}


def relations(targets: dict[str, tuple[str, str]]) -> str:
    each = (
        f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{name}"/>' for key, (kind, name) in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}">{"".join(each)}</Relationships>'


def row(number: int, *cells: str) -> str:
    """A row; its cells stand in the columns from A on."""
    placed = (cell.replace("<c", f'<c r="{chr(65 + at)}{number}"', 1) for at, cell in enumerate(cells) if cell)
    return f'<row r="{number}">{"".join(placed)}</row>'


def text(value: str) -> str:
    """A cell with a text of its own."""
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def number(value: str, code: str = "") -> str:
    """A cell with a number, shown by a format."""
    return f'<c s="{FORMATS.get(code, 0)}"><v>{value}</v></c>'


def typed(kind: str, value: str, formula: str = "") -> str:
    """A cell of a kind."""
    return f'<c t="{kind}">{f"<f>{formula}</f>" if formula else ""}<v>{value}</v></c>'
