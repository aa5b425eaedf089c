"""Users, tokens of programs, the audit log, and whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from monitor.access import AuditEntry, Principal, Role, Token, User
from monitor.access.accounts import Outcome
from monitor.actions import ConflictError
from monitor.actions.accounts import Accounts
from monitor.web.api.alerts import PageQuery, link
from monitor.web.api.models import PageShape, Shape, Time, time
from monitor.web.api.problems import declared
from monitor.web.asking import Asking
from monitor.web.proxies import client_address
from monitor.web.stream_name import StreamName

_NAME = r"^[a-z0-9][a-z0-9._@-]{0,62}$"
_MOST_S = 100 * 365 * 86400

InPath = Annotated[str, Path(pattern=_NAME, description="Name of a user or token.", examples=["anna"])]
AccountName = Annotated[str, Field(pattern=_NAME, examples=["anna"])]
Password = Annotated[SecretStr, Field(max_length=1000, description="12 to 256 characters.")]
Streams = Annotated[
    list[StreamName] | None, Field(max_length=1000, description="The streams that they may see; null: all.")
]


class AccountShape(Shape):
    """Whoever asks."""

    name: str
    role: Role
    streams: Streams

    @classmethod
    def of(cls, who: Principal) -> Self:
        """The same."""
        return cls(name=who.name, role=who.role, streams=_listed(who.streams))


class UserShape(Shape):
    """Somebody who may log in."""

    name: str
    role: Role
    streams: Streams
    created_at: Time

    @classmethod
    def of(cls, user: User) -> Self:
        """The same."""
        return cls(name=user.name, role=user.role, streams=_listed(user.streams), created_at=time(user.created_at))


class UsersShape(Shape):
    """All users, by name."""

    items: list[UserShape]


class TokenShape(Shape):
    """What a program presents; the token itself is nowhere kept."""

    name: str
    role: Role
    streams: Streams
    owner: str | None = Field(description="The user with whom it goes.")
    created_at: Time
    expires_at: Time | None
    used_at: Time | None

    @classmethod
    def of(cls, token: Token) -> Self:
        """The same."""
        return cls(
            name=token.name,
            role=token.role,
            streams=_listed(token.streams),
            owner=token.owner,
            created_at=time(token.created_at),
            expires_at=None if token.expires_at is None else time(token.expires_at),
            used_at=None if token.used_at is None else time(token.used_at),
        )


class TokensShape(Shape):
    """Tokens, by name."""

    items: list[TokenShape]


class NewTokenShape(Shape):
    """A token that was made, shown this once."""

    name: str
    token: str = Field(examples=["gm_…"])


class AuditShape(Shape):
    """A line of the log."""

    at: Time
    who: str
    action: str
    about: str | None
    source: str = Field(description="The client's address, or `cli`.")
    outcome: Outcome
    detail: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """The same."""
        return cls(
            at=time(entry.at),
            who=entry.who,
            action=entry.action,
            about=entry.about,
            source=entry.source,
            outcome=entry.outcome,
            detail=entry.detail,
        )


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RoleRequest(_Request):
    """What a user may do."""

    role: Role
    streams: Streams = None


class UserRequest(RoleRequest):
    """A new user."""

    name: AccountName
    password: Password


class PasswordRequest(_Request):
    """Another password for a user."""

    password: Password


class OwnPasswordRequest(PasswordRequest):
    """Another password for whoever asks."""

    current: Password


class TokenRequest(RoleRequest):
    """A new token."""

    name: AccountName
    for_s: int | None = Field(default=None, ge=1, le=_MOST_S, description="For how long, seconds; null: until revoked.")


def account_routes(accounts: Accounts | None) -> APIRouter:
    """The routes.

    Args:
        accounts: what they do; None where the service has no users.
    """
    router = APIRouter(tags=["accounts"])

    def do() -> Accounts:
        if accounts is None:
            raise ConflictError("this service has no users: web.auth is null")
        return accounts

    @router.get("/account", responses=declared(), summary="Whoever asks")
    async def account(asking: Asking) -> AccountShape:
        return AccountShape.of(asking)

    @router.put(
        "/account/password",
        status_code=204,
        responses=declared(400, 409, 413, 429),
        summary="Change one's own password; every session of one's own ends",
    )
    async def own_password(asking: Asking, body: OwnPasswordRequest, request: Request) -> Response:
        current, password = body.current.get_secret_value(), body.password.get_secret_value()
        await do().change_password(asking, _source(request), current, password)
        return Response(status_code=204)

    _add_user_routes(router, do)
    _add_token_routes(router, do)

    @router.get("/audit", responses=declared(409), summary="Who did what, newest first")
    async def audit(
        asking: Asking, request: Request, response: Response, query: Annotated[PageQuery, Query()]
    ) -> PageShape[AuditShape]:
        found = await do().audit_page(asking, _source(request), query.limit, query.cursor)
        link(request, response, found.following)
        return PageShape(items=[AuditShape.of(entry) for entry in found.items], next=found.following)

    return router


def _add_user_routes(router: APIRouter, do: Callable[[], Accounts]) -> None:
    @router.get("/users", responses=declared(409), summary="All users")
    async def users(asking: Asking, request: Request) -> UsersShape:
        return UsersShape(items=[UserShape.of(user) for user in await do().users(asking, _source(request))])

    @router.post("/users", status_code=201, responses=declared(400, 409, 413), summary="Add a user")
    async def add(asking: Asking, body: UserRequest, request: Request, response: Response) -> AccountShape:
        streams, password = _set(body.streams), body.password.get_secret_value()
        await do().add_user(asking, _source(request), body.name, role=body.role, password=password, streams=streams)
        response.headers["Location"] = f"/api/v1/users/{body.name}"
        return AccountShape(name=body.name, role=body.role, streams=_listed(streams))

    @router.put(
        "/users/{name}",
        status_code=204,
        responses=declared(400, 404, 409, 413),
        summary="Give a user another role or other streams; their sessions end",
    )
    async def change(asking: Asking, name: InPath, body: RoleRequest, request: Request) -> Response:
        await do().set_role(asking, _source(request), name, role=body.role, streams=_set(body.streams))
        return Response(status_code=204)

    @router.put(
        "/users/{name}/password",
        status_code=204,
        responses=declared(400, 404, 409, 413),
        summary="Give a user another password; their sessions end",
    )
    async def password(asking: Asking, name: InPath, body: PasswordRequest, request: Request) -> Response:
        await do().set_password(asking, _source(request), name, body.password.get_secret_value())
        return Response(status_code=204)

    @router.delete(
        "/users/{name}",
        status_code=204,
        responses=declared(404, 409),
        summary="Remove a user, with their sessions and tokens",
    )
    async def delete(asking: Asking, name: InPath, request: Request) -> Response:
        await do().delete_user(asking, _source(request), name)
        return Response(status_code=204)


def _add_token_routes(router: APIRouter, do: Callable[[], Accounts]) -> None:
    @router.get("/tokens", responses=declared(409), summary="One's own tokens; all of them for an admin")
    async def tokens(asking: Asking, request: Request) -> TokensShape:
        return TokensShape(items=[TokenShape.of(token) for token in await do().tokens(asking, _source(request))])

    @router.post("/tokens", status_code=201, responses=declared(400, 409, 413), summary="Make a token, shown once")
    async def make(asking: Asking, body: TokenRequest, request: Request) -> NewTokenShape:
        lasts = None if body.for_s is None else timedelta(seconds=body.for_s)
        streams = _set(body.streams)
        made = await do().create_token(
            asking, _source(request), body.name, role=body.role, streams=streams, lasts=lasts
        )
        return NewTokenShape(name=body.name, token=made)

    @router.delete("/tokens/{name}", status_code=204, responses=declared(404, 409), summary="Revoke a token")
    async def revoke(asking: Asking, name: InPath, request: Request) -> Response:
        await do().revoke_token(asking, _source(request), name)
        return Response(status_code=204)


def _source(request: Request) -> str:
    return client_address(request.scope)


def _set(streams: list[str] | None) -> frozenset[str] | None:
    return None if streams is None else frozenset(streams)


def _listed(streams: frozenset[str] | None) -> list[str] | None:
    return None if streams is None else sorted(streams)
