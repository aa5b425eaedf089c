"""Users, tokens and the audit log as a shell sees them, and as a running service heeds them."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from monitor.demo.clip import make_clip
from tests.broker import make_certificates
from tests.monitor.service import RunningService
from tests.monitor.store.examples import made
from tests.monitor.test_cli import monitor, written

PASSWORD = "correct horse battery"
ANSWER_S = 60


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a service that has run."""
    asyncio.run(made(tmp_path))
    return written(tmp_path / "m.yaml")


def test_users_are_added_listed_changed_and_removed(config: Path) -> None:
    added = monitor("user", "add", config, "anna", "--role", "admin", "--password-stdin", typed=PASSWORD + "\n")
    assert (added.returncode, added.stdout, added.stderr) == (0, "anna: added, admin of every stream\n", "")
    options = ("--role", "operator", "--stream", "tape", "--password-stdin")
    assert monitor("user", "add", config, "ben", *options, typed=PASSWORD).stdout == "ben: added, operator of tape\n"
    assert monitor("user", "role", config, "ben", "viewer").stdout == "ben: viewer of every stream\n"
    alone = monitor("user", "delete", config, "anna")
    assert (alone.returncode, alone.stdout) == (1, "")
    assert alone.stderr == "error: anna is the only admin; make another one first\n"
    changed = monitor("user", "password", config, "ben", "--password-stdin", typed="another good password")
    assert changed.stdout == "ben: the password is changed, and every login has ended\n"
    listed = [json.loads(line) for line in monitor("user", "list", config, "--json").stdout.splitlines()]
    assert [(each["name"], each["role"], each["streams"]) for each in listed] == [
        ("anna", "admin", None),
        ("ben", "viewer", None),
    ]
    assert monitor("user", "delete", config, "ben").stdout == "ben: removed\n"
    log = [json.loads(line) for line in monitor("audit", config, "--json").stdout.splitlines()]
    assert [(each["action"], each["about"], each["outcome"]) for each in log] == [
        ("user.add", "anna", "done"),
        ("user.add", "ben", "done"),
        ("user.role", "ben", "done"),
        ("user.delete", "anna", "failed"),
        ("user.password", "ben", "done"),
        ("user.delete", "ben", "done"),
    ]
    assert {each["who"].partition(":")[0] for each in log} == {"cli"}


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "complaint"),
    [
        (("add", "anna", "--role", "admin", "--password-stdin"), "short", 1, "a password has at least 12 characters"),
        (("add", "anna", "--role", "admin"), PASSWORD, 2, "no terminal to ask for the password"),
        (("add", "anna", "--role", "viewer", "--stream", "roof"), "", 2, "no stream is called roof; there are tape"),
        (("password", "anna", "--password-stdin"), PASSWORD, 1, "there is no user anna"),
    ],
)
def test_what_is_wrong_is_one_line(
    config: Path, arguments: tuple[str, ...], typed: str, code: int, complaint: str
) -> None:
    verb, *rest = arguments
    result = monitor("user", verb, config, *rest, typed=typed)
    assert (result.returncode, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert complaint in line
    assert typed == "" or typed not in line


def test_before_the_service_has_run_there_is_no_store(tmp_path: Path) -> None:
    result = monitor("user", "list", written(tmp_path / "m.yaml"))
    assert result.returncode == 1
    assert "no such file; the service makes it when it first starts" in result.stderr


def test_a_token_is_shown_once_and_revoked(config: Path) -> None:
    shown = monitor("token", "add", config, "ci", "--role", "viewer", "--stream", "tape", "--for", "90d").stdout
    assert shown.startswith("gm_")
    assert len(shown.strip()) == 46
    (listed,) = monitor("token", "list", config).stdout.splitlines()
    assert listed.startswith("ci: viewer of tape, ends 20")
    assert listed.endswith(", never used")
    (told,) = monitor("audit", config).stdout.splitlines()
    assert told.endswith("(cli) token.add token:ci done: viewer of tape")
    assert shown.strip() not in listed + told
    assert monitor("token", "revoke", config, "ci").stdout == "ci: revoked\n"
    assert monitor("token", "revoke", config, "ci").stderr == "error: there is no token ci\n"


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(config: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "monitor", "user", "add", str(config), "anna", "--role", "admin"]
    # Without a terminal of its own it would ask that of whoever runs the tests.
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    screen = b""
    deadline = time.monotonic() + ANSWER_S
    for prompt in (b"Password of anna: ", b"The same again: "):
        while prompt not in screen:
            assert time.monotonic() < deadline, screen
            screen += os.read(ours, 1000)
        os.write(ours, PASSWORD.encode() + b"\n")
    while b"added" not in screen:
        assert time.monotonic() < deadline, screen
        screen += os.read(ours, 1000)
    assert process.wait(ANSWER_S) == 0
    os.close(ours)
    assert PASSWORD.encode() not in screen


def test_a_service_with_users_from_its_first_start_on(tmp_path: Path) -> None:
    clip = tmp_path / "call.mp4"
    make_clip(clip, seconds=5, manipulated_from_s=0, names=["astronaut"])
    certificates = make_certificates(tmp_path / "certificates")
    web = {"port": 0, "auth": "users", "tls_cert": str(certificates.server), "tls_key": str(certificates.server_key)}
    sections = {"streams": [{"name": "tape", "url": f"file:{clip}", "loop": True}], "mqtt": {"url": "embedded:"}}
    with RunningService(tmp_path, {**sections, "web": web}) as service:
        service.wait_for_log("nobody can log in yet; make the first admin: gend-monitor user add CONFIG NAME")
        added = monitor("user", "add", service.path, "anna", "--role", "admin", "--password-stdin", typed=PASSWORD)
        assert added.returncode == 0, added.stderr
        token = monitor("token", "add", service.path, "prometheus", "--role", "viewer").stdout.strip()
        assert service.web_url.startswith("https://127.0.0.1:")
        import ssl

        trusting = ssl.create_default_context(cafile=certificates.ca)
        with httpx.Client(base_url=service.web_url, verify=trusting, timeout=ANSWER_S) as browser:
            assert browser.get("/metrics").status_code == 401
            scraped = browser.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert "gend_frames_total" in scraped.text
            form = {"name": "anna", "password": PASSWORD}
            answer = browser.post("/login", data=form, headers={"Origin": service.web_url})
            assert answer.status_code == 303
            assert browser.get("/readyz").json()["streams"].keys() == {"tape"}
            # What another process changes holds from the next request on.
            assert (
                monitor("user", "password", service.path, "anna", "--password-stdin", typed="x" * 9 + "yzw").returncode
                == 0
            )
            assert browser.get("/metrics").status_code == 401
        code, _ = service.terminate()
    assert code == 0
    assert token not in service.log_text()
    assert PASSWORD not in service.log_text()


def test_check_and_run_name_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    path = written(tmp_path / "m.yaml", web={"tls_cert": "none.pem", "tls_key": "none.key"})
    run = monitor("run", path)
    assert (run.returncode, run.stderr) == (2, "error: web.tls_cert: none.pem: no such file\n")
    checked = json.loads(monitor("check", path, "--json", "--timeout-s", "1").stdout)
    assert (checked["ok"], checked["web"]) == (False, "web.tls_cert: none.pem: no such file")
