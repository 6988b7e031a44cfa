"""Identifiers: quoted whatever they hold, refused where PostgreSQL would alter them."""

import pytest
from chassis import sql
from chassis.database import Pool
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["plain", "select", "Größe", 'a"b', "a;b", "a'b", "a b", "x" * 63, '"; DROP TABLE inbox; --', "{}", "%s"]


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_comes_back_from_the_catalogue_as_it_was_given(db: Pool, name: str) -> None:
    await db.execute(sql.sql("CREATE TABLE {table} ({column} text)", table=name, column=name))
    assert await db.fetchval("SELECT count(*) FROM information_schema.columns WHERE column_name = $1", name) >= 1
    assert await db.fetchval("SELECT count(*) FROM inbox") == 0


@pytest.mark.parametrize("name", ["", "a\x00b", "x" * 64, "ü" * 32, "e\u0301"])
def test_names_that_postgresql_would_cut_or_alter_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be an identifier"):
        sql.identifier(name)


@given(st.text())
def test_a_quoted_name_never_ends_before_its_last_quote(name: str) -> None:
    try:
        quoted = sql.identifier(name).text
    except ValueError:
        return
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "").count('"') == 0


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30))
def test_a_string_constant_has_no_open_quote(text: str) -> None:
    inner = sql.literal(text).text[2:-1]
    assert inner.replace("\\\\", "").replace("''", "").count("'") == 0


def test_column_types_are_only_the_declared_ones() -> None:
    assert sql.column_type("decimal(12,2)").text == "numeric(12,2)"
    assert sql.column_type("timestamp(6)").text == "timestamptz"
    assert sql.column_type("json").text == "json"
    with pytest.raises(KeyError):
        sql.column_type("text; DROP TABLE x")
