from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from monitor.isolation.crops import SHARED_BYTES, CropSlots, Placed
from monitor.messages import Crop, Pixels
from monitor.processes.memory import SHARES, give_memory, take_memory

pytestmark = pytest.mark.skipif(not SHARES, reason="this system has no memory without a name")


@pytest.fixture
def ends() -> tuple[CropSlots, CropSlots]:
    ours, theirs = multiprocessing.Pipe()
    return CropSlots(give_memory(ours, SHARED_BYTES)), CropSlots(take_memory(theirs, SHARED_BYTES))


def _crop(pixels: Pixels) -> Crop:
    return Crop("lobby", "1", 1.5, pixels, 0.5, 100.0, "hall")


def test_a_crop_is_fetched_as_it_was_placed(ends: tuple[CropSlots, CropSlots]) -> None:
    near, far = ends
    rng = np.random.default_rng(0)
    for px in (224, 112, 448, 224) * 10:
        # Also one whose rows are no whole memory.
        crop = _crop(rng.integers(0, 256, (px, 2 * px, 3), np.uint8)[:, ::2])
        placed = near.place(crop)
        assert isinstance(placed, Placed)
        assert placed.crop.pixels.size == 0
        fetched = far.fetch(placed)
        np.testing.assert_array_equal(fetched.pixels, crop.pixels)
        assert (fetched.stream, fetched.track, fetched.at_s, fetched.adapter) == ("lobby", "1", 1.5, "hall")


def test_a_fetched_crop_is_its_own(ends: tuple[CropSlots, CropSlots]) -> None:
    near, far = ends
    fetched = []
    for value in range(100):
        placed = near.place(_crop(np.full((112, 112, 3), value, np.uint8)))
        assert isinstance(placed, Placed)
        fetched.append(far.fetch(placed))
    assert [int(crop.pixels.min()) for crop in fetched] == [int(crop.pixels.max()) for crop in fetched] == [*range(100)]


def test_where_there_is_no_room_the_crop_goes_as_it_is(ends: tuple[CropSlots, CropSlots]) -> None:
    near, far = ends
    crops = [_crop(np.full((8, 8, 3), value, np.uint8)) for value in range(20)]
    sent = [near.place(crop) for crop in crops]
    placed = [message for message in sent if isinstance(message, Placed)]
    assert len(placed) == 16
    assert [message for message in sent if isinstance(message, Crop)] == crops[16:]
    assert [int(far.fetch(message).pixels[0, 0, 0]) for message in placed] == [*range(16)]
    assert isinstance(near.place(crops[0]), Placed)
    large = _crop(np.zeros((700, 700, 3), np.uint8))
    assert near.place(large) is large
