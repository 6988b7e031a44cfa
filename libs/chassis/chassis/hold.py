"""After too many dead letters in a row a consumer holds its next message until they are dealt with, over restarts too.

A bad release must not empty a topic into the dead letters.
"""

from collections.abc import Mapping
from datetime import datetime

from chassis.database import Pool

DEAD_IN_A_ROW = 10


class Hold:
    """The row of `consumers` of one topic and group."""

    def __init__(self, db: Pool, topic: str, group: str) -> None:
        self._db = db
        self._topic = topic
        self._group = group
        self._dead_in_a_row = 0
        self._last_dead: tuple[int, int] | None = None
        self._held_since: datetime | None = None
        self._reason: str | None = None

    @property
    def is_held(self) -> bool:
        return self._held_since is not None

    @property
    def text(self) -> str:
        """What an operator must know."""
        return (
            f"held since {self._held_since:%Y-%m-%d %H:%M:%S}Z after {self._dead_in_a_row} dead letters in a row"
            f" (last: {self._reason}); redrive or discard them"
        )

    async def load(self) -> None:
        """Read where the consumer stood when it last ran."""
        row = await self._db.fetchrow(
            "SELECT dead_in_a_row, last_dead_partition, last_dead_offset, reason, held_since"
            " FROM consumers WHERE topic = $1 AND consumer_group = $2",
            self._topic,
            self._group,
        )
        if row:
            self._dead_in_a_row, self._held_since, self._reason = row["dead_in_a_row"], row["held_since"], row["reason"]
            if row["last_dead_offset"] is not None:
                self._last_dead = row["last_dead_partition"], row["last_dead_offset"]

    async def note_success(self) -> None:
        """A message was handled: the row of dead letters is broken."""
        if self._dead_in_a_row:
            await self._clear()

    async def note_dead(self, partition: int, offset: int, reason: str) -> None:
        """A message became the dead letter at this place."""
        row = await self._db.fetchrow(
            """
            INSERT INTO consumers AS c
                (topic, consumer_group, dead_in_a_row, last_dead_partition, last_dead_offset, reason)
            VALUES ($1, $2, 1, $3, $4, $5)
            ON CONFLICT (topic, consumer_group) DO UPDATE
            SET dead_in_a_row = c.dead_in_a_row + 1, last_dead_partition = $3, last_dead_offset = $4, reason = $5,
                held_since = CASE WHEN c.dead_in_a_row + 1 >= $6 THEN coalesce(c.held_since, now()) END
            RETURNING dead_in_a_row, held_since
            """,
            self._topic,
            self._group,
            partition,
            offset,
            reason,
            DEAD_IN_A_ROW,
        )
        assert row
        self._dead_in_a_row, self._held_since = row["dead_in_a_row"], row["held_since"]
        self._last_dead, self._reason = (partition, offset), reason

    async def release_if_passed(self, committed: Mapping[int, int]) -> bool:
        """Go on if the dead letters' own group was committed past the last one, which redrive and discard do."""
        if not self._held_since or not self._last_dead:
            return False
        partition, offset = self._last_dead
        if committed.get(partition, -1) <= offset:
            return False
        await self._clear()
        return True

    async def _clear(self) -> None:
        await self._db.execute(
            "UPDATE consumers SET dead_in_a_row = 0, reason = NULL, held_since = NULL"
            " WHERE topic = $1 AND consumer_group = $2",
            self._topic,
            self._group,
        )
        self._dead_in_a_row, self._held_since, self._reason = 0, None, None
