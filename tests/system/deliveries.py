"""Made-up deliveries: what datasets may mean, what their files may hold, and when services die meanwhile."""

from dataclasses import dataclass

from hypothesis import strategies as st
from installation import SERVICES
from meaning import Meaning

COLUMNS = {
    "id": ("integer", True),
    "name": ("text", False),
    "amount": ("decimal(8,2)", False),
    "region": ("text", True),
    "seen": ("date", True),
}
BY_NAME = r"_(\d+)\."
TOLERANT = {"min_rows": 3, "max_reject_share": 0.4, "max_delete_share": 0.5}
"""Shares that small tables go above at times."""


def meaning(**more: object) -> Meaning:
    key = () if more.get("mode") == "append" else ("id",)
    return Meaning(key, COLUMNS, **{**TOLERANT, **more})  # type: ignore[arg-type]


MEANINGS = {
    "upsert": meaning(duplicates="last"),
    "upsert by name": meaning(order_name=BY_NAME, other_columns="ignore"),
    "upsert by name, late ones wait": meaning(order_name=BY_NAME, late="hold", duplicates="first"),
    "upsert by column": meaning(order_column="seen"),
    "upsert, columns accepted": meaning(other_columns="accept"),
    "append": meaning(mode="append"),
    "append content": meaning(mode="append", deduplicate=True, other_columns="reject"),
    "snapshot": meaning(mode="snapshot"),
    "snapshot by name, late ones wait": meaning(mode="snapshot", order_name=BY_NAME, late="hold"),
    "snapshot by name": meaning(mode="snapshot", order_name=BY_NAME),
    "snapshot of regions": meaning(mode="snapshot", partition_column="region", order_name=BY_NAME, late="apply"),
    "snapshot of folders": meaning(mode="snapshot", partition_path=True),
}


@dataclass(frozen=True)
class Drop:
    """A file to be dropped, named so that its name says its folder and its order."""

    folder: str
    order: int
    content: bytes
    times: int = 1

    def name(self, number: int) -> str:
        return f"{self.folder}/file {number:02}_{self.order}.csv"


@dataclass(frozen=True)
class Round:
    """Files dropped one after the other, what is decided once all is quiet, and which service dies meanwhile."""

    drops: list[Drop]
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


def content_of(shape: str, table: list[tuple[str, ...]]) -> bytes:
    """The table as a file, as declared or in one of the ways in which files are not."""
    header, lines = list(HEADER), [list(line) for line in table]
    if shape == "added" and lines:
        header = [*header, "colour"]
        lines = [[*line, "red"] for line in lines]
    elif shape == "missing":
        header, lines = [*header[:2], *header[3:]], [[*line[:2], *line[3:]] for line in lines]
    elif shape == "renamed":
        header[1] = "title"
    elif shape == "short line":
        lines = [*lines, ["1", "a"]]
    text = "".join(",".join(line) + "\n" for line in [header, *lines])
    return {"empty": b"", "broken": text.encode() + b'8,"'}.get(shape, text.encode())


CONTENTS = st.builds(content_of, SHAPES, TABLES)
DROPS = st.builds(
    Drop, st.sampled_from(["east", "west"]), st.integers(1, 12), CONTENTS, st.sampled_from([1, 1, 1, 1, 2])
)
DECISIONS = st.lists(st.sampled_from(["release", "release", "map", "accept", "refuse"]), min_size=6, max_size=6)
DEATHS = st.sampled_from([None, *SERVICES])
ROUNDS = st.builds(Round, st.lists(DROPS, min_size=4, max_size=7), DEATHS, DECISIONS, DEATHS)
STORIES = st.lists(ROUNDS, min_size=3, max_size=4)
"""12 to 30 files, mostly."""
