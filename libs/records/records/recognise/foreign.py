"""Files that hold no table that could be read: documents, pictures, databases, told by how they begin."""

import re

from records.errors import FileFault

KINDS = {
    b"%PDF-": "a PDF document",
    b"{\\rtf": "a text document (RTF)",
    b"\x89PNG\r\n": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF87a": "a picture (GIF)",
    b"GIF89a": "a picture (GIF)",
    b"SQLite format 3\0": "a database (SQLite)",
    b"ARROW1\0\0": "an Arrow file",
    b"Obj\x01": "an Avro file",
}
MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:(!doctype html|html)|\?xml)[\s>]", re.IGNORECASE)


def require_table(head: bytes) -> None:
    """FileFault where the file is of a kind that nobody reads rows from."""
    kind = next((kind for mark, kind in KINDS.items() if head.startswith(mark)), None)
    if markup := MARKUP.match(head):
        kind = "a web page (HTML)" if markup[1] else "an XML document"
    if kind:
        text = f"the file is {kind}: send the table itself, as CSV, TSV, JSON Lines, JSON, Parquet or Excel (.xlsx)"
        raise FileFault("no_table", text)
