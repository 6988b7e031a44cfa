"""Made-up deliveries: what datasets may mean, what their files may hold, and when services die meanwhile."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from installation import SERVICES
from meaning import Meaning
from oracle_files import File

COLUMNS = {
    "id": ("integer", True),
    "name": ("text", False),
    "amount": ("decimal(8,2)", False),
    "region": ("text", True),
    "seen": ("date", True),
}
BY_NAME = r"_(\d+)\."
NOBODY = "00000000-0000-7000-8000-000000000000"
TOLERANT = {"min_rows": 3, "max_reject_share": 0.4, "max_delete_share": 0.5}
"""Shares that small tables go above at times."""


def meaning(**more: object) -> Meaning:
    key = () if more.get("mode") == "append" else ("id",)
    return Meaning(key, COLUMNS, **{**TOLERANT, "object_removed": "delete", **more})  # type: ignore[arg-type]


MEANINGS = {
    "upsert": meaning(duplicates="last"),
    "upsert by name": meaning(order_name=BY_NAME, other_columns="ignore"),
    "upsert by name, late ones wait": meaning(order_name=BY_NAME, late="hold", duplicates="first"),
    "upsert by column": meaning(order_column="seen"),
    "upsert, columns accepted": meaning(other_columns="accept"),
    "append": meaning(mode="append"),
    "append content": meaning(mode="append", deduplicate=True, other_columns="reject", object_removed="keep"),
    "snapshot": meaning(mode="snapshot"),
    "snapshot by name, late ones wait": meaning(mode="snapshot", order_name=BY_NAME, late="hold"),
    "snapshot by name": meaning(mode="snapshot", order_name=BY_NAME),
    "snapshot of regions": meaning(mode="snapshot", partition_column="region", order_name=BY_NAME, late="apply"),
    "snapshot of folders": meaning(mode="snapshot", partition_path=True),
    "deliveries": meaning(in_parts=True, other_columns="accept"),
    "deliveries, snapshot of folders by name": meaning(
        in_parts=True, mode="snapshot", partition_path=True, order_name=BY_NAME, late="apply"
    ),
    "deliveries appended": meaning(in_parts=True, mode="append"),
}


@dataclass(frozen=True)
class Drop:
    """A file to be dropped, named so that its name says its folder and its order."""

    folder: str
    order: int
    content: bytes
    times: int = 1
    more: Sequence[bytes] = ()
    """What else is delivered with it, where files are delivered together."""

    def name(self, number: int) -> str:
        return f"{self.folder}/file {number:02}_{self.order}.csv"

    def marker(self, number: int) -> str:
        return f"{self.folder}/{number:02}/_{self.order}.done"

    def parts(self, number: int) -> dict[str, bytes]:
        names = [f"{self.folder}/{number:02}/{name}.csv" for name in "büB"]
        return dict(zip(names, [self.content, *self.more], strict=False))


@dataclass(frozen=True)
class Correction:
    """Rows for one of the newest files that are known: of those that took effect, or of all; or for nobody's file."""

    of: str
    back: int
    content: bytes
    is_corrected: bool
    """The same rows are sent once more, with other content."""

    @property
    def contents(self) -> list[bytes]:
        return [self.content, self.content.replace(b",a,", b",z,")] if self.is_corrected else [self.content]

    def name(self, number: int, known: Sequence[File]) -> str:
        # Rows for the end of a file: nobody has decided yet what they mean.
        files = [each.file_id for each in known if not each.removes and (self.of == "any" or each.state == "LOADED")]
        file_id = files[-1 - self.back % len(files)] if files and self.of != "nobody" else NOBODY
        return f"_corrections/{file_id}/file {number:02}.csv"


@dataclass(frozen=True)
class Removal:
    """The object of one of the newest files is removed; of which, as corrections have it."""

    of: str
    back: int

    def name(self, known: Sequence[File], removed: Collection[str]) -> str | None:
        names = [each.name for each in known if not each.removes and (self.of == "any" or each.state == "LOADED")]
        there = [name for name in names if name not in removed]
        return there[-1 - self.back % len(there)] if there else None


