"""HTTPS by ourselves, with certificates made for the test."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.errors import ConfigError
from monitor.web import WebServer, check_tls
from monitor.web_config import WebConfig
from tests.broker import Certificates, make_certificates
from tests.monitor.web.gated import cookie_of, log_in, served


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls(certificates: Certificates) -> dict[str, Any]:
    return {"tls_cert": str(certificates.server), "tls_key": str(certificates.server_key)}


@pytest.mark.anyio
async def test_a_login_over_https(tmp_path: Path, certificates: Certificates) -> None:
    trusting = ssl.create_default_context(cafile=certificates.ca)
    async with served(tmp_path, verify=trusting, **tls(certificates)) as site:
        assert site.url.startswith("https://127.0.0.1:")
        await site.add_user("anna")
        browser = await site.client()
        answer = await log_in(browser, "anna")
        assert answer.status_code == 303
        line = cookie_of(answer)
        assert line.startswith("__Host-gend-session=")
        assert sorted(line.split("; ")[1:]) == ["HttpOnly", "Path=/", "SameSite=lax", "Secure"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert (await browser.get("/metrics")).status_code == 200
        # A cookie that came without the prefix may be anybody's.
        session_id = browser.cookies["__Host-gend-session"]
        planted = await site.client(cookies={"gend-session": session_id})
        assert (await planted.get("/metrics")).status_code == 401
        # So may a page that came in clear.
        in_clear = site.url.replace("https", "http")
        assert (await log_in(await site.client(), "anna", Origin=in_clear)).status_code == 403
        with pytest.raises(httpx.TransportError):
            await (await site.client(base_url=in_clear)).get("/healthz")
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await (await site.client(verify=True)).get("/healthz")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tls_cert": "none.pem"}, "web.tls_cert: none.pem: no such file"),
        ({"tls_key": "/"}, "web.tls_key: /: is a directory"),
        ({"tls_cert": "{junk}"}, "web.tls_cert: {junk}: no PEM certificate"),
        ({"tls_key": "{junk}"}, "web.tls_key: {junk}: no PEM key without a password"),
        ({"tls_key": "{client_key}"}, "web.tls_key: {client_key}: not the key of web.tls_cert"),
        ({"tls_cert": "{server_key}"}, "web.tls_cert: {server_key}: no PEM certificate"),
    ],
)
def test_files_that_cannot_serve_are_one_line_that_names_the_field(
    tmp_path: Path, certificates: Certificates, change: dict[str, str], complaint: str
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    names = {"junk": junk, "client_key": certificates.client_key, "server_key": certificates.server_key}
    fields = tls(certificates) | {field: path.format(**names) for field, path in change.items()}
    config = WebConfig.model_validate({"port": 0, **fields})
    for start in (check_tls, WebServer):
        with pytest.raises(ConfigError) as error:
            start(config)
        assert str(error.value) == complaint.format(**names)


def test_an_encrypted_key_asks_nobody(tmp_path: Path, certificates: Certificates) -> None:
    import subprocess

    encrypted = tmp_path / "encrypted.pem"
    subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", certificates.server_key, "-out", encrypted],
        check=True,
        capture_output=True,
    )
    config = WebConfig.model_validate(tls(certificates) | {"tls_key": encrypted})
    with pytest.raises(ConfigError, match="no PEM key without a password"):
        check_tls(config)
