"""Which keys tell of a delivery, which are part of one, and what a manifest may name: rules, without any server."""

from datetime import UTC, datetime
from typing import Any

import pytest
from registry.domain.arrivals import ObjectVersion
from registry.domain.deliveries import Named, Unusable, awaited, belongs, check_parts, named_keys, newest, prefixes
from registry.domain.routes import Declared, Ignored, Route, Routes, partition_of
from waybill_contracts import Declaration
from waybill_contracts.declaration import Group

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MARKER = Group(marker="{organisation}/{table}/{day}/_DONE")


def declared(marker: str = "{organisation}/{table}/{day}/_DONE", *files: str, table: str = "orders") -> Declared:
    return Declared("acme", table, files or ("{organisation}/{table}/**",), group=Group(marker=marker))


def route(key: str, *known: Declared) -> Route | Ignored:
    (found,) = Routes(known).route([Named("landing", key, NOW)])
    return found


def role(key: str, *known: Declared) -> str:
    found = route(key, *known)
    if isinstance(found, Ignored):
        return "ignored"
    return "tells" if found.tells else "part" if found.told_by else "file"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("acme/orders/1/_DONE", "tells"),
        ("acme/orders/1/a.csv", "part"),
        ("acme/orders/a.csv", "part"),
        ("acme/orders/1/_OTHER", "ignored"),
        ("acme/orders/_1/_DONE", "ignored"),
        ("acme/orders/_DONE/_DONE", "ignored"),
        ("acme/orders/1/2/_DONE", "ignored"),
        ("acme/orders/../_DONE", "ignored"),
        ("acme/orders/./_DONE", "ignored"),
        ("acme/orders//_DONE", "ignored"),
        ("acme/orders/_corrections/_DONE", "ignored"),
        ("acme/other/1/a.csv", "file"),
        ("acme/other/1/_DONE", "ignored"),
    ],
)
def test_only_a_marker_that_is_declared_may_have_parts_that_begin_so(key: str, expected: str) -> None:
    assert role(key, declared()) == expected


def test_what_fits_marker_and_files_is_the_marker_whatever_says_more() -> None:
    known = declared("{organisation}/{table}/*", "acme/orders/very/special/*", "{organisation}/{table}/done")
    assert role("acme/orders/done", known) == "tells"
    assert role("acme/orders/very/special/a.csv", known) == "part"


def test_a_key_that_another_dataset_has_a_closer_route_for_is_not_of_the_delivery() -> None:
    other = Declared("acme", "other", ("acme/orders/1/a.csv",))
    found = route("acme/orders/1/a.csv", declared(), other)
    marker = route("acme/orders/1/_DONE", declared(), other)
    assert isinstance(found, Route)
    assert isinstance(marker, Route)
    assert (found.dataset, belongs(found, marker)) == ("acme/other", False)


@pytest.mark.parametrize(
    ("key", "expected"), [("acme/orders/x_1.csv", True), ("acme/orders/x_2.csv", False), ("acme/orders/_DONE1", False)]
)
def test_a_file_belongs_to_the_marker_where_both_capture_the_same(key: str, expected: bool) -> None:
    known = declared("{organisation}/{table}/_DONE{day}", "{organisation}/{table}/{kind}_{day}.csv")
    marker = route("acme/orders/_DONE1", known)
    assert isinstance(marker, Route)
    assert belongs(route(key, known), marker) is expected


def test_a_default_for_every_table_has_markers_of_each_table() -> None:
    default = declared(table="*")
    marker, part = route("acme/one/1/_DONE", default), route("acme/one/1/a.csv", default)
    other = route("acme/two/1/a.csv", default)
    assert isinstance(marker, Route)
    assert (marker.dataset, marker.tells) == ("acme/one", True)
    assert (belongs(part, marker), belongs(other, marker)) == (True, False)


def declaration(**more: Any) -> Declaration:
    return Declaration.model_validate({"organisation": "acme", "table": "orders", "group": MARKER} | more)


def test_a_delivery_speaks_for_what_its_own_key_says() -> None:
    by_shop = {"mode": "snapshot", "partition": {"path": "shop"}, "files": ["{organisation}/{table}/{shop}/**"]}
    group = {"marker": "{organisation}/{table}/all/{shop}/_DONE"}
    said = declaration(**by_shop, group=group)
    assert partition_of(said, "landing", "acme/orders/all/north/_DONE") == "north"


@pytest.mark.parametrize(
    ("files", "captures", "expected"),
    [
        (["{organisation}/{table}/{day}/*.csv"], {"day": "7"}, ["acme/orders/7/"]),
        (["{organisation}/{table}/*/{day}.csv"], {"day": "7"}, ["acme/orders/"]),
        (["{organisation}/{table}/**", "{organisation}/{table}/x/*"], {}, ["acme/orders/"]),
        (["in/{day}/*", "out/{day}/*"], {"day": "7"}, ["in/7/", "out/7/"]),
        (["in/{day}/*"], {"day": "{7}"}, ["in/"]),
        (["in/{day}/*"], {"day": "a*"}, ["in/"]),
        (["in/{day}/*"], {"day": "_7"}, ["in/"]),
        (["s3://landing/in/*", "s3://elsewhere/out/*"], {}, ["in/"]),
    ],
)
def test_files_of_a_delivery_are_looked_for_where_they_can_be(
    files: list[str], captures: dict[str, str], expected: list[str]
) -> None:
    assert prefixes(declaration(files=files), "landing", captures) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"b.csv\na.csv\nb.csv", ["x/b.csv", "x/a.csv"]),
        (b"\xef\xbb\xbf# all\r\n\r\n  \r\nsub/a b.csv\r\n", ["x/sub/a b.csv"]),
        (b' ["a.csv",\n "\\u00e9.csv"]', ["x/a.csv", "x/é.csv"]),
    ],
)
def test_a_manifest_names_files_beside_it(body: bytes, expected: list[str]) -> None:
    assert named_keys("x/manifest.txt", body) == expected


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", ".", "..", "a//b", "a/", "a\\b", "a\0", "_x", "a/.b"])
def test_a_manifest_that_names_what_is_not_below_it_is_none(name: str) -> None:
    with pytest.raises(Unusable, match="relative to the manifest's folder"):
        named_keys("x/manifest.txt", f"ok.csv\n{name}\n".encode())


def version(key: str) -> ObjectVersion:
    return ObjectVersion("landing", key, "v", 1, "e", NOW)


def test_what_is_missing_is_told_in_the_order_of_the_manifest_the_first_of_it_by_name() -> None:
    keys = list("fedcba")
    there, missing = newest([version("b"), version("e")], keys)
    assert [each.key for each in there] == ["e", "b"]
    assert awaited(missing, 6) == (
        "the manifest of a delivery: 4 of its 6 files are not there yet: 'f', 'd', 'c' and 1 more"
    )


def test_a_delivery_whose_names_fit_no_message_is_none() -> None:
    check_parts([version("x" * 380) for _ in range(1000)], "marker")
    with pytest.raises(Unusable, match="names of the 1000 files have"):
        check_parts([version("x" * 400) for _ in range(1000)], "marker")