@dataclass(frozen=True)
class Round:
    """Files dropped one after the other, what is decided once all is quiet, and which service dies meanwhile."""

    drops: list[Drop | Correction | Removal]
    killed_at_drops: str | None
    decisions: list[str]
    killed_at_decisions: str | None


LINES = st.tuples(
    st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "x", ""]),
    st.sampled_from(["a", "b", "", "ü|\\", '"a,\nb"']),
    st.sampled_from(["1", "1.00", "-2.5", "", "much"]),
    st.sampled_from(["north", "south"]),
    st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03", "2026-02-30"]),
)
GOOD_LINES = st.tuples(
    st.sampled_from(["1", "2", "3", "4", "5", "6", "7"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["1", "2.50"]),
    st.sampled_from(["north", "south"]),
    st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03"]),
)
GOOD_TABLES = st.lists(GOOD_LINES, min_size=3, max_size=8, unique_by=lambda line: line[0])
TABLES = st.one_of(GOOD_TABLES, GOOD_TABLES, st.lists(st.one_of(GOOD_LINES, LINES), max_size=8), st.lists(LINES))
HEADER = tuple(COLUMNS)
SHAPES = st.sampled_from(["as declared"] * 12 + ["added", "missing", "renamed", "short line", "empty", "broken"])


def content_of(shape: str, table: list[tuple[str, ...]], lines: list[int] | None = None) -> bytes:
    """The table as a file, as declared or in one of the ways in which files are not.

    With line numbers it is a file of rejects that comes back.
    """
    header, rows = list(HEADER), [list(row) for row in table]
    if shape == "added" and rows:
        header = [*header, "colour"]
        rows = [[*row, "red"] for row in rows]
    elif shape == "missing":
        header, rows = [*header[:2], *header[3:]], [[*row[:2], *row[3:]] for row in rows]
    elif shape == "renamed":
        header[1] = "title"
    if lines:
        header = ["waybill_line", "waybill_codes", *header]
        rows = [[str(lines[place % len(lines)] + place), "", *row] for place, row in enumerate(rows)]
    if shape == "short line":
        rows = [*rows, ["1", "a"]]
    text = "".join(",".join(row) + "\n" for row in [header, *rows])
    return {"empty": b"", "broken": text.encode() + b'8,"'}.get(shape, text.encode())


CONTENTS = st.builds(content_of, SHAPES, TABLES)
# Of the files of one delivery only one has other columns or cannot be read: which is found first is not promised.
OTHER_CONTENTS = st.builds(content_of, st.sampled_from(["as declared"] * 6 + ["short line"]), TABLES)
DROPS = st.builds(
    Drop,
    st.sampled_from(["east", "west"]),
    st.integers(1, 12),
    CONTENTS,
    st.sampled_from([1, 1, 1, 1, 2]),
    st.lists(OTHER_CONTENTS, max_size=2),
)
MENDED_LINES = GOOD_LINES.map(lambda line: (line[0], f"'={line[1]}" if line[0] == "3" else line[1], *line[2:]))
MENDED_TABLES = st.one_of(st.lists(MENDED_LINES, min_size=1, max_size=3), TABLES)
CORRECTIONS = st.builds(
    Correction,
    st.sampled_from(["loaded"] * 8 + ["any", "nobody"]),
    st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
    st.builds(content_of, SHAPES, MENDED_TABLES, st.lists(st.integers(2, 8), max_size=3)),
    st.booleans(),
)
REMOVALS = st.builds(Removal, st.sampled_from(["loaded", "loaded", "any"]), st.integers(0, 4))
DECISIONS = st.lists(st.sampled_from(["release", "release", "map", "accept", "refuse"]), min_size=6, max_size=6)
DEATHS = st.sampled_from([None, *SERVICES])
ANY = st.lists(st.one_of(DROPS, DROPS, DROPS, CORRECTIONS, REMOVALS), min_size=4, max_size=5)
# A correction that comes first is of the newest file, be it a snapshot.
DONE = st.builds(lambda first, then: first + then, st.lists(CORRECTIONS, max_size=1), ANY)
ROUNDS = st.builds(Round, DONE, DEATHS, DECISIONS, DEATHS)
STORIES = st.lists(ROUNDS, min_size=3, max_size=3)
"""12 to 30 files, mostly; each of 12 datasets gets them all."""
