"""Where keys belong: to the dataset that declares them, or else by the default layout."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry.domain.arrivals import ObjectVersion
from registry.domain.routes import Declared, Ignored, Route, Routes, partition_of
from waybill_contracts import Declaration
from waybill_contracts.declaration import DEFAULT_FILES

NAUGHTY = Path(__file__).parents[4] / "shared/corpora/naughty-strings"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def route(key: str, *declared: Declared, bucket: str = "landing") -> Route | Ignored:
    (found,) = Routes(declared).route([ObjectVersion(bucket, key, "v", 1, "etag", NOON)])
    return found


def place(key: str, *declared: Declared, bucket: str = "landing") -> str:
    """The dataset, or the reason."""
    found = route(key, *declared, bucket=bucket)
    return found.dataset if isinstance(found, Route) else found.reason


@pytest.mark.parametrize(
    ("key", "dataset"),
    [
        ("acme/orders/a.csv", "acme/orders"),
        ("acme/orders/2026/11/a b+c é.csv", "acme/orders"),
        ("big-co/t_1/line\nbreak.csv", "big-co/t_1"),
        (f"{'a' * 31}/{'t' * 41}/x", f"{'a' * 31}/{'t' * 41}"),
    ],
)
def test_a_key_leads_to_its_dataset(key: str, dataset: str) -> None:
    found = route(key)
    assert isinstance(found, Route)
    assert found.dataset == dataset


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("orders.csv", "no route fits"),
        ("acme/orders.csv", "no route fits"),
        ("/acme/orders/a.csv", "begins with '/'"),
        ("acme/orders/../../x/a.csv", "'..'"),
        ("../acme/orders/a.csv", "'..'"),
        ("acme/orders/a\\b.csv", "backslash"),
        ("acme/orders/a\0b.csv", "NUL"),
        ("acme/orders/x/_corrections/a.csv", "'_corrections' begins"),
        ("acme/orders/.hidden", "'.hidden' begins"),
        ("_acme/orders/a.csv", "'_acme' begins"),
        ("acme/_orders/a.csv", "'_orders' begins"),
        ("acme/orders/", "a folder"),
        ("acme//orders/a.csv", "empty part"),
        ("Acme/orders/a.csv", "no organisation"),
        ("acme\n/orders/a.csv", "no organisation"),
        (f"{'a' * 32}/orders/a.csv", "no organisation"),
        ("acme/Orders/a.csv", "no table"),
        ("acme/or-ders/a.csv", "no table"),
        ('acme/x"; drop table files; --/a.csv', "no table"),
        ("acme/orders_history/a.csv", "no table"),
        ("acme/orders_as_of/a.csv", "no table"),
    ],
)
def test_other_keys_are_ignored_with_the_reason(key: str, reason: str) -> None:
    found = route(key)
    assert isinstance(found, Ignored)
    assert reason in found.reason


@given(st.text(max_size=300))
def test_no_key_reaches_a_strange_dataset_and_no_reason_can_break_a_terminal(key: str) -> None:
    for found in (route(key), route(f"acme/{key}/a.csv"), route(f"{key}/orders/a.csv")):
        if isinstance(found, Route):
            assert found.dataset.isascii()
            assert found.dataset.replace("-", "").replace("_", "").replace("/", "").isalnum()
        else:
            assert found.reason.isprintable() or not any(ord(character) < 32 for character in found.reason)


@pytest.mark.skipif(not NAUGHTY.is_dir(), reason="the naughty strings are not beside the repository")
def test_naughty_names_reach_no_dataset_but_their_own() -> None:
    for path in NAUGHTY.glob("*.json"):
        for text in json.loads(path.read_text()):
            found = route(f"{text}/orders/a.csv")
            assert isinstance(found, Ignored) or found.organisation == text


# Declared routes

ORDERS = Declared("acme", "orders", ("in/orders_*.csv", "s3://erp/{branch}/orders/**"))
ITEMS = Declared("acme", "items", ("in/order*_items.csv",))
DEFAULT = Declared("acme", "*", ("drop/{table}/{day}.csv",))


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("in/orders_1.csv", "acme/orders"),
        ("in/order_items.csv", "acme/items"),
        ("in/orders_items.csv", "acme/items"),  # says one character more
        ("in/other.csv", "no route fits: expected <organisation>/<table>/<name>"),
        ("in/_orders_1.csv", "the part '_orders_1.csv' begins with '_' or '.'"),
        ("in/../in/orders_1.csv", "the key holds a part '..'"),
        ("acme/other/a.csv", "acme/other"),
        ("acme/items/a.csv", "no route fits: acme/items declares other files, 'in/order*_items.csv'"),
    ],
)
def test_a_key_belongs_to_the_dataset_that_declares_it(key: str, found: str) -> None:
    assert place(key, ORDERS, ITEMS) == found


def test_captures_are_kept_and_a_pattern_of_a_bucket_is_of_that_bucket_only() -> None:
    found = route("north/orders/2026/a.csv", ORDERS, bucket="erp")
    assert isinstance(found, Route)
    assert (found.dataset, found.captures) == ("acme/orders", {"branch": "north"})
    assert place("north/orders/a.csv", ORDERS) == "north/orders"


def test_a_key_that_the_patterns_of_two_datasets_fit_equally_is_nobodys() -> None:
    other = Declared("acme", "other", ("in/*rders_1*.csv", "in/*"))
    assert place("in/orders_1.csv", ORDERS, other) == "fits routes of acme/orders and acme/other"
    assert place("in/orders_2.csv", ORDERS, other) == "acme/orders"
    assert place("in/orders_1.csv", Declared("acme", "orders", ("in/orders*", "in/*_1.csv"))) == "acme/orders"


def test_the_default_layout_stays_where_it_is_declared_beside_others() -> None:
    both = Declared("acme", "items", (*ITEMS.files, *DEFAULT_FILES))
    assert place("acme/items/a.csv", both) == place("in/order_items.csv", both) == "acme/items"


def test_a_declared_pattern_comes_before_the_default_layout_of_another() -> None:
    assert place("acme/orders/a.csv", Declared("acme", "all", ("acme/**",))) == "acme/all"


def test_a_default_serves_the_tables_that_have_no_declaration_of_their_own() -> None:
    found = route("drop/items/2026-11-21.csv", DEFAULT, ORDERS)
    assert isinstance(found, Route)
    assert (found.dataset, found.captures) == ("acme/items", {"table": "items", "day": "2026-11-21"})
    elsewhere = "no route fits: acme/orders declares other files, 'in/orders_*.csv, s3://erp/{branch}/orders/**'"
    assert place("drop/orders/1.csv", DEFAULT, ORDERS) == elsewhere
    assert place("drop/Items/1.csv", DEFAULT).startswith("'Items' is no table")
    assert place("acme/new/a.csv", DEFAULT).startswith("no route fits: acme/* declares other files")
    assert place("other/new/a.csv", DEFAULT) == "other/new"


@pytest.mark.parametrize(
    ("since", "is_taken"),
    [
        ("2026-11-21", True),
        ("2026-11-22", False),
        ("2026-11-21T12:00:00Z", True),
        ("2026-11-21T12:00:00.001Z", False),
    ],
)
def test_files_from_before_the_declared_moment_are_not_taken(since: str, is_taken: bool) -> None:
    reason = f"older than {since}, since when acme/orders takes files"
    for files in (DEFAULT_FILES, ("acme/*/*",)):
        assert place("acme/orders/a.csv", Declared("acme", "orders", files, since)) == (
            "acme/orders" if is_taken else reason
        )


def test_only_what_a_declaration_may_change_waits_for_one() -> None:
    waits = {key: route(key, ORDERS) for key in ("x.csv", "Acme/orders/a.csv", "acme/orders/a.csv", "a/b/_c", "a//b")}
    assert [found.waits for found in waits.values() if isinstance(found, Ignored)] == [True, True, True, False, False]


def test_a_partition_is_what_the_pattern_that_says_most_captures() -> None:
    said = {"organisation": "acme", "table": "orders", "mode": "snapshot", "partition": {"path": "branch"}}
    said["files"] = ["in/{branch}/*.csv", "in/{branch}/orders_{day}.csv", "plain/*"]
    declaration = Declaration.model_validate(said)
    assert partition_of(declaration, "landing", "in/north/orders_1.csv") == "north"
    assert partition_of(declaration, "landing", "in/south/x.csv") == "south"
    assert partition_of(declaration, "landing", "plain/x.csv") is None
    assert partition_of(declaration, "landing", "elsewhere/x.csv") is None
    assert partition_of(declaration.model_copy(update={"partition": None}), "landing", "in/a/b.csv") is None
