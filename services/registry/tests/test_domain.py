"""The registry's rules, without any server."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry.domain.arrivals import DatasetStanding, ObjectVersion, Place, in_order, number
from registry.domain.listing import Known, Page, presence_changes, unknown_versions
from registry.domain.routes import Routes
from waybill_contracts import OrderBy

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def version(key: str, second: float = 0, version_id: str = "v") -> ObjectVersion:
    return ObjectVersion("landing", key, version_id, 1, "etag", NOON + timedelta(seconds=second))


def test_new_versions_are_ordered_by_time_then_key() -> None:
    versions = [version("b", 1), version("a", 1), version("c", 0)]
    assert [each.key for each in in_order(versions)] == ["c", "a", "b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=12))
def test_versions_of_one_key_keep_the_order_of_the_listing(stamps: list[tuple[str, int]]) -> None:
    versions = [version(key, second, str(place)) for place, (key, second) in enumerate(stamps)]
    ordered = in_order(versions)
    for key in "abc":
        assert [each for each in ordered if each.key == key] == [each for each in versions if each.key == key]


def numbered(versions: Sequence[ObjectVersion], standings: dict[str, DatasetStanding]) -> list[Place]:
    return number(versions, Routes().route(versions), standings)


def test_arrivals_go_on_without_gaps_and_only_for_declared_datasets() -> None:
    standings = {"acme/orders": DatasetStanding(1, 7), "acme/new": DatasetStanding()}
    keys = ["acme/orders/a", "acme/new/a", "x", "acme/orders/b"]
    places = numbered([version(key) for key in keys], standings)
    assert [place.arrival for place in places] == [8, None, None, 9]
    assert [place.declaration_version for place in places] == [1, None, None, 1]
    assert [place.reason for place in places][1] == "no declaration"
    assert standings["acme/orders"].last_arrival == 9


def test_a_file_is_late_when_it_lies_more_than_a_minute_before_the_newest() -> None:
    standings = {"acme/orders": DatasetStanding(1)}
    seconds = [100, 40, 39.9, 200, 150]
    places = numbered([version(f"acme/orders/{second}", second) for second in seconds], standings)
    assert [place.late for place in places] == [False, False, True, False, False]


def test_where_names_give_the_order_a_file_is_late_by_its_name_alone() -> None:
    standings = {"acme/orders": DatasetStanding(1, order_by=OrderBy(file_name=r"day(\d+)"))}
    names = ["day9", "day10", "day9_again", "day10_again", "no day", "day11", "day09"]
    places = numbered([version(f"acme/orders/{name}", -100 * n) for n, name in enumerate(names)], standings)
    assert [place.late for place in places] == [False, False, True, False, False, False, True]
    assert [place.order for place in places] == ["0019", "00210", "0019", "00210", None, "00211", "0019"]
    assert standings["acme/orders"].newest_order == "00211"


def test_where_a_column_gives_the_order_no_file_is_late() -> None:
    standings = {"acme/orders": DatasetStanding(1, newest_order="x", order_by=OrderBy(column="changed_at"))}
    places = numbered([version(f"acme/orders/{second}", second) for second in (500, 0)], standings)
    assert [(place.late, place.order) for place in places] == [(False, None)] * 2


def known(key: str, presence: str = "present", version_id: str = "v") -> Known:
    return Known(uuid4(), key, version_id, presence)  # type: ignore[arg-type]


def page(*versions: ObjectVersion, deleted: Sequence[str] = ()) -> Page:
    return Page("", None, versions, frozenset(deleted))


def test_the_sweep_finds_what_is_unknown_and_old_enough() -> None:
    listed = page(version("a"), version("b"), version("c", 60))
    assert unknown_versions(listed, [known("a")], NOON + timedelta(seconds=30)) == [version("b")]


def test_the_sweep_lets_no_version_overtake_an_older_one_of_its_key() -> None:
    listed = page(version("a", 60, "v1"), version("a", 0, "v2"))
    assert unknown_versions(listed, [], NOON + timedelta(seconds=30)) == []


@pytest.mark.parametrize(
    ("presence", "listed", "deleted", "change"),
    [
        ("present", True, False, "none"),
        ("present", True, True, "deleted"),
        ("present", False, False, None),
        ("deleted", True, True, "none"),
        ("deleted", True, False, "present"),
        ("deleted", False, False, None),
        ("gone", False, False, "none"),
        ("gone", True, False, "present"),
    ],
)
def test_presence_follows_the_listing(presence: str, listed: bool, deleted: bool, change: str | None) -> None:
    listing = page(*([version("a")] if listed else []), deleted=["a"] if deleted else [])
    changes = presence_changes(listing, [known("a", presence)])
    assert [each.listed for each in changes] == ([] if change == "none" else [change])
