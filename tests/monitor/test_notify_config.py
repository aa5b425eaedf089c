from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import MonitorConfig
from monitor.config_file import load_config, parse_config
from monitor.errors import ConfigError
from monitor.notify_config import QuietHours, TargetConfig
from monitor.redact import Redactor
from tests.monitor.store.examples import an_alert

WEBHOOK = {"name": "siem", "webhook": "https://siem.example/hooks/abcdefghi123", "secret": "correct horse battery"}
PUSH = {"name": "guard", "url": "tgram://123456789:abcdefg_hijklmnop/12315544/"}


def config(*targets: dict[str, Any], text: str | None = None) -> MonitorConfig:
    tree = {"streams": [{"name": "lobby", "url": "file:a.mp4"}, {"name": "gate", "url": "file:b.mp4"}]}
    return parse_config(text or yaml.safe_dump(tree | {"notify": list(targets)}), "m.yaml", {})


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ({"name": "siem"}, "notify.siem: give either url (of apprise) or webhook"),
        (WEBHOOK | {"url": "mailto://x"}, "notify.siem: give either url (of apprise) or webhook"),
        ({**WEBHOOK, "secret": None}, "notify.siem: webhook and secret go together"),
        (PUSH | {"secret": "correct horse battery"}, "notify.guard: webhook and secret go together"),
        (WEBHOOK | {"secret": "short"}, "notify.siem.secret: too easily guessed; use 16 characters or more"),
        (WEBHOOK | {"webhook": "ftp://siem.example"}, "notify.siem.webhook: expected an address such as https://"),
        (WEBHOOK | {"webhook": "https://"}, "notify.siem.webhook: expected an address such as https://"),
        (PUSH | {"url": "guard@example"}, "notify.guard.url: expected one of apprise's URLs, such as mailtos://"),
        (WEBHOOK | {"name": "My SIEM"}, "notify.My SIEM.name: String should match pattern"),
        (WEBHOOK | {"streams": ["cellar"]}, "m.yaml: notify.siem.streams: cellar is not among streams"),
        (WEBHOOK | {"types": []}, "notify.siem.types: List should have at least 1 item"),
        (WEBHOOK | {"types": ["risen"]}, "notify.siem.types.0: Input should be 'raised', 'updated' or 'cleared'"),
        (WEBHOOK | {"verdicts": ["clear"]}, "notify.siem: verdicts: raised and updated messages always say fake"),
        (WEBHOOK | {"digest_s": -1}, "notify.siem.digest_s: Input should be greater than or equal to 0"),
        (WEBHOOK | {"colour": 1}, "notify.siem.colour: unknown key"),
        (
            WEBHOOK | {"quiet_hours": {"from": "22:00", "to": "7:00"}},
            'notify.siem.quiet_hours.to: expected a time of day in quotes, as in "07:00"',
        ),
        (
            WEBHOOK | {"quiet_hours": {"from": "22:00", "to": "22:00"}},
            "notify.siem.quiet_hours: from and to are the same",
        ),
        (
            WEBHOOK | {"quiet_hours": {"from": "22:00", "to": "07:00", "timezone": "Europe/Mars"}},
            "notify.siem.quiet_hours.timezone: Europe/Mars is no IANA time zone",
        ),
    ],
)
def test_faults_are_one_line_with_the_target(target: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(target)
    (line,) = str(caught.value).splitlines()
    assert fault in line
    assert "correct horse" not in line


def test_a_time_without_quotes_is_not_misread() -> None:
    quiet = "{from: 22:00, to: 23:30}"
    target = f"{{name: siem, webhook: 'http://x/y', secret: 'correct horse battery', quiet_hours: {quiet}}}"
    with pytest.raises(ConfigError, match="expected a time of day in quotes"):
        config(text=f"streams: [{{name: lobby, url: 'file:a.mp4'}}]\nnotify: [{target}]\n")


def test_two_targets_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"notify: the name siem is used more than once"):
        config(WEBHOOK, PUSH | {"name": "siem"})


def test_secrets_of_targets_are_shown_nowhere() -> None:
    loaded = config(WEBHOOK, PUSH)
    hide = Redactor(loaded.secrets())
    secrets = ("correct horse battery", "abcdefghi123", "abcdefg_hijklmnop", "12315544")
    for secret in secrets:
        assert secret not in repr(loaded)
        assert secret not in loaded.model_dump_json()
        assert secret not in hide(f"cannot send {secret} to it")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["raised"]),
        ({"types": ["raised", "updated", "cleared"]}, ["raised", "updated", "cleared"]),
        ({"types": ["cleared"], "verdicts": ["clear"]}, []),
        ({"types": ["cleared"], "verdicts": ["clear", "inconclusive"]}, ["cleared"]),
        ({"streams": ["lobby"]}, ["raised"]),
        ({"streams": ["gate"]}, []),
    ],
)
def test_rules(fields: dict[str, Any], told: list[str]) -> None:
    target = TargetConfig.model_validate(WEBHOOK | fields)
    episode = [an_alert(1), an_alert(2, type="updated"), an_alert(3, type="cleared", verdict="inconclusive")]
    assert [alert.type for alert in episode if target.wants(alert)] == told


@pytest.mark.parametrize(
    ("begin", "end", "quiet", "loud"),
    [
        ("22:00", "07:00", ["22:00", "23:59", "00:00", "06:59"], ["07:00", "12:00", "21:59"]),
        ("12:00", "14:00", ["12:00", "13:59"], ["11:59", "14:00", "00:00"]),
        ("00:00", "06:00", ["00:00", "05:59"], ["06:00", "23:59"]),
    ],
)
def test_quiet_hours_may_go_over_midnight(begin: str, end: str, quiet: list[str], loud: list[str]) -> None:
    hours = QuietHours.model_validate({"from": begin, "to": end})
    assert all(hours.covers(time.fromisoformat(moment)) for moment in quiet)
    assert not any(hours.covers(time.fromisoformat(moment)) for moment in loud)


def test_the_documented_example_is_a_configuration(tmp_path: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    example = documented.partition("```yaml\n")[2].partition("```")[0]
    streams = "streams: [{name: lobby, url: 'file:a'}, {name: gate, url: 'file:b'}]\n"
    path = tmp_path / "m.yaml"
    path.write_text(streams + example)
    secrets = {"TELEGRAM_TOKEN": "123456789:abcdefg", "SIEM_SECRET": "0123456789abcdef"}
    assert [target.name for target in load_config(path, secrets).notify] == ["guard", "siem"]
