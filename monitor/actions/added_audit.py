"""What the audit log has of changes to added streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from monitor.access import AuditEntry, Principal
from monitor.actions.errors import ConflictError, FaultyError
from monitor.actions.kept_secrets import hidden
from monitor.redact import redact
from monitor.store import AddedStreamStore


def entry_of(principal: Principal, action: str, name: str, source: str, sent: Mapping[str, Any]) -> AuditEntry:
    """That somebody has done something to a stream, of which fields were sent; without credentials."""
    url = sent.get("url")
    detail = hidden(url)[:200] if isinstance(url, str) else None
    return AuditEntry(datetime.now(UTC), principal.name, action, name[:80], source, "done", detail)


def undone(entry: AuditEntry) -> AuditEntry:
    """The same, where it was taken back."""
    return replace(entry, outcome="failed", detail="taken back, as it cannot be watched so")


@asynccontextmanager
async def told_of_failure(store: AddedStreamStore, entry: AuditEntry) -> AsyncIterator[None]:
    """Tells of a change that comes to nothing, too."""
    try:
        yield
    except (ConflictError, FaultyError) as error:
        await store.tell(replace(entry, outcome="failed", detail=redact(str(error))[:200]))
        raise
