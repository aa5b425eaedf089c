from __future__ import annotations

import pytest

from monitor.publish.link import FIRST_PAUSE_S, LONGEST_PAUSE_S, Link
from tests.logs import told


@pytest.fixture
def link(caplog: pytest.LogCaptureFixture) -> Link:
    caplog.set_level("INFO", "monitor.publish")
    return Link("mqtt://broker", "gend-1")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.removeprefix("MQTT mqtt://broker: ") for line in told(caplog)]


def test_failures_are_logged_once_per_reason(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        link.failed("refused")
    link.failed("wrong password")
    link.opened()
    assert lines(caplog) == ["refused; trying again", "wrong password; trying again", "connected"]
    assert link.reason is None


def test_pauses_grow_to_a_limit_and_are_jittered(link: Link) -> None:
    pauses = []
    for _ in range(40):
        link.failed("refused")
        pauses.append(link.pause_s())
    assert FIRST_PAUSE_S / 2 <= pauses[0] <= FIRST_PAUSE_S
    assert all(LONGEST_PAUSE_S / 2 <= pause <= LONGEST_PAUSE_S for pause in pauses[10:])
    assert len(set(pauses[10:])) > 1


def test_connections_that_end_at_once_are_called_flapping(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(10):
        link.opened()
        link.failed("connection lost")
    assert link.flapping
    assert link.reason is not None
    assert "does another client use the id gend-1?" in link.reason
    assert max(link.pause_s() for _ in range(10)) > LONGEST_PAUSE_S  # rarer than a broker that is merely away
    assert len(lines(caplog)) == 6  # twice up and down, up, and then the one line that explains it

    link.opened()
    link.settled()
    assert not link.flapping
    assert link.reason is None
    assert lines(caplog)[-1] == "connected"
    link.failed("connection lost")
    assert link.pause_s() <= FIRST_PAUSE_S


def test_broker_that_is_down_is_not_called_flapping(link: Link) -> None:
    for _ in range(3):
        link.opened()
        link.failed("connection lost")
    link.failed("Connection refused")
    assert link.reason == "Connection refused"
