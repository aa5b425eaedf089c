"""How much waits for each sink, and since when: known from what is written, and counted where that is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import alerts, outbox


class Waiting:
    """Follows the outbox, one transaction after the other.

    Attributes:
        delivered: what was ticked off since this began to count, each (message, sink) once.
        counts: messages not yet delivered, by sink.
        oldest: when the message that waits longest was decided, by sink; none where nothing waits.
    """

    def __init__(self) -> None:
        self.delivered = 0
        self.counts: Counter[str] = Counter()
        self.oldest: Mapping[str, datetime] = {}
        self._known = False

    async def begin(self, connection: AsyncConnection) -> None:
        """A transaction has begun: counts what waits, where that is not known."""
        if not self._known:
            waiting = select(outbox.c.sink, func.count()).where(outbox.c.delivered_at.is_(None)).group_by(outbox.c.sink)
            counted: Counter[str] = Counter(dict((await connection.execute(waiting)).all()))
            self.delivered += (self.counts - counted).total()
            self.counts = Counter({**dict.fromkeys(self.counts, 0), **counted})
            self.oldest = await _oldest(connection, counted)
        # A transaction that raises may have been committed all the same, its answer lost.
        self._known = False

    async def look(self, connection: AsyncConnection, change: Counter[str]) -> Mapping[str, datetime]:
        """What `oldest` will be once the transaction is committed, which is about to be.

        Args:
            connection: that it is made on.
            change: by how much more waits for each sink after it.
        """
        # What is added is newer than what waits; a look at the others is one at the first entry of an index.
        changed = [sink for sink, more in change.items() if more < 0 or sink not in self.oldest]
        kept = {sink: at for sink, at in self.oldest.items() if sink not in changed}
        return {**kept, **await _oldest(connection, changed)}

    def end(self, change: Counter[str], oldest: Mapping[str, datetime]) -> None:
        """The transaction was committed."""
        self.counts.update(change)
        self.delivered -= min(change.total(), 0)
        self.oldest = oldest
        self._known = True


async def _oldest(connection: AsyncConnection, sinks: Iterable[str]) -> dict[str, datetime]:
    found = {}
    for sink in sinks:
        first = (
            select(alerts.c.at)
            .join(outbox)
            .where(outbox.c.sink == sink, outbox.c.delivered_at.is_(None))
            .order_by(outbox.c.position)
            .limit(1)
        )
        at: datetime | None = await connection.scalar(first)
        if at is not None:  # what was written is UTC; SQLite keeps no time zone
            found[sink] = at if at.tzinfo else at.replace(tzinfo=UTC)
    return found
