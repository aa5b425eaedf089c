"""Where added streams may lead, by default and where more is named."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from monitor.reach import LookUpError, OutOfReachError, UnknownHostError, checked_addresses, look_up, refusal
from monitor.reach_config import AddedStreamsConfig, ReachConfig
from monitor.web_config import WebConfig

DEFAULT = ReachConfig()
EVERYWHERE = ReachConfig(networks=["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize("address", ["10.0.0.5", "172.31.255.1", "192.168.1.20", "fd12::1", "::ffff:10.0.0.5"])
def test_private_addresses_are_allowed(address: str) -> None:
    assert refusal(ip_address(address), DEFAULT) is None


NEVER_BY_DEFAULT = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.251",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
]


@pytest.mark.parametrize("address", NEVER_BY_DEFAULT)
@pytest.mark.parametrize("within", [DEFAULT, EVERYWHERE])
def test_special_addresses_are_not_even_where_a_wide_network_holds_them(address: str, within: ReachConfig) -> None:
    why = refusal(ip_address(address), within, host="camera.example")
    assert why is not None
    assert "web.added_streams" in why


def test_special_addresses_are_where_their_network_is_named() -> None:
    within = ReachConfig(networks=["127.0.0.1/32", "fe80::/64"])
    assert refusal(ip_address("127.0.0.1"), within) is None
    assert refusal(ip_address("::ffff:127.0.0.1"), within) is None
    assert refusal(ip_address("fe80::5"), within) is None
    assert refusal(ip_address("127.0.0.2"), within) is not None


def test_public_addresses_are_by_name_alone() -> None:
    within = ReachConfig(hosts=["Media.example"])
    assert checked_addresses("media.example.", within, lambda _: ["203.0.113.7"]) == ["203.0.113.7"]
    with pytest.raises(OutOfReachError, match="is in none of the networks"):
        checked_addresses("other.example", within, lambda _: ["203.0.113.7"])
    with pytest.raises(OutOfReachError, match="is a loopback address"):
        checked_addresses("media.example", within, lambda _: ["127.0.0.1"])


def test_one_address_that_is_not_allowed_is_enough() -> None:
    with pytest.raises(OutOfReachError, match="is a link-local address"):
        checked_addresses("camera.lan", DEFAULT, lambda _: ["10.0.0.5", "169.254.169.254"])


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "127.1", "localhost", "[::1]".strip("[]")])
def test_other_spellings_of_this_machine_are_seen_through(spelling: str) -> None:
    with pytest.raises(OutOfReachError, match="loopback"):
        checked_addresses(spelling, DEFAULT)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"networks": ["10.0.0.1/8"]}, "expected a network"),
        ({"hosts": ["rtsp://camera.example"]}, "stands alone"),
        ({"schemes": ["file"]}, "Input should be"),
        ({"max_streams": -1}, "greater than or equal"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WebConfig.model_validate({"added_streams": fields})
    assert WebConfig().added_streams == AddedStreamsConfig()


NO_HANDLES = """
import resource, sys
from monitor.reach import LookUpError, UnknownHostError, look_up
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
for host in sys.argv[1:]:
    try:
        look_up(host)
    except UnknownHostError as error:
        sys.stdout.write(f"{type(error).__name__} {error}\\n")
"""


def test_a_shortage_of_file_handles_is_not_taken_for_a_host_that_is_unknown() -> None:
    """Without one, Python cannot load what encodes names, and the resolver says that there is no such host."""
    command = [sys.executable, "-c", NO_HANDLES, "127.0.0.1", "localhost"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["LookUpError host name cannot be looked up: Too many open files"] * 2
    prepared = NO_HANDLES.replace("import resource", "import encodings.idna, resource")
    done = subprocess.run([sys.executable, "-c", prepared, *command[3:]], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["LookUpError host name cannot be looked up: Too many open files"]


def test_a_host_that_is_not_known_is_told_from_one_that_cannot_be_looked_up() -> None:
    with pytest.raises(UnknownHostError, match=r"^host name not found$") as unknown:
        look_up("host.invalid")
    assert not isinstance(unknown.value, LookUpError)
