from __future__ import annotations

import subprocess
import sys

# In a process of its own: where the test fails, it is the process that ends.
_PROGRAM = """
import gc, os, signal
import numpy as np
import openvino as ov
from openvino import opset13
from gend.faces.inference import compile_network

def network():
    start = opset13.parameter([1, 4], np.float32)
    return compile_network(ov.Model([opset13.relu(start)], [start]), 1)

signal.signal(signal.SIGTERM, lambda *_: print("heard"))
first, second = network(), network()
del first
gc.collect()
del second
gc.collect()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_signals_are_heard_after_networks_have_gone() -> None:
    ended = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "heard\n", "")
