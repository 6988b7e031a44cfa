"""The registry's rules, without any server."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry.domain.arrivals import DatasetStanding, Found, ObjectVersion, Waiting, in_order, number, number_waiting
from registry.domain.listing import Known, Page, presence_changes, unknown_versions
from registry.domain.routes import route

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def version(key: str, second: float = 0, version_id: str = "v") -> ObjectVersion:
    return ObjectVersion(key, version_id, 1, "etag", NOON + timedelta(seconds=second))


def test_new_versions_are_ordered_by_time_then_key() -> None:
    versions = [version("b", 1), version("a", 1), version("c", 0)]
    assert [each.key for each in in_order(versions)] == ["c", "a", "b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=12))
def test_versions_of_one_key_keep_the_order_of_the_listing(stamps: list[tuple[str, int]]) -> None:
    versions = [version(key, second, str(place)) for place, (key, second) in enumerate(stamps)]
    ordered = in_order(versions)
    for key in "abc":
        assert [each for each in ordered if each.key == key] == [each for each in versions if each.key == key]


def found(each: ObjectVersion) -> Found:
    return Found(each, route(each.key), "notification")


def test_arrivals_go_on_without_gaps_and_only_for_declared_datasets() -> None:
    standings = {"acme/orders": DatasetStanding(1, 7), "acme/new": DatasetStanding()}
    keys = ["acme/orders/a", "acme/new/a", "x", "acme/orders/b"]
    entries = number([found(version(key)) for key in keys], standings)
    assert [entry.arrival for entry in entries] == [8, None, None, 9]
    assert [entry.reason for entry in entries][1] == "no declaration"
    assert standings["acme/orders"].last_arrival == 9


def test_a_file_is_late_when_it_lies_more_than_a_minute_before_the_newest() -> None:
    standings = {"acme/orders": DatasetStanding(1)}
    seconds = [100, 40, 39.9, 200, 150]
    entries = number([found(version(f"acme/orders/{second}", second)) for second in seconds], standings)
    assert [entry.late for entry in entries] == [False, False, True, False, False]


def test_what_waited_for_a_declaration_is_numbered_oldest_first() -> None:
    waiting = [
        Waiting(uuid4(), key, NOON + timedelta(seconds=second)) for key, second in [("b", 5), ("a", 5), ("c", 1)]
    ]
    standing, arrivals = number_waiting(waiting, DatasetStanding(1))
    assert [each.file_id for each in arrivals] == [waiting[2].file_id, waiting[1].file_id, waiting[0].file_id]
    assert standing.last_arrival == 3


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
