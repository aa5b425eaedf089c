"""The one OpenVINO of this process, for whatever runs networks on the CPU."""

from __future__ import annotations

from functools import cache

import openvino as ov

# OpenVINO's bindings make their table of types when they are first asked for one, and let go of the interpreter's lock
# meanwhile. Two threads that ask first at once, each with a network of its own, then wait for each other for ever, and
# the whole process with them.
ov.Type.u8.to_dtype()


@cache
def openvino_core() -> ov.Core:
    """What reads and compiles networks; always the same one, and never let go of.

    OpenVINO's CPU plugin gives the thread that loads it a stack for signal handlers, and takes that away again when it
    is unloaded: of two plugins that go in the order in which they came, the second puts the first one's stack back,
    whose memory is gone. The next signal that Python handles in that thread (SIGTERM, Ctrl-C, the end of a child)
    would end the process with a segmentation fault.
    """
    return ov.Core()
