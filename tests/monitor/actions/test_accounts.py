"""What may be done to accounts, by whom, and what the audit log tells of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.access import AccountError, ForbiddenError, Principal, Role
from monitor.access.passwords import Passwords
from monitor.actions.accounts import Accounts
from monitor.store import AccountStore
from tests.monitor.access.cheap import CHEAP, PASSWORD
from tests.monitor.store.examples import made

pytestmark = pytest.mark.anyio

ADMIN = Principal("root", "admin")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

Action = Callable[[Accounts, Principal], Awaitable[Any]]
ACTIONS: dict[str, tuple[Action, Role]] = {
    "user.list": (lambda do, who: do.users(who, "192.0.2.1"), "admin"),
    "user.add": (lambda do, who: do.add_user(who, "192.0.2.1", "new", role="viewer", password=PASSWORD), "admin"),
    "user.role": (lambda do, who: do.set_role(who, "192.0.2.1", "ben", role="admin"), "admin"),
    "user.password": (lambda do, who: do.set_password(who, "192.0.2.1", "ben", PASSWORD), "admin"),
    "user.delete": (lambda do, who: do.delete_user(who, "192.0.2.1", "ben"), "admin"),
    "audit.read": (lambda do, who: do.audit(who, "192.0.2.1", 10), "admin"),
    "audit.read ": (lambda do, who: do.audit_page(who, "192.0.2.1", 10, None), "admin"),
    "token.list": (lambda do, who: do.tokens(who, "192.0.2.1"), "viewer"),
    "token.add": (lambda do, who: do.create_token(who, "192.0.2.1", "new", role="operator"), "operator"),
}


@contextlib.asynccontextmanager
async def accounts(folder: Path) -> AsyncIterator[Accounts]:
    """With an admin `root` and an operator `ben`."""
    passwords, store = Passwords(CHEAP), await AccountStore.open(await made(folder))
    do = Accounts(store, passwords, None, lambda: NOW)
    await do.add_user(ADMIN, "cli", "root", role="admin", password=PASSWORD)
    await do.add_user(ADMIN, "cli", "ben", role="operator", password=PASSWORD, streams=frozenset({"lobby"}))
    yield do
    await store.aclose()
    passwords.close()


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
async def test_each_action_is_for_its_roles_and_every_refusal_is_told(tmp_path: Path, name: str, role: Role) -> None:
    action, least = ACTIONS[name]
    name = name.strip()  # two ways to read the log
    who = Principal("somebody", role)
    async with accounts(tmp_path) as do:
        before = len(await do.audit(ADMIN, "cli", 100))
        if who.may(least):
            await action(do, who)
            told = (await do.audit(ADMIN, "cli", 100))[before:]
            expected = [] if name.endswith((".list", ".read")) else [("somebody", name, "done", "192.0.2.1")]
        else:
            with pytest.raises(ForbiddenError, match=f"this takes the role {least}; yours is {role}"):
                await action(do, who)
            told = (await do.audit(ADMIN, "cli", 100))[before:]
            expected = [("somebody", name, "refused", "192.0.2.1")]
        assert [(each.who, each.action, each.outcome, each.source) for each in told] == expected
        assert all(each.at == NOW for each in told)


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (lambda do: do.add_user(ADMIN, "cli", "ben", role="viewer", password=PASSWORD), "there is a user ben already"),
        (lambda do: do.add_user(ADMIN, "cli", "Ben!", role="viewer", password=PASSWORD), "a name is up to 63 of"),
        (lambda do: do.add_user(ADMIN, "cli", "local", role="viewer", password=PASSWORD), "taken by the service"),
        (lambda do: do.add_user(ADMIN, "cli", "token:x", role="viewer", password=PASSWORD), "a name is up to 63"),
        (lambda do: do.add_user(ADMIN, "cli", "x", role="viewer", password="short"), "at least 12 characters"),
        (
            lambda do: do.add_user(ADMIN, "cli", "x", role="admin", password=PASSWORD, streams=frozenset({"a"})),
            "an admin sees every stream",
        ),
        (lambda do: do.set_role(ADMIN, "cli", "root", role="viewer"), "root is the only admin"),
        (lambda do: do.delete_user(ADMIN, "cli", "root"), "root is the only admin"),
        (lambda do: do.delete_user(ADMIN, "cli", "nobody"), "there is no user nobody"),
        (lambda do: do.set_password(ADMIN, "cli", "nobody", PASSWORD), "there is no user nobody"),
        (lambda do: do.revoke_token(ADMIN, "cli", "nothing"), "there is no token nothing"),
        (
            lambda do: do.create_token(ADMIN, "cli", "t", role="viewer", lasts=timedelta(0)),
            "a token lasts longer than that",
        ),
        (lambda do: do.change_password(ADMIN, "cli", PASSWORD, "x"), "only users who log in have a password"),
    ],
)
async def test_what_cannot_be_done_is_said_and_told(
    tmp_path: Path, action: Callable[[Accounts], Awaitable[Any]], complaint: str
) -> None:
    async with accounts(tmp_path) as do:
        with pytest.raises(AccountError, match=complaint):
            await action(do)
        *_, last = await do.audit(ADMIN, "cli", 100)
        assert last.outcome == "failed"
        assert complaint in (last.detail or "")
        assert [user.name for user in await do.users(ADMIN, "cli")] == ["ben", "root"]


async def test_the_log_tells_who_what_about_whom_and_no_secret(tmp_path: Path) -> None:
    async with accounts(tmp_path) as do:
        secret = await do.create_token(ADMIN, "192.0.2.1", "ci", role="viewer", streams=frozenset({"gate", "lobby"}))
        await do.set_password(ADMIN, "192.0.2.1", "ben", "another good password")
        log = await do.audit(ADMIN, "cli", 2)
        assert [(each.who, each.action, each.about, each.detail) for each in log] == [
            ("root", "token.add", "token:ci", "viewer of gate, lobby"),
            ("root", "user.password", "ben", None),
        ]
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("alerts.db*"))
    assert b"ci" in kept
    for hidden in (secret, PASSWORD, "another good password"):
        assert hidden.encode() not in kept


async def test_names_that_are_none_do_not_fill_the_log(tmp_path: Path) -> None:
    async with accounts(tmp_path) as do:
        with pytest.raises(ForbiddenError):
            await do.delete_user(Principal("ben", "operator"), "192.0.2.1", "x" * 1_000_000)
        *_, last = await do.audit(ADMIN, "cli", 100)
        assert len(last.about or "") <= 80
