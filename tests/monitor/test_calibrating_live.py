from __future__ import annotations

from pathlib import Path

import pytest

from monitor.calibrating_live import calibrate_live
from monitor.config import MonitorConfig
from monitor.errors import ConfigError


def test_a_call_is_not_waited_for_where_nobody_can_publish(tmp_path: Path) -> None:
    config = MonitorConfig.model_validate({"streams": [{"name": "call", "url": "whip:"}]})
    with pytest.raises(
        ConfigError, match=r"^streams.call.url: nobody can publish while this runs; .*decision.learning$"
    ):
        calibrate_live(config, tmp_path / "call.json", days=1)
