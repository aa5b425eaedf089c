from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import MonitorConfig
from monitor.config_file import load_config, parse_config
from monitor.errors import ConfigError


def errors_of(tree: dict[str, Any] | str, **environment: str) -> list[str]:
    text = tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False)
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "m.yaml", environment)
    return str(caught.value).splitlines()


def with_stream(**fields: Any) -> dict[str, Any]:
    return {"streams": [{"name": "lobby", "url": "rtsp://camera.example/main", **fields}]}


def test_config_of_a_real_camera_has_sane_defaults() -> None:
    config = parse_config(yaml.safe_dump(with_stream()), "m.yaml", {})
    assert config.streams[0].transport == "tcp"
    assert config.encoder.weights == "yermandy/GenD_CLIP_L_14"
    assert config.web.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "stall_s"), [("whip:", 2.5), ("whep+https://media.example/lobby", 2.5), ("file:a.mp4", 10)]
)
def test_config_of_a_call_counts_as_stalled_sooner_than_that_of_a_camera(url: str, stall_s: float) -> None:
    config = parse_config(yaml.safe_dump(with_stream(url=url)), "m.yaml", {})
    assert config.streams[0].stall_s == stall_s
    config = parse_config(yaml.safe_dump(with_stream(url=url, stall_s=7)), "m.yaml", {})
    assert config.streams[0].stall_s == 7


def test_config_hides_tokens_and_credentials_of_webrtc() -> None:
    turn = {"urls": ["turn:turn.example:3478"], "username": "gend", "credential": "tucked away"}
    tree = with_stream(url="whip:", token="${TOKEN}") | {"webrtc": {"ice_servers": [turn]}}
    config = parse_config(yaml.safe_dump(tree), "m.yaml", {"TOKEN": "hidden-words"})
    assert {"hidden-words", "tucked away"} <= set(config.secrets())
    assert "hidden" not in repr(config)
    assert "tucked" not in repr(config)


def test_config_hides_the_credentials_of_a_substream() -> None:
    tree = with_stream(url="rtsp://a/main", detect_url="rtsp://user:${PASS}@a/sub?token=of-the-query", stall_s=1)
    config = parse_config(yaml.safe_dump(tree), "m.yaml", {"PASS": "hidden-words"})
    assert {"hidden-words", "of-the-query"} <= set(config.secrets())
    assert "hidden" not in repr(config)
    substream = config.streams[0].substream()
    assert substream is not None
    assert (substream.name, substream.scheme, substream.detect_url, substream.stall_s) == ("lobby", "rtsp", None, 1)
    assert "hidden" not in repr(substream)


def test_config_keeps_no_evidence_unless_asked_to() -> None:
    assert parse_config(yaml.safe_dump(with_stream()), "m.yaml", {}).evidence is None
    evidence = parse_config(yaml.safe_dump(with_stream() | {"evidence": {"folder": "kept"}}), "m.yaml", {}).evidence
    assert evidence is not None
    assert (evidence.keep_hours, evidence.max_mb, evidence.clip_s, evidence.crops) == (72, 2000, 10, 6)
    assert evidence.key_file == Path("kept/signing-key.pem")


