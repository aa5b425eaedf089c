"""NAL units of H.264 and H.265, and sequence parameter sets whose promises are changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tests.faults.hostile.bits import BitReader, BitWriter, escaped, unescaped

Codec = Literal["h264", "hevc"]
START = b"\x00\x00\x00\x01"
_START = re.compile(rb"\x00\x00\x00?\x01")
_H264_HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 244}


def split(annex_b: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, without start codes."""
    return [unit for unit in _START.split(annex_b) if unit]


def join(units: Sequence[bytes]) -> bytes:
    """An Annex B byte stream of NAL units."""
    return b"".join(START + unit for unit in units)


def kind(codec: Codec, unit: bytes) -> int:
    """nal_unit_type."""
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def is_parameters(codec: Codec, unit: bytes) -> bool:
    """Whether it is a VPS, SPS or PPS."""
    return kind(codec, unit) in ({7, 8} if codec == "h264" else {32, 33, 34})


def is_sps(codec: Codec, unit: bytes) -> bool:
    """Whether it is a sequence parameter set."""
    return kind(codec, unit) == (7 if codec == "h264" else 33)


@dataclass(frozen=True)
class Promises:
    """What a sequence parameter set says that a decoder must prepare for, as it is written there."""

    width: int
    """H.264: pic_width_in_mbs_minus1. H.265: pic_width_in_luma_samples."""
    height: int
    """H.264: pic_height_in_map_units_minus1. H.265: pic_height_in_luma_samples."""
    references: int | None = None
    """H.264: max_num_ref_frames. H.265 counts them further on."""
    crop: tuple[int, int, int, int] | None = None
    """Left, right, top, bottom, in chroma samples; None where nothing is cropped."""

    def sized(self, codec: Codec, width: int, height: int) -> Promises:
        """The same with another size, pixels."""
        if codec == "h264":
            return replace(self, width=max(0, width // 16 - 1), height=max(0, height // 16 - 1))
        return replace(self, width=width, height=height)


def repromised(codec: Codec, sps: bytes, change: Callable[[Promises], Promises]) -> bytes:
    """A sequence parameter set with other promises. Raises ValueError where it is not one we can read."""
    rewrite = _h264 if codec == "h264" else _h265
    header = 1 if codec == "h264" else 2
    return sps[:header] + escaped(rewrite(unescaped(sps[header:]), change))


def _h264(payload: bytes, change: Callable[[Promises], Promises]) -> bytes:
    bits = BitReader(payload)
    profile = bits.u(8)
    bits.u(16)
    bits.ue()  # seq_parameter_set_id
    if profile in _H264_HIGH_PROFILES:
        if bits.ue() == 3:
            bits.u(1)
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            raise ValueError("scaling lists are not read here")
    bits.ue()  # log2_max_frame_num_minus4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        raise ValueError("picture order of type 1 is not read here")
    before = bits.position
    references, gaps = bits.ue(), bits.u(1)
    width, height = bits.ue(), bits.ue()
    frames_only = bits.u(1)
    adaptive = None if frames_only else bits.u(1)
    direct = bits.u(1)
    promises = change(Promises(width, height, references, _read_crop(bits)))

    out = BitWriter()
    out.append("".join(f"{byte:08b}" for byte in payload)[:before])
    out.ue(promises.references or 0)
    out.u(gaps, 1)
    out.ue(promises.width)
    out.ue(promises.height)
    out.u(frames_only, 1)
    if adaptive is not None:
        out.u(adaptive, 1)
    out.u(direct, 1)
    _write_crop(out, promises.crop)
    out.append(bits.rest())
    return out.payload()


def _h265(payload: bytes, change: Callable[[Promises], Promises]) -> bytes:
    bits = BitReader(payload)
    bits.u(4)
    if bits.u(3):
        raise ValueError("sub-layers are not read here")
    bits.u(1 + 88 + 8)  # profile_tier_level without sub-layers
    bits.ue()
    if bits.ue() == 3:
        bits.u(1)
    before = bits.position
    width, height = bits.ue(), bits.ue()
    promises = change(Promises(width, height, crop=_read_crop(bits)))

    out = BitWriter()
    out.append("".join(f"{byte:08b}" for byte in payload)[:before])
    out.ue(promises.width)
    out.ue(promises.height)
    _write_crop(out, promises.crop)
    out.append(bits.rest())
    return out.payload()


def _read_crop(bits: BitReader) -> tuple[int, int, int, int] | None:
    return (bits.ue(), bits.ue(), bits.ue(), bits.ue()) if bits.u(1) else None


def _write_crop(out: BitWriter, crop: tuple[int, int, int, int] | None) -> None:
    out.u(crop is not None, 1)
    for edge in crop or ():
        out.ue(edge)
