"""How people name files and datasets, and what they are told to do."""

from typing import Any, cast

import pytest
from waybill.output import Refusal
from waybill.references import DATASET, find_file, name_of, split_dataset
from waybill.stores import Stores, address
from waybill.waybills import advice
from waybill_contracts.event import ORGANISATION_PATTERN, TABLE_PATTERN

FILE = {"dataset": "acme/orders", "arrival": 12, "key": "acme/orders/a.csv", "file_id": "01a1fd7d-bf76-73ed"}
TOLD: dict[str, Any] = {"name": "acme/orders#12", "state": "LOADED", "jobs": [], "rows": {"rejected": 0}}


class Registry:
    """Answers every query with the same rows, and remembers with what it was asked."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Any, ...]] = []

    async def registry(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        self.asked.append(arguments)
        return self.answers.pop(0) if self.answers else []


async def found(reference: str, *answers: list[dict[str, Any]]) -> Registry:
    registry = Registry(*answers)
    assert await find_file(cast(Stores, registry), reference) == FILE
    return registry


async def test_a_file_is_found_by_dataset_and_number() -> None:
    assert (await found("acme/orders#12", [FILE])).asked == [("acme/orders", 12)]


async def test_a_file_is_found_by_the_beginning_of_its_id() -> None:
    assert (await found("01a1fd7d", [FILE])).asked == [("01a1fd7d",)]


@pytest.mark.parametrize("key", ["acme/orders/a.csv", "acme/orders#12", "dead", "März #1.csv", "%"])
async def test_a_file_is_found_by_its_object_key_whatever_it_looks_like(key: str) -> None:
    assert (await found(key, *([[]] if key in ("acme/orders#12", "dead") else []), [FILE])).asked[-1] == (key,)


async def test_a_beginning_that_several_ids_share_is_refused_and_names_them() -> None:
    with pytest.raises(Refusal, match=r"acme/orders#12 is 01a1fd7d-bf76-73ed, .*write more"):
        await found("01a1", [FILE, FILE | {"arrival": 13}])


async def test_a_reference_that_fits_nothing_is_refused() -> None:
    with pytest.raises(Refusal, match="file list"):
        await found("acme/orders#13")


def test_a_file_without_a_dataset_is_called_by_its_key() -> None:
    assert name_of(FILE) == "acme/orders#12"
    assert name_of(FILE | {"arrival": None}) == "acme/orders/a.csv"


@pytest.mark.parametrize(
    "wrong", ["orders", "acme/", "/orders", "Acme/orders", "acme/or ders", "a/b/c", "acme/x\n", ""]
)
def test_what_is_no_dataset_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(Refusal, match="as acme/orders"):
        split_dataset(wrong)


def test_a_dataset_is_what_the_contracts_take_for_one() -> None:
    organisation, table = ORGANISATION_PATTERN.strip("^$"), TABLE_PATTERN.strip("^$")
    assert DATASET.pattern == f"({organisation})/({table})"


def test_an_address_does_not_show_the_password() -> None:
    assert address("postgresql://waybill:secret@db.example:5432/waybill") == "db.example:5432"
    assert address("mongodb://u:p@one:1,two:2/?directConnection=true") == "one:1,two:2"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (TOLD | {"state": "FAILED", "rows": {"rejected": 3}}, "file rejects 'acme/orders#12'"),
        (TOLD | {"state": "FAILED"}, "file retry 'acme/orders#12' --as-declared-now"),
        (TOLD | {"state": "IGNORED"}, "dataset apply"),
        (TOLD | {"state": "INGESTED", "jobs": [{"kind": "load", "state": "FAILED"}]}, "file retry 'acme/orders#12'"),
    ],
)
def test_a_file_that_needs_a_person_says_what_to_do(told: dict[str, Any], words: str) -> None:
    assert words in (advice(told) or "")


@pytest.mark.parametrize("state", ["LOADED", "SKIPPED", "INGESTED", "REGISTERED"])
def test_a_file_that_needs_nobody_says_nothing(state: str) -> None:
    assert advice(TOLD | {"state": state}) is None
