"""A stream that is made after another is judged by its settings, for as long as it is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gend.adapter import cut_adapter
from gend.checkpoint import load_checkpoint
from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.messages import Alert
from monitor.parts import load_parts
from monitor.pipeline import Output, Pipeline

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> MonitorConfig:
    folder = tmp_path_factory.mktemp("kin")
    make_clip(folder / "call.mp4", seconds=9, manipulated_from_s=0, names=["astronaut"])
    cut_adapter(load_checkpoint("demo").model).save(folder / "own.safetensors")
    tape = {"name": "tape", "url": f"file:{folder / 'none.mp4'}", "loop": True, "adapter": "own"}
    return MonitorConfig.model_validate(
        {
            "streams": [tape],
            "encoder": {"weights": "demo", "adapters": {"own": str(folder / "own.safetensors")}},
            "decision": {"threshold": 6, "min_blocks": 4},
        }
    )


async def test_a_stream_comes_is_judged_as_the_one_it_is_made_after_and_goes(config: MonitorConfig) -> None:
    outputs: list[Output] = []
    pipeline = Pipeline(config, await asyncio.to_thread(load_parts, config), run_id="1")
    running = asyncio.create_task(pipeline.run(outputs.append))
    try:
        (tape,) = config.streams
        clip = Path(tape.url.get_secret_value().removeprefix("file:")).with_name("call.mp4")
        url = type(tape.url)(f"file:{clip}")
        await pipeline.watch(tape.model_copy(update={"name": "tape-1", "url": url}), after="tape")
        assert (pipeline.kin.of("tape-1"), pipeline.kin.of("tape")) == ("tape", "tape")
        async with asyncio.timeout(60):
            while not (alerts := [each for each in outputs if isinstance(each, Alert)]):
                await asyncio.sleep(0.05)
        assert (alerts[0].stream, alerts[0].model.adapter) == ("tape-1", "own")
        await pipeline.unwatch(["tape-1"], "the call ended", 5)
        cleared = [each for each in outputs if isinstance(each, Alert)][-1]
        assert (cleared.stream, cleared.type, cleared.reason) == ("tape-1", "cleared", "the call ended")
        assert cleared.model.adapter == "own"
        assert not pipeline.kin.passing("tape-1")
        assert [status.stream for status in pipeline.statuses()] == ["tape"]
    finally:
        running.cancel()
        await pipeline.stop(outputs.append, 5)