def test_config_takes_secrets_from_the_environment_and_never_shows_them() -> None:
    tree = with_stream(url="rtsp://user:${PASS}@camera.example/main")
    config = parse_config(yaml.safe_dump(tree), "m.yaml", {"PASS": "hunter2"})
    assert config.streams[0].url.get_secret_value() == "rtsp://user:hunter2@camera.example/main"
    assert "hunter2" not in repr(config)
    assert "hunter2" not in config.model_dump_json()


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (with_stream(colour="red"), "m.yaml: streams.lobby.colour: unknown key"),
        (with_stream(stall_s="soon"), "m.yaml: streams.lobby.stall_s: Input should be a valid number"),
        (with_stream(stall_s=0), "m.yaml: streams.lobby.stall_s: Input should be greater than or equal to 1"),
        (with_stream(url="gopher://x/y"), "m.yaml: streams.lobby.url: unknown scheme; known are rtsp"),
        (with_stream(url="camera.example"), "m.yaml: streams.lobby.url: unknown scheme"),
        (with_stream(url="file:"), "m.yaml: streams.lobby.url: nothing follows 'file:'"),
        (with_stream(url="whip:call"), "m.yaml: streams.lobby.url: write no more than 'whip:'"),
        (with_stream(url="whep+https:///lobby"), "m.yaml: streams.lobby: url: expected an address such as whep+https:"),
        (with_stream(token="long enough"), "m.yaml: streams.lobby: token is for whip: and whep+https: streams"),
        (with_stream(url="whip:", token="short"), "m.yaml: streams.lobby.token: Value should have at least 8"),
        (with_stream() | {"webrtc": {"port_min": 5000}}, "m.yaml: webrtc: port_min and port_max go together"),
        (with_stream() | {"webrtc": {"addresses": ["home"]}}, "m.yaml: webrtc.addresses: 'home' does not appear"),
        (
            with_stream() | {"webrtc": {"ice_servers": [{"urls": ["turn:turn.example"]}]}},
            "m.yaml: webrtc.ice_servers.0: a TURN server needs username and credential",
        ),
        (
            with_stream(detect_url="whep+https://a/b"),
            "m.yaml: streams.lobby.detect_url: unknown scheme, or one not for",
        ),
        (with_stream(detect_url="rtsp:"), "m.yaml: streams.lobby.detect_url: nothing follows 'rtsp:'"),
        (
            with_stream(url="whip:", detect_url="rtsp://a/b"),
            "m.yaml: streams.lobby: detect_url is not for streams over WebRTC",
        ),
        (
            with_stream(url="rtsp://a/b", detect_url="rtsp://a/b"),
            "m.yaml: streams.lobby: detect_url is the url itself: name a smaller stream",
        ),
        (with_stream(name="Lobby!"), "m.yaml: streams.Lobby!.name: String should match pattern"),
        (with_stream(ignore=[[[0, 0], [2, 0], [1, 1]]]), "m.yaml: streams.lobby.ignore: points are fractions"),
        (with_stream(adapter="mine"), "m.yaml: streams.lobby.adapter: mine is not in encoder.adapters: none"),
        (
            with_stream(adapter="mine") | {"encoder": {"adapters": {"yours": "a.safetensors", "theirs": "b"}}},
            "m.yaml: streams.lobby.adapter: mine is not in encoder.adapters: yours, theirs",
        ),
        ({"streams": []}, "m.yaml: streams: List should have at least 1 item"),
        ({}, "m.yaml: streams: is required"),
        (with_stream() | {"web": {"host": "0.0.0.0"}}, "m.yaml: web: host 0.0.0.0 is reachable from other machines"),
        (
            with_stream() | {"web": {"host": "192.0.2.1", "auth": "users"}},
            "m.yaml: web: host 192.0.2.1 is reachable from other machines, and passwords would cross the network in",
        ),
        (with_stream() | {"web": {"host": "::", "auth": None}}, "m.yaml: web: host :: is reachable from other"),
        (with_stream() | {"web": {"auth": "basic"}}, "m.yaml: web.auth: Input should be 'users'"),
        (with_stream() | {"web": {"tls_key": "k.pem"}}, "m.yaml: web: tls_cert and tls_key go together"),
        (
            with_stream() | {"web": {"trusted_proxies": ["0.0.0.0/0"]}},
            "m.yaml: web.trusted_proxies: 0.0.0.0/0 is every",
        ),
        (
            with_stream() | {"web": {"trusted_proxies": ["proxy.example"]}},
            "m.yaml: web.trusted_proxies: expected an address or network such as 10.0.0.5 or 10.1.0.0/16: ",
        ),
        (with_stream() | {"web": {"trusted_proxies": ["10.1.2.3/16"]}}, "m.yaml: web.trusted_proxies: expected an add"),
        (with_stream() | {"web": {"session_hours": 0}}, "m.yaml: web.session_hours: Input should be greater than"),
        (with_stream() | {"web": {"metrics": "all"}}, "m.yaml: web.metrics: Input should be 'open', 'viewer'"),
        (
            with_stream() | {"mqtt": {"url": "http://x"}},
            "m.yaml: mqtt.url: expected an address such as mqtt://broker.example:1883",
        ),
        (with_stream() | {"mqtt": {"url": "mqtt://a..b"}}, "m.yaml: mqtt.url: a..b is no host name"),
        (with_stream() | {"mqtt": {"url": "mqtt://a:b@x"}}, "m.yaml: mqtt.url: put credentials into mqtt.username"),
        (with_stream() | {"mqtt": {"cert": "c.pem"}}, "m.yaml: mqtt: cert and key go together"),
        (
            with_stream() | {"web": {"public_url": "monitor.example"}},
            "m.yaml: web.public_url: expected an address such",
        ),
        (with_stream() | {"store": {"url": "mysql://x"}}, "m.yaml: store.url: expected sqlite+aiosqlite:///FILE"),
        (with_stream() | {"evidence": {}}, "m.yaml: evidence.folder: is required"),
        (
            with_stream() | {"evidence": {"folder": "e", "keep_hours": 0}},
            "m.yaml: evidence.keep_hours: Input should be greater than 0",
        ),
        (with_stream() | {"evidence": {"folder": "e", "colour": 1}}, "m.yaml: evidence.colour: unknown key"),
        (with_stream() | {"faces": None}, "m.yaml: faces: expected a section of settings"),
        ({"streams": {"name": "a"}}, "m.yaml: streams: expected a list"),
        ("", "m.yaml: the file is empty"),
        ("mqtt:\n  password: {{PW}}\n", "m.yaml:2: not YAML: a key is not a word (quote `{…}`?)"),
        ("streams: []\nstreams: []\n", "m.yaml:2: not YAML: the key streams stands twice"),
        ("- 1", "m.yaml: expected sections of settings, found list"),
        ("streams: [\n", "m.yaml:2: not YAML"),
    ],
)
def test_config_faults_are_one_line_with_the_field(tree: dict[str, Any] | str, line: str) -> None:
    lines = errors_of(tree)
    assert len(lines) == 1
    assert lines[0].startswith(line)


