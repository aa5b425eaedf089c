from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.access import AuditEntry, Token, User
from monitor.access.fingerprints import fingerprint, new_token
from monitor.access.sessions import Sessions
from monitor.access.tokens import Tokens
from monitor.errors import StoreError
from monitor.store import AccountStore
from tests.logs import told
from tests.monitor.store.examples import made

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANNA = User("anna", "admin", None, "hash", NOW)
ENTRY = AuditEntry(NOW, "cli:root", "test", None, "cli", "done")


class FullDisk(AccountStore):
    """The store as it is, but that uses cannot be noted while `full`."""

    full = True

    async def touch_session(self, fingerprint: str, at: datetime) -> None:
        if self.full:
            raise StoreError("alerts.db: database or disk is full")
        await super().touch_session(fingerprint, at)

    async def touch_token(self, fingerprint: str, at: datetime) -> None:
        if self.full:
            raise StoreError("alerts.db: database or disk is full")
        await super().touch_token(fingerprint, at)


async def test_on_a_full_disk_one_can_still_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = await FullDisk.open(await made(tmp_path))
    await store.add_user(ANNA, ENTRY)
    secret = new_token()
    await store.add_token(Token("ci", fingerprint(secret), "viewer", None, None, NOW, None, None), ENTRY)
    later = NOW
    sessions = Sessions(store, timedelta(hours=1), timedelta(days=1), lambda: later)
    tokens = Tokens(store, lambda: later)
    session_id = await sessions.begin(ANNA, "192.0.2.1")
    assert session_id is not None
    for _ in range(3):
        later += timedelta(minutes=10)
        assert await sessions.find(session_id) is not None
        assert await tokens.find(secret) is not None
    assert told(caplog) == [
        f"uses of {what} cannot be noted, so they may end early: alerts.db: database or disk is full"
        for what in ("sessions", "tokens")
    ]
    store.full = False
    assert await sessions.find(session_id) is not None
    later += timedelta(minutes=50)
    assert await sessions.find(session_id) is not None
    await store.aclose()


async def test_uses_are_noted_once_a_minute_and_old_sessions_are_forgotten_at_a_login(tmp_path: Path) -> None:
    store = await AccountStore.open(await made(tmp_path))
    await store.add_user(ANNA, ENTRY)
    later = NOW
    sessions = Sessions(store, timedelta(hours=1), timedelta(days=1), lambda: later)
    session_id = await sessions.begin(ANNA, "192.0.2.1")
    assert session_id is not None
    seen = []
    for seconds in (30, 61, 90):
        later = NOW + timedelta(seconds=seconds)
        await sessions.find(session_id)
        stored = await store.session(fingerprint(session_id))
        assert stored is not None
        seen.append((stored.seen_at - NOW).total_seconds())
    assert seen == [0, 61, 61]
    later = NOW + timedelta(days=2)
    assert await sessions.find(session_id) is None
    await sessions.begin(ANNA, "192.0.2.1")
    assert await store.session(fingerprint(session_id)) is None
    assert [entry.at for entry in await store.audit(10)] == [later]
    await store.aclose()
