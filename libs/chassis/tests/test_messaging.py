"""once and emit on a real PostgreSQL."""

import asyncio
import time
from uuid import uuid4

import asyncpg
import pytest
from chassis.database import Pool, open_pool
from chassis.errors import AlreadyHandled, is_away
from chassis.messaging import Context, current, emit, once
from chassis.names import Names
from chassis.relay import publish_pending
from stack.namespaces import Namespace
from waybill_contracts import FileGone
from waybill_contracts.codec import decode


def gone(table: str = "orders") -> FileGone:
    return FileGone(organisation="acme", table=table, file_id=uuid4(), presence="gone")


class Place:
    partition, offset = 0, 7


class KafkaDouble:
    """Takes what the relay sends; refuses the keys it is told to."""

    def __init__(self, *refused: bytes) -> None:
        self.refused = refused
        self.sent: list[tuple[bytes, bytes, list[tuple[str, bytes]]]] = []

    async def send(self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]) -> asyncio.Future:
        future: asyncio.Future = asyncio.get_running_loop().create_future()
        if key in self.refused:
            future.set_exception(OSError("broken pipe"))
        else:
            self.sent.append((key, value, headers))
            future.set_result(Place)
        return future


async def test_a_second_delivery_changes_nothing(db: Pool) -> None:
    event = gone()
    async with once(db, event) as tx:
        await emit(tx, gone())
    with pytest.raises(AlreadyHandled):
        async with once(db, event) as tx:
            await emit(tx, gone())
    assert await db.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_crash_inside_leaves_neither_inbox_nor_outbox(db: Pool) -> None:
    event = gone()
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with once(db, event) as tx:
            await emit(tx, gone())
            raise RuntimeError("crash")
    assert await db.fetchval("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM inbox)") == 0


async def test_deliveries_at_once_have_one_effect(db: Pool) -> None:
    event = gone()

    async def deliver() -> bool:
        try:
            async with once(db, event) as tx:
                await emit(tx, gone())
        except AlreadyHandled:
            return False
        return True

    assert sum(await asyncio.gather(*[deliver() for _ in range(8)])) == 1
    assert await db.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_replay_is_handled_once_more_and_hands_its_id_on(db: Pool) -> None:
    event = gone()
    async with once(db, event):
        pass
    token = current.set(Context(causation_id="c", replay_id="again-1"))
    try:
        async with once(db, event) as tx:
            await emit(tx, gone())
        with pytest.raises(AlreadyHandled):
            async with once(db, event):
                pass
    finally:
        current.reset(token)
    headers = await db.fetchval("SELECT headers FROM outbox")
    assert headers["waybill-replay-id"] == "again-1"
    assert headers["ce_causationid"] == "c"


async def test_emit_outside_a_transaction_is_refused(db: Pool) -> None:
    async with db.acquire() as connection:
        with pytest.raises(RuntimeError):
            await emit(connection, gone())


async def test_numbers_of_one_key_follow_its_commits(db: Pool) -> None:
    """A cursor over ids would skip a late commit; the lock makes the second writer of the key wait for the first."""
    first_emitted = asyncio.Event()
    order: list[str] = []

    async def slow() -> None:
        async with db.acquire() as tx, tx.transaction():
            await emit(tx, gone())
            first_emitted.set()
            await asyncio.sleep(0.3)
            async with db.acquire() as other, other.transaction():
                await emit(other, gone("other"))
            order.append("slow")

    async def fast() -> None:
        await first_emitted.wait()
        async with db.acquire() as tx, tx.transaction():
            await emit(tx, gone())
            order.append("fast")

    await asyncio.gather(slow(), fast())
    assert order == ["slow", "fast"]
    # The one that waited took its number only when it had the lock.
    numbered = [row["aggregateid"] for row in await db.fetch("SELECT aggregateid FROM outbox ORDER BY seq")]
    assert numbered == ["acme/orders", "acme/other", "acme/orders"]


async def test_a_transaction_of_a_frozen_process_is_ended_by_the_server(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.database.TRANSACTION_SECONDS", 1)
    async with open_pool(namespace.environment["WAYBILL_POSTGRES__DSN"], "public") as pool:

        async def freeze() -> None:
            async with pool.acquire() as tx, tx.transaction():
                time.sleep(2)  # noqa: ASYNC251 - the whole process does nothing, as when it is frozen
                await tx.execute("SELECT 1")

        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await freeze()
        async with pool.acquire() as tx, tx.transaction():
            await tx.execute("SELECT 1")


async def test_whatever_a_connection_says_that_its_server_ended_means_that_the_server_is_away(db: Pool) -> None:
    for moments in range(4):
        async with db.acquire() as ended:
            number = await ended.fetchval("SELECT pg_backend_pid()")
            async with db.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1)", number)
            time.sleep(0.2)  # noqa: ASYNC251 - the server's last word and the end are both there, and neither is read
            for _ in range(moments):
                await asyncio.sleep(0)
            with pytest.raises(Exception, match=r".") as error:
                await ended.execute("COMMIT")
            assert is_away(error.value), repr(error.value)


async def test_the_relay_marks_per_key_what_precedes_a_failure_and_sends_the_rest_again(db: Pool) -> None:
    async with db.acquire() as tx, tx.transaction():
        for table in ("good", "bad", "good"):
            await emit(tx, gone(table))
    kafka = KafkaDouble(b"acme/bad")
    async with db.acquire() as connection:
        assert await publish_pending(connection, kafka, Names("t99"), "/t99/registry") == 2
        kafka.refused = ()
        assert await publish_pending(connection, kafka, Names("t99"), "/t99/registry") == 1
        assert await publish_pending(connection, kafka, Names("t99"), "/t99/registry") == 0
    assert [key for key, _, _ in kafka.sent] == [b"acme/good", b"acme/good", b"acme/bad"]
    decoded = decode(kafka.sent[0][1], kafka.sent[0][2])
    assert decoded.source == "/t99/registry"
    assert isinstance(decoded.event, FileGone)
