"""Decoders outside of the processor: which there are, and what to say where one cannot be had."""

from __future__ import annotations

from av import CodecContext
from av.codec.hwaccel import HWAccel, hwdevices_available

from monitor.errors import SourceError

_COMMON = "h264"
"""What every such decoder can: to find out whether the device itself is there."""


def hardware_decoder(asked: str | None) -> HWAccel | None:
    """The decoder that a stream's `hardware` asks for; None where it asks for none.

    Pictures come back to the processor's memory, where faces are found and cut out.

    Args:
        asked: a kind FFmpeg knows, such as `cuda`, `vaapi` or `qsv`, and after a colon which device of it:
            `vaapi:/dev/dri/renderD129`, `cuda:1`.

    Raises:
        SourceError: there is no such kind in this build of FFmpeg, or no such device.
    """
    if asked is None:
        return None
    kind, _, device = asked.partition(":")
    known = hwdevices_available()
    if kind not in known:
        raise SourceError(f"cannot open: hardware {kind}: this build of FFmpeg knows {', '.join(known) or 'none'}")
    try:
        CodecContext.create(_COMMON, "r", hwaccel=HWAccel(kind, device or None, allow_software_fallback=False))
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceError(f"cannot open: hardware {asked}: there is no such device, or it may not be used") from error
    return HWAccel(kind, device or None, allow_software_fallback=False)
