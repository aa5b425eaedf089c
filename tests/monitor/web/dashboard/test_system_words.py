from __future__ import annotations

from monitor.actions.system import System, Versions, Workers
from monitor.broadcast import BroadcastStatistics
from monitor.health import Health
from monitor.messages import ModelIdentity
from monitor.store import StoreStatistics
from monitor.web.dashboard.system_words import Check, checks, summary


def system(*shortages: str) -> System:
    return System(
        Versions("1", "3.12", "Linux", {}),
        60.0,
        Health(True, "ok", "ok", "connected", {"lobby": "live"}, shortages=shortages),
        ModelIdentity("demo", "0" * 64, None, "torch", "fp32"),
        "yunet",
        (),
        StoreStatistics(0, {}, reserve_held=True),
        Workers("process", {}),
        BroadcastStatistics(0, 0, 0),
        None,
    )


def test_a_shortage_wants_attention_and_is_no_failure() -> None:
    assert summary(system()).name == "All is well"
    short = system("the encoder is too slow")
    assert Check("Shortage", "the encoder is too slow", "suspect") in checks(short)
    assert summary(short) == Check("Something needs attention", "Look at: shortage.", "suspect")
