"""One fault for a clean file: an edit of its bytes, at a place of a named kind."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .tables import Clean, Row

ROWS = ("header", "first", "middle", "last")
FIELDS = ("first", "middle", "last")


@dataclass(frozen=True)
class Edit:
    """The bytes from `start` to `end` of a file are `inserted` instead."""

    start: int
    end: int
    inserted: bytes = b""

    def of(self, content: bytes) -> bytes:
        """The file with the fault in it."""
        return content[: self.start] + self.inserted + content[self.end :]


@dataclass(frozen=True)
class Place:
    """A field of a clean file."""

    clean: Clean
    row: Row
    column: int

    @property
    def start(self) -> int:
        return self.row.fields[self.column][0]

    @property
    def end(self) -> int:
        return self.row.fields[self.column][1]

    @property
    def text(self) -> bytes:
        return self.clean.content[self.start : self.end]

    @property
    def row_text_end(self) -> int:
        """Where the row's line end stands."""
        return self.row.fields[-1][1]

    @property
    def is_quoted(self) -> bool:
        quote = self.clean.dialect.quote.encode()
        return bool(quote) and self.text.startswith(quote)

    def offset(self, rng: Random) -> int:
        """A place in the field or at one of its ends."""
        return rng.choice([self.start, self.end, rng.randint(self.start, self.end)])


Planter = Callable[[Place, Random], Edit | None]


