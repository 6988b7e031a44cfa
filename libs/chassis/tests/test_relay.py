"""Who leads, on a real PostgreSQL."""

import asyncio

import pytest
from chassis import relay
from chassis.names import Names


async def test_a_leader_that_is_frozen_loses_its_place(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def freeze(*_: object) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(relay, "FROZEN_SECONDS", 1)
    monkeypatch.setattr(relay, "publish_pending", freeze)
    relays = [relay.Relay(dsn, "frozen", Names("t01"), None) for _ in range(2)]  # type: ignore[arg-type]
    first = asyncio.create_task(relays[0].run())
    while not relays[0].is_leader:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    second = asyncio.create_task(relays[1].run())
    try:
        async with asyncio.timeout(8):
            while not relays[1].is_leader:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        first.cancel()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
