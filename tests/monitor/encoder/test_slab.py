from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest

from monitor.encoder import slab
from monitor.encoder.slab import give_slab, take_slab
from monitor.processes.memory import SHARES

_SHAPE = (4, 8, 8, 3)


@pytest.mark.parametrize("shares", [True, False])
def test_what_is_put_at_one_end_is_got_at_the_other(shares: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if shares and not SHARES:
        pytest.skip("this system has no memory without a name")
    monkeypatch.setattr(slab, "SHARES", shares)
    ours, theirs = multiprocessing.Pipe()
    near, far = give_slab(ours, _SHAPE), take_slab(theirs, _SHAPE)
    rng = np.random.default_rng(0)
    for place, count in ((0, 1), (1, 4), (0, 2)):
        crops = rng.integers(0, 256, (count, *_SHAPE[1:]), np.uint8)
        putting = threading.Thread(target=near.put, args=(place, list(crops), (place, count)))
        putting.start()
        np.testing.assert_array_equal(far.get(*theirs.recv()), crops)
        putting.join()
    ours.close()
    with pytest.raises(EOFError):
        take_slab(theirs, _SHAPE) if shares else far.get(0, 1)
    theirs.close()
