"""The flow of events is what the code does, complete, and written down."""

import flow
import house
import pytest
from waybill_contracts import EVENTS


def test_the_page_is_fresh() -> None:
    assert flow.PAGE.read_text() == flow.page(), "run: uv run python tests/architecture/flow.py"


@pytest.mark.parametrize("name", house.SERVICES)
def test_a_service_emits_exactly_what_it_says(name: str) -> None:
    service = flow.part_of(name).service
    assert {event.__name__ for event in service.emits} == flow.made_in(f"services/{name}/{name}")


def test_the_command_line_only_asks() -> None:
    assert {event.__name__ for event in EVENTS if event.topic == "requests"} == flow.made_in("cli")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_no_event_is_an_orphan(event: type) -> None:
    assert flow.emitters(event), f"{event.__name__}: nobody emits it"
    assert bool(flow.handlers(event)) != (event.__name__ in flow.FOR_LATER_SERVICES)


@pytest.mark.parametrize("name", house.SERVICES)
def test_every_handler_is_one_of_the_service_and_it_has_tables_of_its_own(name: str) -> None:
    part = flow.part_of(name)
    modules = {getattr(handler, "func", handler).__module__ for handler in part.service.handles.values()}
    assert {module.rsplit(".", 1)[-1] for module in modules} == {"handlers"}
    assert {module.split(".")[0] for module in modules} == {part.service.name} == {name}
    assert part.tables


def test_an_event_that_is_made_is_seen_and_one_that_is_matched_is_not() -> None:
    emitting = "async def f(tx):\n    await emit(tx, FileLoaded(position=1))"
    making = "def f():\n    return waybill_contracts.FileGone(presence='gone')"
    matching = "match event:\n    case FileSkipped():\n        pass"
    assert flow.made(map(house.parsed, [emitting, making, matching])) == {"FileLoaded", "FileGone"}


def test_tables_are_found_in_migrations() -> None:
    assert "outbox" in flow.tables(house.ROOT / "libs/chassis/chassis/migrations")
