"""Which declarations are accepted, and what they keep of those before, without any server."""

from typing import Any

import pytest
from registry.domain.declaring import followed, refusal, with_found
from waybill_contracts import Declaration, DeclarationError

ID = {"id": {"type": "integer"}, "day": {}}


def declared(**fields: Any) -> Declaration:
    return Declaration.model_validate({"organisation": "acme", "table": "orders"} | fields)


KEYED = declared(key=["id"], columns=ID)
BARE = declared()
APPENDED = declared(mode="append", columns=ID)
ORDERED = declared(key=["id"], columns=ID, order_by={"file_name": r"\d+"})


@pytest.mark.parametrize(
    ("current", "new", "problem"),
    [
        (KEYED, declared(key=["day"], columns=ID), "key: the key of acme/orders is id and files have taken effect"),
        (KEYED, declared(key=["day", "id"], columns=ID), "day, id would make other records"),
        (KEYED, APPENDED, "mode: is upsert and files have taken effect"),
        (APPENDED, KEYED, "mode: is append and files have taken effect"),
        (APPENDED, declared(mode="append", deduplicate=True, columns=ID), "deduplicate: is false"),
        (ORDERED, KEYED, "order_by: is declared and files have taken effect"),
        (ORDERED, declared(key=["id"], columns=ID, order_by={"column": "day"}), "order_by: is declared"),
    ],
)
def test_what_would_make_other_records_of_files_that_took_effect_is_refused(
    current: Declaration, new: Declaration, problem: str
) -> None:
    said = refusal(current, new, has_taken_effect=True)
    assert said is not None
    assert problem in said
    assert refusal(current, new, has_taken_effect=False) is None


@pytest.mark.parametrize(
    ("current", "new"),
    [
        (KEYED, ORDERED),
        (KEYED, declared(key=["id"], columns=ID, mode="snapshot")),
        (KEYED, declared(key=["id"], columns=ID, mode="snapshot", partition={"column": "day"})),
        (KEYED, declared(key=["id"], columns=ID, files=["in/*"], since="2026-11-21")),
        (BARE, KEYED),  # nothing takes effect before the key is found
        (BARE, APPENDED),
        (None, KEYED),
    ],
)
def test_what_leaves_records_what_they_are_is_accepted(current: Declaration | None, new: Declaration) -> None:
    assert refusal(current, new, has_taken_effect=True) is None


def test_routes_that_cannot_be_are_refused_with_the_field_named() -> None:
    said = refusal(None, declared(files=["in/**x", "in/{a}"], mode="snapshot"), has_taken_effect=False)
    assert said == "files: 'in/**x': expected ** to be a whole part"


@pytest.mark.parametrize(
    ("current", "new", "columns", "key", "mode"),
    [
        (KEYED, BARE, ["id", "day"], ("id",), "upsert"),
        (KEYED, declared(guards={"max_reject_share": 0.5}), ["id", "day"], ("id",), "upsert"),
        (KEYED, declared(columns={"id": {}}), ["id"], ("id",), "upsert"),
        (KEYED, declared(key=["day"]), ["id", "day"], ("day",), "upsert"),
        (KEYED, declared(mode="snapshot"), ["id", "day"], ("id",), "snapshot"),
        (APPENDED, BARE, ["id", "day"], (), "append"),
        (APPENDED, declared(columns=ID, key=["id"]), ["id", "day"], ("id",), "upsert"),
        (BARE, declared(key=["id"]), [], ("id",), "upsert"),
    ],
)
def test_what_was_found_stays_where_a_declaration_leaves_it_to_be_found(
    current: Declaration, new: Declaration, columns: list[str], key: tuple[str, ...], mode: str
) -> None:
    merged = with_found(current, new, has_taken_effect=True)
    assert (list(merged.columns), merged.key, merged.mode) == (columns, key, mode)
    assert merged.guards == new.guards
    assert with_found(current, new, has_taken_effect=False) == new


def test_what_does_not_go_with_what_was_found_is_named() -> None:
    with pytest.raises(DeclarationError, match="order_by: expected declared columns; not declared: changed_at"):
        with_found(KEYED, declared(order_by={"column": "changed_at"}), has_taken_effect=True)


def default(**fields: Any) -> Declaration:
    return Declaration.model_validate({"organisation": "acme", "table": "*"} | fields)


def copy_of(**fields: Any) -> Declaration:
    return declared(**fields)


def test_what_a_default_changes_changes_for_its_tables_and_what_was_found_there_stays() -> None:
    current = declared(key=["id"], columns=ID, duplicates="last")
    after = followed(copy_of(duplicates="last"), current, default(duplicates="first", since="2026-11-21"))
    assert (after.table, after.duplicates, after.since) == ("orders", "first", "2026-11-21")
    assert (list(after.columns), after.key) == (["id", "day"], ("id",))


def test_what_a_default_takes_back_goes_and_columns_that_it_names_replace_those_found() -> None:
    current = declared(key=["id"], columns=ID, since="2026-11-21", order_by={"file_name": "x"})
    base = copy_of(since="2026-11-21", order_by={"file_name": "x"})
    after = followed(base, current, default(columns={"id": {}, "note": {}}))
    assert (after.since, after.order_by, list(after.columns), after.key) == (None, None, ["id", "note"], ("id",))
    with pytest.raises(DeclarationError, match="key: expected declared columns"):
        followed(base, current, default(columns={"note": {}}))
    assert list(followed(copy_of(columns=ID), current, default()).columns) == ["id", "day"]
