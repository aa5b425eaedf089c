"""`gend-monitor user`, `token` and `audit`: who may ask the service, and what they did.

They write into the service's store, whether or not it runs, and hold from the next request on. Whoever can read the
configuration and write the store may do everything; the audit log calls them `cli:<user of the system>`.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from monitor.access import AccountError, Principal, Role
from monitor.access.passwords import check_password
from monitor.cli_options import AsJson, ConfigFile, load
from monitor.config import MonitorConfig
from monitor.errors import ConfigError
from monitor.moments import duration

if TYPE_CHECKING:
    from monitor.access import AuditEntry, Token, User
    from monitor.actions.accounts import Accounts

T = TypeVar("T")

_SOURCE = "cli"

user = typer.Typer(help="Users who may log in.", no_args_is_help=True, rich_markup_mode=None)
token = typer.Typer(help="Tokens by which programs ask.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Name of the user.")]
TokenName = Annotated[str, typer.Argument(help="Name of the token.")]
Streams = Annotated[
    list[str] | None, typer.Option("--stream", help="A stream that they may see; give it again for more. Default: all.")
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
]


@user.command("add", epilog="Example: gend-monitor user add monitor.yaml anna --role operator --stream lobby")
def add_user(
    config: ConfigFile,
    name: Name,
    role: Annotated[Role, typer.Option(help="viewer looks, operator reviews and publishes, admin does everything.")],
    streams: Streams = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Add a user; the password is asked for."""
    loaded = load(config)
    seen = _streams(loaded, streams)
    password = _password(name, from_stdin=password_stdin)
    _do(loaded, lambda do, who: do.add_user(who, _SOURCE, name, role=role, password=password, streams=seen))
    print(f"{name}: added, {_scope(role, seen)}")


@user.command("list", epilog="Example: gend-monitor user list monitor.yaml --json")
def list_users(config: ConfigFile, as_json: AsJson = False) -> None:
    """Print all users, by name."""
    for each in _do(load(config), lambda do, who: do.users(who, _SOURCE)):
        print(json.dumps(_user_fields(each)) if as_json else f"{each.name}: {_scope(each.role, each.streams)}")


@user.command("role", epilog="Example: gend-monitor user role monitor.yaml anna viewer --stream lobby --stream gate")
def set_role(
    config: ConfigFile,
    name: Name,
    role: Annotated[Role, typer.Argument(help="What they may do from now on.")],
    streams: Streams = None,
) -> None:
    """Change what a user may do, and which streams they see."""
    loaded = load(config)
    seen = _streams(loaded, streams)
    _do(loaded, lambda do, who: do.set_role(who, _SOURCE, name, role=role, streams=seen))
    print(f"{name}: {_scope(role, seen)}")


@user.command("password", epilog="Example: gend-monitor user password monitor.yaml anna")
def set_password(config: ConfigFile, name: Name, password_stdin: PasswordStdin = False) -> None:
    """Give a user another password; all their logins end."""
    loaded = load(config)
    password = _password(name, from_stdin=password_stdin)
    _do(loaded, lambda do, who: do.set_password(who, _SOURCE, name, password))
    print(f"{name}: the password is changed, and every login has ended")


@user.command("delete", epilog="Example: gend-monitor user delete monitor.yaml anna")
def delete_user(config: ConfigFile, name: Name) -> None:
    """Remove a user, with their logins and tokens."""
    _do(load(config), lambda do, who: do.delete_user(who, _SOURCE, name))
    print(f"{name}: removed")


@token.command("add", epilog="Example: gend-monitor token add monitor.yaml prometheus --role viewer --for 365d")
def add_token(
    config: ConfigFile,
    name: TokenName,
    role: Annotated[Role, typer.Option(help="What it may do.")],
    streams: Streams = None,
    length: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="12h, 90d; without it, until it is revoked.")
    ] = None,
) -> None:
    """Make a token and print it, once: only its SHA-256 is kept."""
    loaded = load(config)
    seen = _streams(loaded, streams)
    lasts = None if length is None else duration(length)
    made = _do(loaded, lambda do, who: do.create_token(who, _SOURCE, name, role=role, streams=seen, lasts=lasts))
    print(made)


