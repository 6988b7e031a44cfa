"""Globs say which keys are a dataset's, whatever the pattern and the key, in linear time."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.globs import MAX_WILDCARDS, BadGlob, compile_glob, glob_problems
from waybill_contracts import Declaration


def captures(pattern: str, key: str, bucket: str = "landing") -> dict[str, str] | None:
    return compile_glob(pattern).fits(bucket, [key]).get(key)


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("a/**", "a/b", {}),
        ("a/**", "a/b/c/d", {}),
        ("a/**", "ab/c", None),
        ("**/a.csv", "a.csv", {}),
        ("**/a.csv", "x/y/a.csv", {}),
        ("**/a.csv", "x/ya.csv", None),
        ("a/**/b/*.csv", "a/b/x.csv", {}),
        ("a/**/b/*.csv", "a/x/y/b/.csv", {}),
        ("a/**/b/*.csv", "a/x/b/c/d.csv", None),
        ("a/*.csv", "a/.csv", {}),
        ("a/*.csv", "a/b/c.csv", None),
        ("a/?.csv", "a/é.csv", {}),
        ("a/?.csv", "a/.csv", None),
        ("a/?.csv", "a/xy.csv", None),
        ("in/{day}/{name}.csv", "in/2026-11-21/x.csv", {"day": "2026-11-21", "name": "x"}),
        ("in/{day}.csv", "in/.csv", None),
        ("in/{day}.csv", "in/a/b.csv", None),
        ("{table}_{day}.csv", "order_items_20261121.csv", {"table": "order_items", "day": "20261121"}),
        ("a.b+c (1)[x]^$|/n", "a.b+c (1)[x]^$|/n", {}),
        ("a.csv", "axcsv", None),
        ("a/*", "a/line\nend", {}),
        ("a/**", "a/line\nend/b", {}),
        ("A/*", "a/b", None),
    ],
)
def test_a_key_fits_a_glob_as_people_expect_it(pattern: str, key: str, expected: dict[str, str] | None) -> None:
    assert captures(pattern, key) == expected


def test_a_pattern_of_one_bucket_fits_keys_of_no_other() -> None:
    assert captures("s3://erp-drops/in/{day}/*", "in/1/a", "erp-drops") == {"day": "1"}
    assert captures("s3://erp-drops/in/{day}/*", "in/1/a", "landing") is None


def test_organisation_and_table_are_the_datasets_own() -> None:
    glob = compile_glob("in/{organisation}-{table}/{day}/*", "acme", "orders")
    assert glob.prefix == "in/acme-orders/"
    assert glob.fits("b", ["in/acme-orders/1/a", "in/acme-items/1/a", "in/x-orders/1/a"]) == {
        "in/acme-orders/1/a": {"organisation": "acme", "table": "orders", "day": "1"}
    }


def test_literal_characters_are_those_outside_of_wildcards_and_captures() -> None:
    patterns = ["**", "in/*", "in/{organisation}/*.csv", "s3://landing/in/*"]
    assert [compile_glob(each, "acme", "orders").literals for each in patterns] == [0, 3, 8, 10]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("a**/b", "a whole part"),
        ("a/***", "a whole part"),
        ("/a/b", "between single '/'"),
        ("a//b", "between single '/'"),
        ("a/", "between single '/'"),
        ("a/../b", "between single '/'"),
        ("a\\b/*", "backslash"),
        ("_corrections/*", "never taken"),
        ("a/.hidden/*", "never taken"),
        ("a/{", "only around"),
        ("a/}x", "only around"),
        ("a/{{x}}", "only around"),
        ("a/{}", "snake case"),
        ("a/{Day}", "snake case"),
        ("a/{day:\\d+}", "backslash"),
        ("a/{day}/{day}", "each capture once"),
        ("a/" + "*a" * (MAX_WILDCARDS + 1), "at most 20"),
        ("s3://Landing/a", "s3://<bucket>/<path>"),
        ("s3://landing", "s3://<bucket>/<path>"),
        ("s3://landing/", "between single '/'"),
    ],
)
def test_what_is_no_glob_is_refused_with_what_was_expected(pattern: str, problem: str) -> None:
    with pytest.raises(BadGlob, match=re.escape(problem)):
        compile_glob(pattern)
    declaration = Declaration(organisation="acme", table="orders", files=(pattern,))
    assert glob_problems(declaration)[0].startswith("files: ")


def test_a_partition_by_path_names_a_capture() -> None:
    said = {"organisation": "acme", "table": "orders", "mode": "snapshot", "partition": {"path": "branch"}}
    assert glob_problems(Declaration.model_validate(said)) == [
        "partition.path: expected a capture of files, found 'branch'"
    ]
    assert glob_problems(Declaration.model_validate(said | {"files": ["in/{branch}/*"]})) == []


HOSTILE = [
    "*a" * MAX_WILDCARDS + "b",
    "{n}a" + "*a" * (MAX_WILDCARDS - 1) + "b",
    "**/" * MAX_WILDCARDS + "b",
    "*?" * (MAX_WILDCARDS // 2) + "b",
    "/".join(["*a*a", "**"] * 6) + "/b",
    "".join(f"{{n{number}}}" for number in range(MAX_WILDCARDS)) + "b",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_and_key_take_long(pattern: str) -> None:
    keys = ["a" * 1023 + str(number) for number in range(10)]
    keys += ["a/" * 511 + str(number) for number in range(10)]
    start = time.perf_counter()
    assert compile_glob(pattern).fits("landing", keys) == {}
    assert time.perf_counter() - start < 2


PARTS = st.text("ab*?.é\n", min_size=1, max_size=4).filter(lambda part: "**" not in part and part[0] != ".")


def plainly(pattern: list[str], key: list[str]) -> bool:
    """The same by trying everything."""
    if not pattern or not key:
        return not pattern and not key
    if pattern[0] == "**":
        if len(pattern) == 1:
            return True
        return any(plainly(pattern[1:], key[taken:]) for taken in range(len(key) + 1))
    return in_part(pattern[0], key[0]) and plainly(pattern[1:], key[1:])


def in_part(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(in_part(pattern[1:], text[taken:]) for taken in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and in_part(pattern[1:], text[1:])


@given(
    st.lists(st.one_of(PARTS, st.just("**")), min_size=1, max_size=4),
    st.lists(st.text("ab.é\n", min_size=1, max_size=4), min_size=1, max_size=5),
)
def test_a_glob_fits_what_trying_everything_says(pattern: list[str], key: list[str]) -> None:
    assert (captures("/".join(pattern), "/".join(key)) is not None) == plainly(pattern, key)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"group": {"marker": "{organisation}/{table}/{day}/_DONE"}}, None),
        ({"group": {"marker": "a//b"}}, "group.marker: 'a//b': expected parts"),
        ({"group": {"manifest": "{"}}, "group.manifest: '{': expected { and }"),
        ({"table": "*", "group": {"marker": "{organisation}/x/_DONE"}}, "group.marker: expected {table}"),
        (
            {"group": {"marker": "{organisation}/{table}/DONE"}, "files": ["{organisation}/{table}/{shop}/*"]}
            | {"mode": "snapshot", "partition": {"path": "shop"}},
            "partition.path: expected a capture of the group, found 'shop'",
        ),
        (
            {"group": {"marker": "{organisation}/{table}/{shop}/_DONE"}}
            | {"mode": "snapshot", "partition": {"path": "shop"}},
            None,
        ),
    ],
)
def test_the_pattern_of_a_group_is_checked_and_only_it_may_name_hidden_parts(
    more: dict[str, Any], problem: str | None
) -> None:
    found = glob_problems(Declaration.model_validate({"organisation": "acme", "table": "orders"} | more))
    assert [text[: len(problem or "")] for text in found] == ([problem] if problem else [])


def test_a_hidden_part_is_counted_where_it_may_be_named() -> None:
    assert compile_glob("a/_b/.c/*", is_marker=True).hidden == 2
