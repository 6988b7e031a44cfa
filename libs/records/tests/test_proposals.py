"""An accepted proposal adds to a declaration and changes nothing that it says itself."""

import pytest
from records.proposals import with_format, with_proposal
from waybill_contracts import Column, Declaration, DeclarationError, Format, Proposal


def declared(**fields):
    return Declaration.model_validate({"organisation": "acme", "table": "orders"} | fields)


FOUND = Proposal(columns={"id": Column(type="integer"), "note": Column()}, key=("id",), mode="upsert")


def test_a_declaration_that_says_nothing_becomes_what_was_proposed():
    complete = with_proposal(declared(), FOUND)
    assert (list(complete.columns), complete.key, complete.mode) == (["id", "note"], ("id",), "upsert")
    assert complete.is_complete


def test_declared_columns_stay_as_they_are_and_come_first():
    complete = with_proposal(declared(columns={"note": {"max_length": 9}, "town": {}}), FOUND)
    assert list(complete.columns) == ["note", "town", "id"]
    assert complete.columns["note"].max_length == 9


def test_a_name_that_a_declared_column_goes_by_is_not_added():
    complete = with_proposal(declared(key=["number"], columns={"number": {"aliases": ["id"]}}), FOUND)
    assert list(complete.columns) == ["number", "note"]


def test_a_declared_key_and_mode_stay():
    by_note = with_proposal(declared(key=["note"], mode="snapshot"), FOUND)
    assert (by_note.key, by_note.mode) == (("note",), "snapshot")
    appended = with_proposal(declared(mode="append"), FOUND)
    assert (appended.key, appended.mode) == ((), "append")


def test_without_a_key_the_mode_is_the_proposed_one():
    appended = with_proposal(declared(), Proposal(columns=FOUND.columns, mode="append"))
    assert (appended.key, appended.mode) == ((), "append")


def test_a_proposal_about_columns_alone_leaves_key_and_mode_as_they_are():
    same = with_proposal(declared(columns={"id": {}}, mode="snapshot", key=["id"]), Proposal(columns=FOUND.columns))
    assert (same.key, same.mode, list(same.columns)) == (("id",), "snapshot", ["id", "note"])


def test_declared_columns_that_files_may_lack_are_marked_and_keep_their_rules():
    complete = with_proposal(
        declared(key=["id"], columns={"id": {}, "note": {"max_length": 9}}), Proposal(optional=("note", "gone"))
    )
    assert complete.columns == {"id": Column(), "note": Column(max_length=9, optional=True)}


@pytest.mark.parametrize(
    ("fields", "proposal", "problem"),
    [
        ({"key": ["id"], "columns": {"id": {}}}, Proposal(optional=("id",)), "no optional column in key"),
        ({"key": ["number"]}, FOUND, "key: expected declared columns; not declared: number"),
        ({}, Proposal(columns={"xmin": Column()}), "columns: 'xmin': expected another name"),
        ({"columns": {"id": {}, "a": {"constant": "1"}}}, Proposal(optional=("a",)), "columns.a: expected no optional"),
    ],
)
def test_a_proposal_that_makes_no_good_declaration_is_refused(fields, proposal, problem):
    with pytest.raises(DeclarationError, match=problem):
        with_proposal(declared(**fields), proposal)


def test_a_proposed_format_says_only_what_is_left_open_and_a_decided_one_says_all():
    said = declared(format={"delimiter": ";", "null_values": ["-"]})
    found = Format(delimiter="|", quote="'", skip_lines=2)
    assert with_proposal(said, Proposal(format=found)).format == Format(
        delimiter=";", quote="'", skip_lines=2, null_values=("-",)
    )
    assert with_format(said, found).format == Format(delimiter="|", quote="'", skip_lines=2, null_values=("-",))
    assert with_proposal(said, Proposal()).format == said.format
