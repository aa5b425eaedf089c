from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.access import AccountError, AuditEntry, Token, User
from monitor.store import AccountStore
from tests.monitor.store.examples import an_alert, opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENTRY = AuditEntry(NOW, "cli:root", "test", None, "cli", "done")
ANNA = User("anna", "admin", None, "hash-a", NOW)
BEN = User("ben", "operator", frozenset({"lobby", "gate"}), "hash-b", NOW)
TOKEN = Token("ci", "f" * 64, "viewer", frozenset({"lobby"}), None, NOW, NOW + timedelta(days=1), None)


@contextlib.asynccontextmanager
async def accounts(url: str) -> AsyncIterator[AccountStore]:
    """Beside a service that runs."""
    async with opened(url):
        store = await AccountStore.open(url)
        try:
            yield store
        finally:
            await store.aclose()


async def test_what_is_kept_comes_back(url: str) -> None:
    async with accounts(url) as store:
        await store.add_user(ANNA, ENTRY)
        await store.add_user(BEN, ENTRY)
        await store.add_token(TOKEN, ENTRY)
        await store.add_token(replace(TOKEN, name="phone", fingerprint="e" * 64, owner="ben", expires_at=None), ENTRY)
        assert await store.users() == [ANNA, BEN]
        assert await store.user("ben") == BEN
        assert await store.user("carl") is None
        assert await store.token("f" * 64) == (TOKEN, None)
        found = await store.token("e" * 64)
        assert found is not None
        assert found[1] == BEN
        await store.touch_token("f" * 64, NOW + timedelta(hours=1))
        assert [token.used_at for token in await store.tokens()] == [NOW + timedelta(hours=1), None]
        assert await store.begin_session("s", BEN, ENTRY)
        session = await store.session("s")
        assert session is not None
        assert (session.user, session.began_at, session.seen_at) == (BEN, NOW, NOW)


async def test_names_are_taken_once_and_the_log_tells_of_what_happened_alone(url: str) -> None:
    async with accounts(url) as store:
        await store.add_user(ANNA, replace(ENTRY, about="first"))
        with pytest.raises(AccountError, match="there is a user anna already"):
            await store.add_user(replace(ANNA, password_hash="other"), replace(ENTRY, about="second"))
        for change in (
            store.set_role("nobody", "viewer", None, ENTRY),
            store.set_password("nobody", "h", ENTRY),
            store.delete_user("nobody", ENTRY),
        ):
            with pytest.raises(AccountError, match="there is no user nobody"):
                await change
        with pytest.raises(AccountError, match="there is no token ci"):
            await store.revoke_token("ci", ENTRY)
        assert [entry.about for entry in await store.audit(10)] == ["first"]
        assert (await store.user("anna")) == ANNA


async def test_the_last_admin_stays_whoever_asks_at_the_same_time(url: str) -> None:
    async with accounts(url) as one:
        other = await AccountStore.open(url)
        carl = replace(ANNA, name="carl")
        await one.add_user(ANNA, ENTRY)
        for change in (one.delete_user("anna", ENTRY), one.set_role("anna", "operator", None, ENTRY)):
            with pytest.raises(AccountError, match="anna is the only admin"):
                await change
        await one.set_role("anna", "admin", None, ENTRY)
        for _ in range(5):
            await one.add_user(carl, ENTRY)
            results = await asyncio.gather(
                one.set_role("anna", "viewer", None, ENTRY), other.delete_user("carl", ENTRY), return_exceptions=True
            )
            assert sum(isinstance(result, AccountError) for result in results) == 1, results
            assert [user.role for user in await one.users()].count("admin") == 1
            if await one.user("carl") is not None:
                await one.set_role("anna", "admin", None, ENTRY)
                await one.delete_user("carl", ENTRY)
        await other.aclose()


async def test_what_was_somebodys_goes_with_them(url: str) -> None:
    async with accounts(url) as store:
        await store.add_user(ANNA, ENTRY)
        await store.add_user(BEN, ENTRY)
        await store.begin_session("s", BEN, ENTRY)
        await store.add_token(replace(TOKEN, owner="ben"), ENTRY)
        await store.delete_user("ben", ENTRY)
        assert await store.session("s") is None
        assert await store.token(TOKEN.fingerprint) is None
        assert await store.tokens() == []


async def test_a_new_password_ends_sessions_and_no_login_by_the_old_one_comes_through(url: str) -> None:
    async with accounts(url) as store:
        await store.add_user(BEN, ENTRY)
        await store.begin_session("s", BEN, ENTRY)
        await store.set_password("ben", "new", ENTRY)
        assert await store.session("s") is None
        assert not await store.begin_session("t", BEN, ENTRY)
        assert await store.session("t") is None
        await store.renew_hash("ben", "hash-b", "renewed old")
        changed = await store.user("ben")
        assert changed is not None
        assert changed.password_hash == "new"


async def test_old_sessions_and_lines_are_forgotten(url: str) -> None:
    async with accounts(url) as store:
        await store.add_user(BEN, ENTRY)
        await store.begin_session("old", BEN, ENTRY)
        await store.begin_session("used", BEN, ENTRY)
        await store.touch_session("used", NOW + timedelta(hours=2))
        await store.begin_session("new", BEN, replace(ENTRY, at=NOW + timedelta(hours=3)))
        await store.forget_sessions(seen_before=NOW + timedelta(hours=1), began_before=NOW)
        assert [await store.session(name) is None for name in ("old", "used", "new")] == [True, False, False]
        await store.forget_sessions(seen_before=NOW, began_before=NOW + timedelta(hours=1))
        assert [await store.session(name) is None for name in ("used", "new")] == [True, False]
        await store.forget_audit(NOW + timedelta(hours=1))
        assert [entry.at for entry in await store.audit(10)] == [NOW + timedelta(hours=3)]


async def test_accounts_are_asked_while_the_service_records(sqlite_url: str) -> None:
    async with opened(sqlite_url) as service:
        store = await AccountStore.open(sqlite_url)
        await store.add_user(ANNA, ENTRY)
        found = await asyncio.gather(
            *(service.record(an_alert(number), ["mqtt"]) for number in range(20)),
            *(store.user("anna") for _ in range(20)),
            *(store.tell(ENTRY) for _ in range(20)),
        )
        assert found[20:40] == [ANNA] * 20
        assert len(await store.audit(100)) == 21
        await store.aclose()


async def test_no_secret_is_in_the_file(sqlite_url: str, tmp_path: Path) -> None:
    from monitor.access.fingerprints import fingerprint, new_session_id, new_token

    session_id, token = new_session_id(), new_token()
    async with accounts(sqlite_url) as store:
        await store.add_user(BEN, ENTRY)
        await store.begin_session(fingerprint(session_id), BEN, ENTRY)
        await store.add_token(replace(TOKEN, fingerprint=fingerprint(token)), ENTRY)
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert fingerprint(token).encode() in kept
    assert session_id.encode() not in kept
    assert token.encode() not in kept
