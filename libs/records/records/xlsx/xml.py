"""The XML of a workbook's parts, read as it streams, without anything that grows unless somebody keeps it."""

from collections.abc import Iterator
from typing import BinaryIO, NoReturn, Protocol
from xml.parsers import expat

from records.errors import FileFault

CHUNK_BYTES = 1 << 16
MAX_DEPTH = 64
MAX_TOKEN_BYTES = 1 << 20
"""Of a tag with its attributes: the parser keeps it whole, and looks at it again with each chunk."""

Attributes = dict[str, str]


class Elements(Protocol):
    """What becomes of the elements of a part; names come without their namespace."""

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """It ends."""

    def text(self, text: str) -> None:
        """A piece of what stands between the tags."""


def bad_workbook(text: str) -> NoReturn:
    """The file cannot be read as a workbook."""
    raise FileFault("bad_excel", f"the workbook is damaged: {text}: save it anew as .xlsx, or as CSV")


def walk(part: str, content: BinaryIO, elements: Elements) -> Iterator[None]:
    """Tell of all elements of a part, chunk by chunk; FileFault where it is no XML that a workbook may hold."""
    parser = _parser(part, elements)
    fed = 0
    try:
        while chunk := content.read(CHUNK_BYTES):
            parser.Parse(chunk)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > MAX_TOKEN_BYTES + CHUNK_BYTES:
                bad_workbook(f"a tag in {part} has more than {MAX_TOKEN_BYTES} bytes")
            yield
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        bad_workbook(f"{part} is no XML ({error})")
    yield


def _parser(part: str, elements: Elements) -> expat.XMLParserType:
    names: dict[str, str] = {}
    depth = 0

    def start(tag: str, attributes: Attributes) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            bad_workbook(f"elements of {part} are nested in each other, more than {MAX_DEPTH} deep")
        if tag not in names:
            if len(names) > 10_000:
                bad_workbook(f"{part} has more kinds of elements than there are")
            names[tag] = tag.rpartition(":")[2]
        elements.start(names[tag], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        elements.end(names[tag])

    def doctype(*_: object) -> None:
        bad_workbook(f"{part} declares a document type, which no workbook has")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = elements.text
    parser.StartDoctypeDeclHandler = doctype
    return parser


def attribute(attributes: Attributes, name: str) -> str | None:
    """An attribute by its name without its namespace."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), None)


def number(text: str | None, what: str) -> int:
    """A count or place as XML writes it."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 10:
        bad_workbook(f"{what} is {text!r:.40}, expected a number")
    return int(text)
