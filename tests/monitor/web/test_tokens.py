"""Tokens of programs, at requests and at WebSocket handshakes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, WebSocket

from monitor.access import AccountError, ForbiddenError, Principal
from monitor.web.asking import asking
from tests.monitor.web.gated import ADMIN, served

pytestmark = pytest.mark.anyio

Who = Annotated[Principal, Depends(asking)]


def routes(app: FastAPI) -> None:
    @app.get("/me")
    async def me(who: Who) -> dict[str, object]:
        return {"name": who.name, "role": who.role, "streams": None if who.streams is None else sorted(who.streams)}

    @app.post("/change")
    async def change(who: Who) -> str:
        return who.name

    @app.websocket("/live")
    async def live(socket: WebSocket, who: Who) -> None:
        await socket.accept()
        await socket.send_text(who.name)
        await socket.close()


async def test_a_token_asks_without_cookie_and_csrf_token_until_it_ends(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        assert site.accounts is not None
        program = await site.client()
        header = await site.token("ci", "operator", lasts=timedelta(days=1))
        assert (await program.get("/me", headers=header)).json() == {
            "name": "token:ci",
            "role": "operator",
            "streams": None,
        }
        assert (await program.post("/change", headers=header)).json() == "token:ci"
        (token,) = await site.accounts.tokens(ADMIN, "cli")
        assert token.used_at is not None
        site.clock.ahead = timedelta(days=1)
        assert (await program.get("/me", headers=header)).status_code == 401

        other = await site.token("other")
        assert (await program.get("/me", headers=other)).status_code == 200
        await site.accounts.revoke_token(ADMIN, "cli", "other")
        assert (await program.get("/me", headers=other)).status_code == 401


async def test_what_is_no_token_of_ours_says_nothing_and_a_wrong_one_is_nobody(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        await site.add_user("anna")
        header = await site.token("ci")
        right = header["Authorization"]
        browser = await site.logged_in("anna")
        # A token of a WHIP stream goes by the same header, beside a session.
        assert (await browser.get("/me", headers={"Authorization": "Bearer some-stream-token"})).json()[
            "name"
        ] == "anna"
        for wrong in (right[:-1], right + "x", "Bearer gm_", "Bearer gm_" + "x" * 10_000, "Bearer gm_\x7f"):
            assert (await browser.get("/me", headers={"Authorization": wrong})).status_code == 401, wrong[:40]
        for strange in (right.replace("Bearer ", "Basic "), right.replace("gm_", ""), right.removeprefix("Bearer ")):
            nobody = await site.client()
            assert (await nobody.get("/me", headers={"Authorization": strange})).status_code == 401
        assert (await browser.get("/me", headers={"Authorization": right.replace("Bearer", "bearer")})).json()[
            "name"
        ] == "token:ci"


async def test_a_token_is_never_stronger_than_its_owner(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        accounts = site.accounts
        assert accounts is not None
        lobby = frozenset({"lobby"})
        await site.add_user("ben", "operator", frozenset({"lobby", "gate"}))
        ben = Principal("ben", "operator", frozenset({"lobby", "gate"}))
        for stronger in ({"role": "admin"}, {"role": "viewer", "streams": frozenset({"vault"})}):
            with pytest.raises(ForbiddenError):
                await accounts.create_token(ben, "127.0.0.1", "bad", **stronger)
        secret = await accounts.create_token(ben, "127.0.0.1", "bens", role="operator")
        header = {"Authorization": f"Bearer {secret}"}
        program = await site.client()
        assert (await program.get("/me", headers=header)).json() == {
            "name": "token:bens", "role": "operator", "streams": ["gate", "lobby"],
        }  # fmt: skip
        await accounts.set_role(ADMIN, "cli", "ben", role="viewer", streams=lobby)
        assert (await program.get("/me", headers=header)).json() == {
            "name": "token:bens", "role": "viewer", "streams": ["lobby"],
        }  # fmt: skip
        with pytest.raises(ForbiddenError, match="a token cannot make tokens"):
            await accounts.create_token(Principal("token:bens", "operator"), "127.0.0.1", "child", role="viewer")
        await site.token("other")
        with pytest.raises(ForbiddenError, match="there is no token other, or it is not yours"):
            await accounts.revoke_token(ben, "127.0.0.1", "other")
        assert [token.name for token in await accounts.tokens(ben, "127.0.0.1")] == ["bens"]
        with pytest.raises(AccountError, match="an admin sees every stream"):
            await accounts.create_token(ADMIN, "cli", "half", role="admin", streams=lobby)
        await accounts.delete_user(ADMIN, "cli", "ben")
        assert (await program.get("/me", headers=header)).status_code == 401


async def test_handshakes_know_who_asks_and_refuse_who_is_unknown(tmp_path: Path) -> None:
    websockets = pytest.importorskip("websockets.asyncio.client")
    from websockets.exceptions import InvalidStatus

    async with served(tmp_path, add=routes) as site:
        await site.add_user("anna")
        browser = await site.logged_in("anna")
        cookie = {"Cookie": f"gend-session={browser.cookies['gend-session']}"}
        url = site.url.replace("http", "ws") + "/live"

        async def asked(**headers: str) -> str:
            async with websockets.connect(url, additional_headers=headers, proxy=None) as socket:
                return str(await socket.recv())

        assert await asked(**cookie, Origin=site.url) == "anna"
        assert await asked(**await site.token("ci")) == "token:ci"
        for refused in ({}, {"Cookie": "gend-session=x"}, {**cookie, "Origin": "http://evil.example"}):
            with pytest.raises(InvalidStatus) as status:
                await asked(**refused)
            assert status.value.response.status_code == 403