def places(clean: Clean, where: str, which: str, *, is_quoted: bool) -> Place:
    """A field at this place, quoted or not where one is; else the nearest that there is."""
    count = len(clean.rows)
    at = {"header": 0, "first": 1, "middle": count // 2, "last": count - 1}[where]
    column = {"first": 0, "middle": len(clean.types) // 2, "last": len(clean.types) - 1}[which]
    near = sorted(range(1, count), key=lambda number: abs(number - at))[:30] if at else [0]
    found = [Place(clean, clean.rows[number], column) for number in near]
    return next((place for place in found if place.is_quoted == is_quoted), found[0])


def _insert(content: bytes) -> Planter:
    return lambda place, rng: Edit(at := place.offset(rng), at, content)


def _insert_own(what: str) -> Planter:
    def plant(place: Place, rng: Random) -> Edit | None:
        content = str(getattr(place.clean.dialect, what)).encode()
        at = place.offset(rng)
        return Edit(at, at, content) if content else None

    return plant


def _positions(place: Place, sign: str) -> list[int]:
    return [place.start + at for at, byte in enumerate(place.text) if bytes([byte]) == sign.encode()]


def delete_quote(place: Place, rng: Random) -> Edit | None:
    if not place.is_quoted:
        return None
    at = rng.choice([place.start, place.end - 1, *_positions(place, place.clean.dialect.quote)])
    return Edit(at, at + 1)


def double_quote(place: Place, rng: Random) -> Edit | None:
    if not place.is_quoted:
        return None
    at = rng.choice([place.start, place.end - 1, *_positions(place, place.clean.dialect.quote)])
    return Edit(at, at, place.clean.dialect.quote.encode())


def delete_delimiter(place: Place, rng: Random) -> Edit | None:
    if len(place.row.fields) < 2:
        return None
    at = place.end if place.column < len(place.row.fields) - 1 else place.start - 1
    return Edit(at, at + 1)


def double_delimiter(place: Place, rng: Random) -> Edit | None:
    return Edit(place.end, place.end, place.clean.dialect.delimiter.encode())


def delete_line_end(place: Place, rng: Random) -> Edit | None:
    return Edit(place.row_text_end, place.row.end) if place.row_text_end < place.row.end else None


def halve_line_end(place: Place, rng: Random) -> Edit | None:
    if place.row.end - place.row_text_end != 2:
        return None
    at = place.row_text_end + rng.randrange(2)
    return Edit(at, at + 1)


def double_line_end(place: Place, rng: Random) -> Edit | None:
    return Edit(place.row.end, place.row.end, place.clean.dialect.line_end.encode())


def mix_line_end(place: Place, rng: Random) -> Edit | None:
    if place.row_text_end == place.row.end:
        return None
    others = [end for end in (b"\n", b"\r\n", b"\r", b"\n\r") if end != place.clean.dialect.line_end.encode()]
    return Edit(place.row_text_end, place.row.end, rng.choice(others))


def swap_bytes(place: Place, rng: Random) -> Edit | None:
    at = rng.choice([max(place.start - 1, 0), place.start, place.end - 1, rng.randint(place.start, place.end)])
    pair = place.clean.content[at : at + 2]
    return Edit(at, at + 2, pair[::-1]) if len(set(pair)) == 2 else None


def truncate(place: Place, rng: Random) -> Edit | None:
    at = rng.choice([place.offset(rng), place.row.end - 1, place.row.end])
    return Edit(at, len(place.clean.content)) if at < len(place.clean.content) else None


def replace_byte(place: Place, rng: Random) -> Edit | None:
    at = rng.randint(place.start, place.end)
    return Edit(at, at + 1, bytes([rng.randrange(256)])) if at < len(place.clean.content) else None


def delete_byte(place: Place, rng: Random) -> Edit | None:
    at = rng.randint(place.start, place.end)
    return Edit(at, at + 1) if at < len(place.clean.content) else None


def zero_bytes(place: Place, rng: Random) -> Edit | None:
    """A hole as discs leave them."""
    at, size = place.offset(rng), rng.randint(2, 40)
    size = min(size, len(place.clean.content) - at)
    return Edit(at, at + size, bytes(size)) if size else None


def delete_bytes(place: Place, rng: Random) -> Edit | None:
    at, size = place.offset(rng), rng.randint(2, 40)
    return Edit(at, at + size) if at + size < len(place.clean.content) else None


def delete_escape(place: Place, rng: Random) -> Edit | None:
    """The first of two characters that stand for one."""
    dialect = place.clean.dialect
    first = (dialect.escape or dialect.quote).encode()
    inner = place.text[1:-1] if place.is_quoted else b""
    if first not in inner:
        return None
    # Escaped characters stand in pairs, so the first is the beginning of one.
    at = place.start + 1 + inner.index(first)
    return Edit(at, at + 1)


def cut_character(place: Place, rng: Random) -> Edit | None:
    """A character of several bytes loses its last one."""
    ends = [at for at in range(place.start + 1, place.end) if place.clean.content[at] >= 0x80]
    at = rng.choice(ends) if ends else 0
    return Edit(at, at + 1) if at else None


def add_field(place: Place, rng: Random) -> Edit | None:
    text = rng.choice(["x", "", f"{place.clean.dialect.quote}x{place.clean.dialect.quote}"])
    return Edit(place.end, place.end, f"{place.clean.dialect.delimiter}{text}".encode())


def drop_field(place: Place, rng: Random) -> Edit | None:
    if len(place.row.fields) < 2:
        return None
    if place.column:
        return Edit(place.row.fields[place.column - 1][1], place.end)
    return Edit(place.start, place.row.fields[1][0])


def text_after_quote(place: Place, rng: Random) -> Edit | None:
    return Edit(place.end, place.end, rng.choice([b"x", b" ", b"\t", b"ab"])) if place.is_quoted else None


def text_before_quote(place: Place, rng: Random) -> Edit | None:
    return Edit(place.start, place.start, rng.choice([b"x", b" ", b"\xc2\xa0"])) if place.is_quoted else None


def double_header(place: Place, rng: Random) -> Edit | None:
    others = [span for number, span in enumerate(place.clean.header.fields) if number != place.column]
    if place.row is not place.clean.header or not others:
        return None
    start, end = rng.choice(others)
    return Edit(place.start, place.end, place.clean.content[start:end])


def empty_header(place: Place, rng: Random) -> Edit | None:
    return Edit(place.start, place.end) if place.row is place.clean.header else None


PLANTERS: dict[str, Planter] = {
    "a quote is deleted": delete_quote,
    "a quote is inserted": _insert_own("quote"),
    "a quote is doubled": double_quote,
    "a delimiter is deleted": delete_delimiter,
    "a delimiter is inserted": _insert_own("delimiter"),
    "a delimiter is doubled": double_delimiter,
    "a line end is deleted": delete_line_end,
    "a line end is inserted": _insert_own("line_end"),
    "a line end is doubled": double_line_end,
    "a line end is cut in half": halve_line_end,
    "a line end is another": mix_line_end,
    "two bytes are swapped": swap_bytes,
    "the end is cut off": truncate,
    "a byte is another": replace_byte,
    "a byte is deleted": delete_byte,
    "a NUL is inserted": _insert(b"\0"),
    "a run of bytes is zero": zero_bytes,
    "a run of bytes is deleted": delete_bytes,
    "a byte of no text is inserted": _insert(b"\xff"),
    "a surrogate is inserted": _insert(b"\xed\xa0\x80"),
    "an overlong character is inserted": _insert(b"\xc0\xaf"),
    "a character is cut": cut_character,
    "a bare CR is inserted": _insert(b"\r"),
    "a bare LF is inserted": _insert(b"\n"),
    "a byte-order mark is inserted": _insert(b"\xef\xbb\xbf"),
    "an escape is deleted": delete_escape,
    "an escape is inserted": _insert_own("escape"),
    "a field is added": add_field,
    "a field is dropped": drop_field,
    "text follows a closing quote": text_after_quote,
    "text stands before a quote": text_before_quote,
    "a column appears twice": double_header,
    "a column has no name": empty_header,
}
