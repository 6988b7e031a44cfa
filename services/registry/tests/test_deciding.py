"""What a release makes of a declaration, and which decisions change nothing."""

from typing import Any
from uuid import uuid4

import pytest
from registry.domain.deciding import Decision, declare, problem_of, release
from registry.domain.standing import Standing
from waybill_contracts import Column, Declaration, DeclarationError, Format, Proposal

DECLARED = Declaration(
    organisation="acme",
    table="orders",
    key=("id",),
    columns={"id": Column(type="integer"), "color": Column(aliases=("paint",)), "source": Column(constant="web")},
)
HELD = Standing(state="HELD", attempt=3, rank=1)


def decision(verb: Any = "release", attempt: int = 3, **more: Any) -> Decision:
    return Decision(id=uuid4(), attempt=attempt, verb=verb, who="zoe", **more)


def test_a_plain_release_leaves_the_declaration_as_it_is() -> None:
    assert declare(DECLARED, decision(), Proposal(columns={"note": Column()})) == DECLARED


def test_a_renamed_column_is_an_alias_as_headers_are_turned_into_names() -> None:
    declared = declare(DECLARED, decision(renames={"Col Our": "color"}), None)
    assert declared.columns["color"].aliases == ("paint", "col_our")
    again = declare(declared, decision(renames={"col_our": "color"}), None)
    assert again == declared


def test_a_column_that_is_renamed_is_neither_declared_anew_nor_missing() -> None:
    proposal = Proposal(columns={"colour": Column(), "note": Column()}, optional=("color",))
    declared = declare(DECLARED, decision(renames={"colour": "color"}, accept_columns=True), proposal)
    assert list(declared.columns) == ["id", "color", "source", "note"]
    assert not declared.columns["color"].optional
    accepted = declare(DECLARED, decision(accept_columns=True), proposal)
    assert list(accepted.columns) == ["id", "color", "source", "colour", "note"]
    assert accepted.columns["color"].optional


@pytest.mark.parametrize(
    ("renames", "problem"),
    [
        ({"colour": "shade"}, "no column shade is declared"),
        ({"color": "colour"}, "did you mean colour=color?"),
        ({"id": "color"}, "id is a name of the declared column id already"),
        ({"paint": "id"}, "paint is a name of the declared column color already"),
        ({"color": "color"}, "color is a name of the declared column color already"),
        ({"colour": "source"}, "source is not in the files"),
        ({"colour": "color", "farbe": "color"}, "color: expected one column of the file"),
        ({"!": "color"}, "=color: expected a name of 1 to 63 bytes"),
        ({"x" * 64: "color"}, "expected a name of 1 to 63 bytes"),
    ],
)
def test_a_rename_that_cannot_be_is_refused_with_its_columns(renames: dict[str, str], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem.replace("?", r"\?")):
        declare(DECLARED, decision(renames=renames), None)


def test_columns_are_accepted_only_where_some_are_proposed() -> None:
    with pytest.raises(DeclarationError, match="nothing is proposed"):
        declare(DECLARED, decision(accept_columns=True), None)


@pytest.mark.parametrize("verb", ["release", "refuse"])
def test_a_decision_answers_the_attempt_that_is_held(verb: str) -> None:
    assert problem_of(decision(verb), HELD, None) is None
    assert "attempt 2, but the newest is 3" in (problem_of(decision(verb, 2), HELD, None) or "")
    assert "this one is LOADED" in (problem_of(decision(verb), Standing(state="LOADED", attempt=3), None) or "")
    assert "file retry" in (problem_of(decision(verb), Standing(state="FAILED", attempt=3), None) or "")


@pytest.mark.parametrize("verb", ["release", "refuse"])
def test_an_attempt_is_decided_once(verb: str) -> None:
    assert problem_of(decision(verb), HELD, decision("refuse")) == "attempt 3 was decided already: refuse, by zoe"


def test_a_refusal_that_the_ingestor_carried_out_first_is_accepted() -> None:
    refused = Standing(state="REFUSED", attempt=3, rank=2, code="refused")
    assert problem_of(decision("refuse"), refused, None) is None
    assert "this one is REFUSED" in (problem_of(decision("release"), refused, None) or "")
    by_policy = Standing(state="REFUSED", attempt=3, rank=2, code="late")
    assert "this one is REFUSED" in (problem_of(decision("refuse"), by_policy, None) or "")


def test_everything_of_a_held_attempt_is_forgotten_by_a_release() -> None:
    assert release(HELD) == Standing(state="REGISTERED", attempt=3, base_attempt=3)


def test_a_decided_format_is_declared_whatever_was_declared_of_it_before() -> None:
    declared = DECLARED.model_copy(update={"format": Format(encoding="utf-8", null_values=("-",))})
    decided = declare(declared, decision(format=Format(delimiter=";", encoding="windows-1252")), None)
    assert decided.format == Format(delimiter=";", encoding="windows-1252", null_values=("-",))
    assert decided.columns == DECLARED.columns


def test_a_proposed_format_is_accepted_with_the_columns_and_says_only_what_was_left_open() -> None:
    declared = DECLARED.model_copy(update={"format": Format(encoding="iso-8859-15")})
    proposal = Proposal(columns={"note": Column()}, format=Format(delimiter=";", encoding="windows-1252"))
    accepted = declare(declared, decision(accept_columns=True), proposal)
    assert accepted.format == Format(delimiter=";", encoding="iso-8859-15")
    assert "note" in accepted.columns
    assert declare(declared, decision(), proposal) == declared


def test_a_format_that_contradicts_the_declared_one_is_refused() -> None:
    declared = DECLARED.model_copy(update={"format": Format(quote="'")})
    with pytest.raises(DeclarationError, match="expected another character than that of delimiter"):
        declare(declared, decision(format=Format(delimiter="'")), None)