@token.command("list", epilog="Example: gend-monitor token list monitor.yaml")
def list_tokens(config: ConfigFile, as_json: AsJson = False) -> None:
    """Print all tokens, by name; not what they are."""
    for each in _do(load(config), lambda do, who: do.tokens(who, _SOURCE)):
        print(json.dumps(_token_fields(each)) if as_json else _token_line(each))


@token.command("revoke", epilog="Example: gend-monitor token revoke monitor.yaml prometheus")
def revoke_token(config: ConfigFile, name: TokenName) -> None:
    """Make a token worth nothing."""
    _do(load(config), lambda do, who: do.revoke_token(who, _SOURCE, name))
    print(f"{name}: revoked")


def audit(
    config: ConfigFile,
    limit: Annotated[int, typer.Option(help="Print the newest so many lines.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Print who did what, oldest first: logins, users, tokens, and what was refused."""
    for entry in _do(load(config), lambda do, who: do.audit(who, _SOURCE, limit)):
        print(json.dumps(_entry_fields(entry), ensure_ascii=False) if as_json else _entry_line(entry))


def _do(config: MonitorConfig, action: Callable[[Accounts, Principal], Coroutine[Any, Any, T]]) -> T:
    async def done() -> T:
        async with _opened(config) as accounts:
            return await action(accounts, Principal(f"cli:{_system_user()}", "admin"))

    return asyncio.run(done())


@asynccontextmanager
async def _opened(config: MonitorConfig) -> AsyncIterator[Accounts]:
    from monitor.access.passwords import Passwords  # noqa: PLC0415
    from monitor.actions.accounts import Accounts  # noqa: PLC0415
    from monitor.store import AccountStore  # noqa: PLC0415

    store, passwords = await AccountStore.open(config.store.url.get_secret_value()), Passwords()
    try:
        yield Accounts(store, passwords, None, lambda: datetime.now(UTC))
    finally:
        passwords.close()
        await store.aclose()


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container whose user has no name
        return "unknown"


def _streams(config: MonitorConfig, names: list[str] | None) -> frozenset[str] | None:
    known = [stream.name for stream in config.streams]
    for name in names or ():
        if name not in known:
            raise ConfigError(f"--stream: no stream is called {name}; there are {', '.join(known)}")
    return frozenset(names) if names else None


def _password(name: str, *, from_stdin: bool) -> str:
    """Never an argument: those are in the shell's history, and in the list of processes for all to see."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask for the password; give it by --password-stdin")
    else:
        password = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("The same again: ") != password:
            raise AccountError("the two passwords differ; nothing is changed")
    check_password(password, name)
    return password


def _scope(role: Role, streams: frozenset[str] | None) -> str:
    return f"{role} of {'every stream' if streams is None else ', '.join(sorted(streams))}"


def _user_fields(each: User) -> dict[str, Any]:
    return {
        "name": each.name,
        "role": each.role,
        "streams": None if each.streams is None else sorted(each.streams),
        "created_at": _utc(each.created_at),
    }


def _token_fields(each: Token) -> dict[str, Any]:
    return {
        "name": each.name,
        "role": each.role,
        "streams": None if each.streams is None else sorted(each.streams),
        "owner": each.owner,
        "created_at": _utc(each.created_at),
        "expires_at": None if each.expires_at is None else _utc(each.expires_at),
        "used_at": None if each.used_at is None else _utc(each.used_at),
    }


def _token_line(each: Token) -> str:
    owner = "" if each.owner is None else f", of {each.owner}"
    ends = "never ends"
    if each.expires_at is not None:
        ends = f"{'ended' if each.expires_at <= datetime.now(UTC) else 'ends'} {_local(each.expires_at)}"
    used = "never used" if each.used_at is None else f"last used {_local(each.used_at)}"
    return f"{each.name}: {_scope(each.role, each.streams)}{owner}, {ends}, {used}"


def _entry_fields(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": _utc(entry.at),
        "who": entry.who,
        "action": entry.action,
        "about": entry.about,
        "source": entry.source,
        "outcome": entry.outcome,
        "detail": entry.detail,
    }


def _entry_line(entry: AuditEntry) -> str:
    about = "" if entry.about is None else f" {_visible(entry.about)}"
    detail = "" if entry.detail is None else f": {_visible(entry.detail)}"
    return f"{_local(entry.at)} {entry.who} ({entry.source}) {entry.action}{about} {entry.outcome}{detail}"


def _visible(text: str) -> str:
    """On one line and without what a terminal would obey: some of it was typed by strangers."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