@pytest.mark.parametrize(
    "web",
    [
        {"host": "0.0.0.0", "auth": "users", "tls_cert": "c.pem", "tls_key": "k.pem"},
        {"host": "::", "auth": "users", "trusted_proxies": ["10.0.0.5", "fd00::/64"]},
        {"host": "127.0.0.2"},
        {"host": "localhost", "auth": "users"},
        {"host": "::1", "auth": "users", "metrics": "open"},
    ],
)
def test_config_listens_beyond_this_machine_only_where_passwords_are_safe(web: dict[str, Any]) -> None:
    assert parse_config(yaml.safe_dump(with_stream() | {"web": web}), "m.yaml", {}).web.host == web["host"]


def test_config_names_every_fault_at_once() -> None:
    assert len(errors_of(with_stream(colour=1, stall_s=0) | {"mqtts": {}})) == 3


def test_config_duplicate_names_are_refused() -> None:
    stream = with_stream()["streams"][0]
    assert errors_of({"streams": [stream, stream]}) == ["m.yaml: streams: the name lobby is used more than once"]


def test_config_missing_variable_is_named_with_its_place() -> None:
    assert errors_of(with_stream(url="rtsp://u:${NOPE}@x/y") | {"mqtt": {"username": "${ALSO}"}}) == [
        "m.yaml: streams.lobby.url: environment variable NOPE is not set",
        "m.yaml: mqtt.username: environment variable ALSO is not set",
    ]


def test_config_errors_do_not_show_credentials() -> None:
    assert "hunter2" not in "".join(errors_of(with_stream(url="gopher://user:hunter2@x/y")))


def test_config_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.yaml: cannot read: No such file"):
        load_config(tmp_path / "nothing.yaml")


def test_config_every_field_is_described() -> None:
    def undescribed(schema: dict[str, Any]) -> list[str]:
        sections = schema["$defs"].items()
        return [f"{n}.{f}" for n, s in sections for f, field in s["properties"].items() if "description" not in field]

    assert undescribed(MonitorConfig.model_json_schema()) == []
