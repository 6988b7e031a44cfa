"""A workbook's parts: the sheet that is read, the texts that its cells share, and how its numbers are shown."""

import posixpath
from array import array
from dataclasses import dataclass
from typing import BinaryIO

from records.archives import Archive, open_entry, read_archive
from records.contents import OLD_WORKBOOK
from records.errors import FileFault
from records.packing import Caps
from records.xlsx.formats import Shown, shown_as
from records.xlsx.text import unescaped
from records.xlsx.xml import Attributes, Elements, attribute, bad_workbook, number, walk

CAPS = Caps(total_bytes=200 << 20, bytes_at_any_ratio=200 << 20, entries=10_000, directory_bytes=4 << 20)
"""A workbook is not made for more: its shared texts are in memory while it is read."""
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
LOOKED_AT_BYTES = 1 << 20
ROOT = ""


class SharedTexts:
    """Texts by their numbers, as bytes one behind the other: as objects, millions of them would take gigabytes."""

    def __init__(self) -> None:
        self._texts = bytearray()
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, text: str) -> None:
        """The next one."""
        self._texts += text.encode(errors="surrogatepass")
        self._ends.append(len(self._texts))

    def __getitem__(self, place: int) -> str:
        return self._texts[self._ends[place] : self._ends[place + 1]].decode(errors="surrogatepass")


@dataclass(frozen=True)
class Workbook:
    """What is needed to read one of its sheets."""

    sheet: str
    content: BinaryIO
    texts: SharedTexts
    styles: list[Shown]
    is_1904: bool
    """Days are counted from 1904."""


def open_workbook(source: BinaryIO, sheet: str | None) -> Workbook:
    """The workbook, all of it read but the sheet; FileFault where it is none, or too large."""
    parts = _Parts(source)
    (path,) = parts.related(ROOT, "officeDocument")[:1] or ("xl/workbook.xml",)
    if not path.endswith(".xml"):
        raise FileFault("bad_excel", "the workbook is in the binary form (.xlsb): save it as .xlsx, or as CSV")
    book = _Book()
    parts.read(path, book)
    name, target = _chosen(book, parts.targets(path), sheet)
    texts, styles = _Texts(), _Styles()
    for kind, elements in (("sharedStrings", texts), ("styles", styles)):
        for part in parts.related(path, kind)[:1]:
            parts.read(part, elements)
    return Workbook(name, parts.open(target), texts.found, styles.shown, book.is_1904)


