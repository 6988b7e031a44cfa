from decimal import Decimal
from itertools import product

import pytest
from records.widening import widens

DIGITS = [(precision, scale) for precision in (1, 2, 3, 19, 20, 21) for scale in range(min(precision, 4))]
DECIMALS = [f"decimal({precision},{scale})" for precision, scale in DIGITS]
OTHERS = ["text", "float", "boolean", "date", "timestamp", "timestamp(6)", "json"]
LOSSLESS = [("timestamp", "timestamp(6)"), ("json", "text")]


def limits(kind: str) -> list[Decimal]:
    """The values of a type with most digits on either side of the point."""
    if kind == "integer":
        return [Decimal(2**63 - 1), Decimal(-(2**63))]
    precision, scale = map(int, kind.removeprefix("decimal(").removesuffix(")").split(","))
    return [Decimal(10**precision - 1).scaleb(-scale)]


def fits(value: Decimal, kind: str) -> bool:
    [limit] = limits(kind)
    return abs(value) <= limit and value % Decimal(1).scaleb(limit.as_tuple().exponent) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("held", ["integer", *DECIMALS])
def test_a_number_widens_into_exactly_the_decimals_that_hold_each_of_its_values(held: str) -> None:
    found = {declared for declared in DECIMALS if widens(held, declared)}
    assert found == {declared for declared in DECIMALS if all(fits(value, declared) for value in limits(held))}


@pytest.mark.parametrize("kind", ["integer", "decimal(12,2)", *OTHERS])
def test_every_type_may_stay(kind: str) -> None:
    assert widens(kind, kind)


def test_numbers_become_text_and_text_becomes_nothing_else() -> None:
    assert all(widens(held, "text") for held in ("integer", "decimal(12,2)"))
    assert not any(widens("text", declared) for declared in ("integer", "decimal(34,17)", "date", "boolean"))


def test_of_types_that_are_no_numbers_only_these_become_another() -> None:
    pairs = [pair for pair in product(OTHERS, [*OTHERS, "integer", "decimal(34,0)"]) if pair[0] != pair[1]]
    assert [pair for pair in pairs if widens(*pair)] == LOSSLESS


def test_a_decimal_never_becomes_an_integer_nor_a_number_a_float() -> None:
    assert not widens("decimal(12,0)", "integer")
    assert not widens("integer", "float")
    assert not widens("decimal(3,1)", "float")
