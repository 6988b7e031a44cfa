"""Files that hold no table are refused by their name, and what only looks like one of them is read."""

import io

import pytest
from records.errors import FileFault
from records.recognise.recognition import recognise
from waybill_contracts import Declaration
from waybill_contracts.format import Format

BARE = Declaration.model_validate({"organisation": "acme", "table": "orders", "columns": {}})
DECLARED = Declaration.model_validate(
    {"organisation": "acme", "table": "orders", "columns": {"id": {"type": "integer"}, "name": {}}}
)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "a PDF document"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n", "a web page"),
        (b'<?xml version="1.0"?>\n<orders><order id="1"/></orders>\n', "an XML document"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture"),
        (b"SQLite format 3\0\x10\0", "a database"),
    ],
)
@pytest.mark.parametrize("declaration", [BARE, DECLARED])
def test_what_holds_no_table_is_refused_by_its_name_unless_it_is_declared_to_be_one(data, kind, declaration):
    with pytest.raises(FileFault, match=f"the file is {kind}.*: send the table itself"):
        recognise(io.BytesIO(data), declaration, "orders.csv")
    named = declaration.model_copy(update={"format": Format(type="csv")})
    assert recognise(io.BytesIO(data), named, "orders.csv").format.type == "csv"


@pytest.mark.parametrize("data", [b"<html,id\n1,2\n2,3\n", b"%PDF,id\na,1\n", b"GIF,PNG\n1,2\n"])
def test_names_that_look_like_the_beginning_of_a_document_are_names(data):
    assert recognise(io.BytesIO(data), BARE, "orders.csv").format.delimiter == ","
