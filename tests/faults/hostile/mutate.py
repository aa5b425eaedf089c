"""Sound clips made hostile: what broken cameras, lossy links and attackers send. The same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

from tests.faults.hostile import nal
from tests.faults.hostile.clips import SHAPES, Clip, encode, muxed
from tests.faults.hostile.nal import Codec, Promises

Timed = tuple[bytes, int, int]
"""One picture's bytes, its pts and its dts."""
Mutation = Callable[[random.Random, Clip, list[Timed]], list[Timed]]

_SUFFIX = {"raw": "bin", "mpegts": "ts", "matroska": "mkv", "mp4": "mp4"}
_GIANT = 16128
"""The longest side of a square picture that FFmpeg would still make room for: 390 MB each."""
_LONGEST = 4_000_000
"""Bytes of a hostile stream, at the most."""


@dataclass(frozen=True)
class Hostile:
    """One hostile stream."""

    name: str
    """`<seed>-<index>`, which is all that is needed to make it again."""
    what: str
    """The clip, its container, and what was done to it."""
    payload: bytes
    """Of a file."""
    suffix: str
    url: str | None = None
    """Read this instead: a file without an end, or what is sent by other ways."""


def streams(seed: int, count: int) -> Iterator[Hostile]:
    """The first `count` streams of a seed."""
    return (stream(seed, index) for index in range(count))


def stream(seed: int, index: int) -> Hostile:
    """One stream; the same each time."""
    rng = random.Random(f"{seed}-{index}")
    name = f"{seed}-{index}"
    if rng.random() < 0.04:
        return _degenerate(rng, name)
    clip = rng.choice(_clips())
    pictures: list[Timed] = [(payload, *times) for payload, times in zip(clip.pictures, clip.times, strict=True)]
    told: list[str] = []
    container = rng.choices(("raw", "mpegts", "matroska", "mp4"), (6, 3 if clip.codec != "mjpeg" else 0, 1, 1))[0]
    # FFmpeg's writer of MKV crashes on hostile pictures itself, so these files are damaged when they are written.
    in_container = container in {"matroska", "mp4"} or (container == "mpegts" and rng.random() < 0.4)
    if not in_container:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            mutation = rng.choice(_JPEG if clip.codec == "mjpeg" else _NAL)
            pictures = mutation(rng, clip, pictures)
            told.append(mutation.__name__.strip("_"))
    if container == "raw":
        payload = b"".join(picture for picture, _, _ in pictures)
    else:
        payload = muxed(clip, pictures, container)
    if in_container:
        payload, how = _damaged_container(rng, payload)
        told.append(how)
    return Hostile(name, f"{clip.shape.name} {container}: {', '.join(told)}", payload[:_LONGEST], _SUFFIX[container])


@cache
def _clips() -> tuple[Clip, ...]:
    return tuple(encode(shape) for shape in SHAPES)


# --- bytes of any kind ---


