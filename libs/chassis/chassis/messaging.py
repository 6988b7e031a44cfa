"""The two verbs: `once` takes an event in, `emit` sends one out, each in the caller's transaction."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from waybill_contracts import Event
from waybill_contracts.codec import encode

from chassis.database import Pool, Tx
from chassis.errors import AlreadyHandled

MAX_BODY_BYTES = 900_000
"""Below the broker's message.max.bytes (1 MiB), headers included."""


@dataclass(frozen=True)
class Context:
    """What the message or job at hand hands on to every event it causes."""

    causation_id: str | None = None
    correlation_id: str | None = None
    replay_id: str | None = None
    trace: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Context":
        return cls(**value)


current: ContextVar[Context] = ContextVar("current", default=Context())  # noqa: B039 - frozen, never mutated


@asynccontextmanager
async def once(db: Pool, event: Event) -> AsyncIterator[Tx]:
    """The one transaction this event will ever get; a second delivery raises AlreadyHandled."""
    async with db.acquire() as tx, tx.transaction():
        is_first = await tx.fetchval(
            "INSERT INTO inbox (event_id, replay_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true",
            event.id,
            current.get().replay_id or "",
        )
        if not is_first:
            raise AlreadyHandled(f"{event.type} {event.id}")
        yield tx


async def emit(tx: Tx, event: Event) -> None:
    """Announce the event if, and only if, this transaction commits."""
    if not tx.is_in_transaction():
        raise RuntimeError("emit needs the transaction that the event reports")
    context = current.get()
    message = encode(
        event,
        source="",
        time=datetime.now(UTC),
        causation_id=context.causation_id,
        correlation_id=event.correlation_id or context.correlation_id,
        replay_id=context.replay_id,
        trace_headers=list(context.trace.items()),
    )
    if len(message.value) > MAX_BODY_BYTES:
        raise ValueError(f"{event.type} has {len(message.value)} bytes; at most {MAX_BODY_BYTES} can be sent")
    # The lock is taken before the number, and held to the commit, so the numbers of one key follow its commits.
    await tx.execute(
        """
        WITH lock AS MATERIALIZED (
            SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || $2::text || ' ' || $3::text, 0)),
                pg_notify(current_schema() || '_outbox', '')
        )
        INSERT INTO outbox (id, topic, aggregatetype, aggregateid, type, payload, headers)
        SELECT $1::uuid, $2::text, 'dataset', $3::text, $4, $5::bytea, $6::jsonb FROM lock
        """,
        event.id,
        event.topic,
        event.message_key,
        event.type,
        message.value,
        {name: value.decode() for name, value in message.headers if name != "ce_source"},
    )