class _Parts:
    """The parts of the package by name."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        _require_workbook(source)
        archive = self._archive(source)
        self._entries = {entry.name.casefold(): entry for entry in archive.entries}

    @staticmethod
    def _archive(source: BinaryIO) -> Archive:
        try:
            return read_archive(source, CAPS)
        except FileFault as fault:
            if fault.code != "too_much_unpacked":
                raise
            text = f"the workbook has more than {CAPS.total_bytes >> 20} MB when it is unpacked: save it as CSV"
            raise FileFault("too_much_unpacked", text) from fault

    def open(self, name: str) -> BinaryIO:
        """The content of a part, unpacked while it is read."""
        entry = self._entries.get(name.casefold())
        if entry is None:
            bad_workbook(f"it has no part {name!r:.200}")
        return open_entry(self._source, entry, CAPS)

    def read(self, name: str, elements: Elements) -> None:
        """Tell of all elements of a part."""
        for _ in walk(name, self.open(name), elements):
            pass

    def targets(self, name: str) -> dict[str, tuple[str, str]]:
        """By id the kind and the name of each part that a part refers to."""
        folder, base = posixpath.split(name)
        part = posixpath.join(folder, "_rels", f"{base}.rels")
        if part.casefold() not in self._entries:
            return {}
        found = _Relations(folder)
        self.read(part, found)
        return found.targets

    def related(self, name: str, kind: str) -> list[str]:
        """The names of all parts of this kind that a part refers to."""
        return [target for each, target in self.targets(name).values() if each == kind]


def _require_workbook(source: BinaryIO) -> None:
    source.seek(0)
    beginning = source.read(LOOKED_AT_BYTES)
    source.seek(0)
    if not beginning.startswith(OLD_WORKBOOK):
        if beginning.startswith(b"PK"):
            return
        raise FileFault("bad_excel", "the file is no workbook of Excel: save it as .xlsx, or declare its format")
    if ENCRYPTED_PACKAGE in beginning:
        raise FileFault("encrypted_file", "the workbook has a password: save it as .xlsx without one, or as CSV")
    raise FileFault("old_excel", "the file is a workbook of Excel before 2007 (.xls): save it as .xlsx, or as CSV")


def _chosen(book: "_Book", targets: dict[str, tuple[str, str]], wanted: str | None) -> tuple[str, str]:
    """Name and part of the sheet: the one of this name, or the first that people see."""
    sheets = {
        name: (targets[key][1], is_hidden)
        for name, key, is_hidden in book.sheets
        if key in targets and targets[key][0] == "worksheet"
    }
    if not sheets:
        bad_workbook("it has no sheet with cells")
    if wanted is None:
        first = next((name for name, (_, is_hidden) in sheets.items() if not is_hidden), next(iter(sheets)))
        return first, sheets[first][0]
    for name, (target, _) in sheets.items():
        if name.casefold() == wanted.casefold():
            return name, target
    there = ", ".join(list(sheets)[:20])
    raise FileFault("unknown_sheet", f"the workbook has no sheet {wanted!r}; it has: {there}")


class _Silent:
    """Elements of which nobody wants to know."""

    def start(self, name: str, attributes: Attributes) -> None:
        """Nothing."""

    def end(self, name: str) -> None:
        """Nothing."""

    def text(self, text: str) -> None:
        """Nothing."""


class _Relations(_Silent):
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.targets: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        """A part that is referred to."""
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            path = posixpath.normpath(posixpath.join("/", self._folder, attributes.get("Target", "")))
            self.targets[attributes.get("Id", "")] = (kind, path.lstrip("/"))


class _Book(_Silent):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.is_1904 = False

    def start(self, name: str, attributes: Attributes) -> None:
        """A sheet, or what is said of all."""
        if name == "sheet":
            is_hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((attributes.get("name", ""), attribute(attributes, "id") or "", is_hidden))
        elif name == "workbookPr":
            self.is_1904 = attributes.get("date1904", "0") in ("1", "true", "on")


class _Texts(_Silent):
    """Shared texts; how they are to be spoken (rPh) is no part of them."""

    def __init__(self) -> None:
        self.found = SharedTexts()
        self._pieces: list[str] = []
        self._is_text = False
        self._spoken = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """Where a text begins."""
        if name == "si":
            self._pieces = []
        elif name == "rPh":
            self._spoken += 1
        self._is_text = name == "t" and not self._spoken

    def end(self, name: str) -> None:
        """Where it ends."""
        self._is_text = False
        if name == "si":
            self.found.add(unescaped("".join(self._pieces)))
        elif name == "rPh":
            self._spoken -= 1

    def text(self, text: str) -> None:
        """A piece of it."""
        if self._is_text:
            self._pieces.append(text)


class _Styles(_Silent):
    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self._codes: dict[int, str] = {}
        self._is_cells = False

    def start(self, name: str, attributes: Attributes) -> None:
        """A format of numbers, or a style that uses one."""
        if name == "numFmt":
            self._codes[number(attributes.get("numFmtId"), "a number format")] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._is_cells = True
        elif name == "xf" and self._is_cells:
            self.shown.append(shown_as(number(attributes.get("numFmtId", "0"), "a number format"), self._codes))

    def end(self, name: str) -> None:
        """The end of the styles of cells."""
        if name == "cellXfs":
            self._is_cells = False
