"""What is said of a dependency that does not answer."""

import asyncio
from contextlib import suppress

import pytest
from chassis.health import Health


async def test_a_dependency_that_neither_answers_nor_lets_go_is_missed_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.health.PROBE_SECONDS", 0.02)
    monkeypatch.setattr("chassis.health.PROBE_TIMEOUT_SECONDS", 0.05)
    answers = asyncio.Event()

    async def probe() -> None:
        # As a client does that waits for the server's word even when it is told to stop.
        while not answers.is_set():
            with suppress(asyncio.CancelledError):
                await answers.wait()

    health = Health({"postgresql": probe})
    health.at(None)
    watching = asyncio.create_task(health.watch())
    await asyncio.sleep(0.3)
    assert health.reasons() == {"postgresql": "no answer"}
    answers.set()
    await asyncio.sleep(0.3)
    assert health.reasons() == {}
    watching.cancel()