def _flipped(rng: random.Random, payload: bytes, rate: float) -> bytes:
    """Each bit turned over with that probability."""
    damaged = bytearray(payload)
    expected = len(payload) * 8 * rate
    for _ in range(int(expected) + (rng.random() < expected % 1)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _holed(rng: random.Random, payload: bytes) -> bytes:
    """A run of bytes made equal, removed, or added."""
    if not payload:
        return payload
    start, length = rng.randrange(len(payload)), rng.choice((1, 4, 64, 1024))
    how = rng.choice(("zero", "ones", "removed", "random", "repeated"))
    middle = payload[start : start + length]
    if how == "zero":
        middle = bytes(len(middle))
    elif how == "ones":
        middle = b"\xff" * len(middle)
    elif how == "removed":
        middle = b""
    elif how == "random":
        middle += rng.randbytes(length)
    else:
        middle *= 3
    return payload[:start] + middle + payload[start + length :]


def _damaged_container(rng: random.Random, payload: bytes) -> tuple[bytes, str]:
    """A file of a container damaged in its bytes, often in the first, where its headers are."""
    how = rng.choice(("head flipped", "flipped", "flipped more", "holed", "cut off", "head holed", "shuffled"))
    if how == "head flipped":
        return _flipped(rng, payload[:2048], 10 ** rng.uniform(-4, -2)) + payload[2048:], how
    if how.startswith("flipped"):
        return _flipped(rng, payload, 10 ** rng.uniform(-6, -4 if how == "flipped" else -2)), how
    if how == "head holed":
        return _holed(rng, payload[:1024]) + payload[1024:], how
    if how == "cut off":
        return payload[: rng.randrange(len(payload))], how
    if how == "shuffled":
        parts = [payload[start : start + 188] for start in range(0, len(payload), 188)]
        for _ in range(rng.randrange(1, 30)):
            first, second = rng.randrange(len(parts)), rng.randrange(len(parts))
            parts[first], parts[second] = parts[second], parts[first]
        return b"".join(parts), how
    for _ in range(rng.randrange(1, 20)):
        payload = _holed(rng, payload)
    return payload, how


def _flip(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    rate = 10 ** rng.uniform(-6, -2)
    return [(_flipped(rng, payload, rate), pts, dts) for payload, pts, dts in pictures]


def _hole(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    share = rng.uniform(0.05, 0.8)
    return [(_holed(rng, payload) if rng.random() < share else payload, *times) for payload, *times in pictures]  # type: ignore[misc]


def _truncate(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    share = rng.uniform(0.05, 0.8)
    return [
        (payload[: rng.randrange(len(payload))] if payload and rng.random() < share else payload, pts, dts)
        for payload, pts, dts in pictures
    ]


# --- units ---


def _by_unit(pictures: list[Timed], change: Callable[[list[bytes]], list[bytes]]) -> list[Timed]:
    return [(nal.join(change(nal.split(payload))), pts, dts) for payload, pts, dts in pictures]


def _drop(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    share = rng.uniform(0.02, 0.6)
    return _by_unit(pictures, lambda units: [unit for unit in units if rng.random() >= share])


def _duplicate(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    share = rng.uniform(0.02, 0.6)
    return _by_unit(pictures, lambda units: [unit for unit in units for _ in range(1 + (rng.random() < share))])


def _reorder(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    payloads = [payload for payload, _, _ in pictures]
    for _ in range(rng.randrange(1, 12)):
        first = rng.randrange(len(payloads))
        second = min(len(payloads) - 1, first + rng.randrange(1, 5))
        payloads[first], payloads[second] = payloads[second], payloads[first]
    return [(payload, pts, dts) for payload, (_, pts, dts) in zip(payloads, pictures, strict=True)]


def _splice(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Units of another clip, mostly of the same codec."""
    akin = [other for other in _clips() if other.codec == clip.codec and other is not clip]
    other = rng.choice(akin if akin and rng.random() < 0.75 else _clips())
    share = rng.uniform(0.05, 0.5)
    return [
        (rng.choice(other.pictures) if rng.random() < share else payload, pts, dts) for payload, pts, dts in pictures
    ]


def _headless(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Slices without the parameters that explain them, or without the first ones only."""
    codec, kept = _codec(clip), rng.randrange(0, 3)
    seen = [0]

    def strip(units: list[bytes]) -> list[bytes]:
        out = []
        for unit in units:
            if nal.is_parameters(codec, unit):
                seen[0] += 1
                if seen[0] > kept and rng.random() < 0.9:
                    continue
            out.append(unit)
        return out

    return _by_unit(pictures, strip)


def _flip_parameters(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    codec = _codec(clip)
    return _by_unit(
        pictures,
        lambda units: [_flipped(rng, unit, 0.01) if nal.is_parameters(codec, unit) else unit for unit in units],
    )


def _flip_slice_headers(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    codec, share = _codec(clip), rng.uniform(0.05, 0.9)
    return _by_unit(
        pictures,
        lambda units: [
            unit
            if nal.is_parameters(codec, unit) or rng.random() > share
            else _flipped(rng, unit[:12], 0.02) + unit[12:]
            for unit in units
        ],
    )


def _retype(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Units that claim to be of another type."""
    share = rng.uniform(0.02, 0.3)
    return _by_unit(
        pictures,
        lambda units: [
            bytes([rng.randrange(256)]) + unit[1:] if unit and rng.random() < share else unit for unit in units
        ],
    )


def _repromise(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Parameters that promise other pictures than come: huge, tiny, cropped to nothing, of too many references."""
    codec = _codec(clip)
    width, height = clip.shape.size
    sizes = [
        (_GIANT, _GIANT), (8192, 8192), (65535, 16), (16, 65535), (0, 0), (1 << 31, 1 << 31), (16, 16), (8, 8),
        (width * 2, height), (width, height // 2), (width + 16, height + 16), (4096, 2160),
    ]  # fmt: skip
    size = rng.choice(sizes)
    changes: list[Callable[[Promises], Promises]] = [
        lambda promises: promises.sized(codec, *size),
        lambda promises: replace(promises, references=rng.choice((0, 1, 15, 16, 17, 255, 1 << 20))),
        lambda promises: replace(promises, crop=(width // 4, width // 4, 0, 0)),
        lambda promises: replace(promises, crop=(0, 0, rng.choice((1, 7, 4096, (1 << 32) - 2)), 3)),
        lambda promises: replace(promises.sized(codec, *size), references=16, crop=(1, 1, 1, 1)),
    ]
    change, share = rng.choice(changes), rng.choice((1.0, 1.0, 0.4))
    return _by_unit(pictures, lambda units: [_lie(codec, unit, change, rng, share) for unit in units])


def _resize_always(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Another promised size with every keyframe."""
    codec = _codec(clip)

    def change(promises: Promises) -> Promises:
        return promises.sized(codec, 16 * rng.randrange(1, 60), 16 * rng.randrange(1, 40))

    return _by_unit(pictures, lambda units: [_lie(codec, unit, change, rng, 1.0) for unit in units])


def _lie(codec: Codec, unit: bytes, change: Callable[[Promises], Promises], rng: random.Random, share: float) -> bytes:
    if not nal.is_sps(codec, unit) or rng.random() > share:
        return unit
    try:
        return nal.repromised(codec, unit, change)
    except ValueError:
        return unit  # damaged before, or of a kind that is not read


def _alternate(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Whole keyframes and what follows, by turns of clips of the same codec: every one is sound by itself."""
    akin = [other for other in _clips() if other.codec == clip.codec]
    out: list[bytes] = []
    while len(out) < len(pictures):
        out += rng.choice(akin).pictures[: rng.randrange(1, 9)]
    return [(payload, pts, dts) for payload, (_, pts, dts) in zip(out, pictures, strict=False)]


def _repeat_one(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """The same picture again and again."""
    payload = rng.choice(pictures)[0]
    first = pictures[0][2]
    return [*pictures[:1], *((payload, first + index, first + index) for index in range(1, 60))]


# --- JPEG ---

_START_OF_FRAME = (0xC0, 0xC1, 0xC2, 0xC3, 0xC9)


def _segment(payload: bytes, markers: Sequence[int]) -> int | None:
    """Where the first of these segments begins: at its 0xff."""
    found = [payload.find(bytes((0xFF, marker))) for marker in markers]
    return min((place for place in found if place >= 0), default=None)


def _in_jpegs(pictures: list[Timed], markers: Sequence[int], change: Callable[[bytes, int], bytes]) -> list[Timed]:
    out = []
    for payload, pts, dts in pictures:
        place = _segment(payload, markers)
        out.append((payload if place is None else change(payload, place), pts, dts))
    return out


def _jpeg_size(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """A frame header that says another size."""
    width, height = rng.choice(
        ((65535, 65535), (16000, 16000), (0, 0), (1, 1), (65535, 1), (1, 65535), (0, 240), (333, 217), (8000, 4000))
    )
    share = rng.choice((1.0, 0.3))

    def change(payload: bytes, place: int) -> bytes:
        if rng.random() > share:
            return payload
        return payload[: place + 5] + height.to_bytes(2) + width.to_bytes(2) + payload[place + 9 :]

    return _in_jpegs(pictures, _START_OF_FRAME, change)


def _jpeg_tables(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Nonsense in the Huffman tables, quantisation tables or headers."""
    marker = rng.choice((0xC4, 0xDB, 0xC0, 0xDA, 0xE0))
    length = rng.choice((1, 4, 32))

    def change(payload: bytes, place: int) -> bytes:
        at = place + 2 + rng.randrange(0, 24)
        return payload[:at] + rng.randbytes(length) + payload[at + length :]

    return _in_jpegs(pictures, (marker,), change)


def _jpeg_marker(rng: random.Random, clip: Clip, pictures: list[Timed]) -> list[Timed]:
    """Segments that say they are others: progressive, lossless, arithmetic, restarts, ends."""
    marker = rng.choice((0xC0, 0xC4, 0xDB, 0xDA))
    to = rng.choice((0xC1, 0xC2, 0xC3, 0xC9, 0xD0, 0xD8, 0xD9, 0xDD, 0xDA, 0xFE, 0xF7, 0xE2, 0xC4))
    return _in_jpegs(
        pictures, (marker,), lambda payload, place: payload[: place + 1] + bytes((to,)) + payload[place + 2 :]
    )


# --- no clips at all ---


def _degenerate(rng: random.Random, name: str) -> Hostile:
    clip = rng.choice([clip for clip in _clips() if clip.codec != "mjpeg"])
    units = nal.split(clip.pictures[0])
    sps = next(unit for unit in units if nal.is_sps(_codec(clip), unit))
    choices: dict[str, bytes] = {
        "empty": b"",
        "one byte": b"\x00",
        "zeros": bytes(100_000),
        "start codes": nal.START * 20_000,
        "noise": rng.randbytes(100_000),
        "noise in units": nal.join([rng.randbytes(rng.randrange(1, 300)) for _ in range(500)]),
        "parameters only": nal.join([sps] * 2000),
        "two pictures": b"".join(clip.pictures[:2]),
        "half a JPEG": b"\xff\xd8" + rng.randbytes(2000),
        "beginnings of JPEGs": b"\xff\xd8\xff\xc0" * 5000,
        "TS packets": b"".join(b"\x47" + rng.randbytes(187) for _ in range(500)),
    }
    what = rng.choice([*choices, "endless zeros", "endless noise"])
    if what.startswith("endless"):
        return Hostile(name, what, b"", "", url="file:/dev/zero" if "zeros" in what else "file:/dev/urandom")
    return Hostile(name, what, choices[what], "bin")


def _codec(clip: Clip) -> Codec:
    return cast("Codec", clip.codec)


_ANY: list[Mutation] = [_flip, _hole, _truncate, _reorder, _splice, _repeat_one]
_NAL: list[Mutation] = [
    *_ANY, _flip, _drop, _duplicate, _headless, _flip_parameters, _flip_slice_headers, _retype, _repromise, _repromise,
    _resize_always, _alternate,
]  # fmt: skip
_JPEG: list[Mutation] = [
    *_ANY,
    _flip,
    _hole,
    _jpeg_size,
    _jpeg_size,
    _jpeg_tables,
    _jpeg_tables,
    _jpeg_marker,
    _alternate,
]
