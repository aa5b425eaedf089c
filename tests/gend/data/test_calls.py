"""Calls: real codecs at the bits asked for, losses that smear, screens that are filmed; the same for all of a pair."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gend.data.calls import CallDegradation, CallShares, degrade
from gend.data.coding import Codec, decode, to_pixels
from gend.data.drawn import DrawnFaces
from gend.data.recapture import Recapture
from gend.data.transmission import Loss, Transmission, predicted_bits_per_px
from gend.errors import PictureError

_KINDS = {
    "codec": CallShares(1, 0, 0, 0),
    "ladder": CallShares(0, 1, 0, 0),
    "loss": CallShares(0, 0, 1, 0),
    "recapture": CallShares(0, 0, 0, 1),
}
_CODECS: tuple[Codec, ...] = ("h264", "vp8")
_LIVELY = Transmission(bits_per_px=0.06, motion=(0.012, 0.006), expression=0.004, seed=3)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return DrawnFaces().draw(np.random.default_rng(5), 160).picture


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - two).mean())


def _detail(picture: np.ndarray) -> float:
    return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())


@pytest.mark.parametrize("kind", _KINDS)
def test_degrade_treats_all_members_alike_and_the_same_each_time(face: np.ndarray, kind: str) -> None:
    rng, before = np.random.default_rng(1), face.copy()
    other = np.ascontiguousarray(face[::-1])
    for _ in range(4):
        how = CallDegradation.draw(rng, _KINDS[kind])
        first, between, last = degrade([face, other, face], how)
        assert np.array_equal(first, last)
        assert np.array_equal(first, degrade([face], how)[0])
        assert not np.array_equal(first, between)
        assert not np.array_equal(first, face)
    assert np.array_equal(face, before)


@pytest.mark.parametrize("kind", _KINDS)
def test_degrade_leaves_the_picture_where_it_is(face: np.ndarray, kind: str) -> None:
    """What comes out is still this picture: a blurred, unmoved one (screens apart, which move it by a pixel or two)."""
    rng = np.random.default_rng(2)
    for _ in range(6):
        how = CallDegradation.draw(rng, _KINDS[kind])
        if how.transmission is not None and how.transmission.loss is not None:
            continue  # a lost frame leaves things where they were before it
        degraded = degrade([face], how)[0].astype(float).mean(axis=2)
        alike = [
            float(np.corrcoef(degraded.ravel(), np.roll(face.mean(axis=2), shift, axis=1).ravel())[0, 1])
            for shift in (-8, 0, 8)
        ]
        assert alike[1] == max(alike)
        assert alike[1] > 0.75


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (601, 600), (9, 200), (1, 1)])
def test_degrade_keeps_any_size(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    rng = np.random.default_rng(3)
    for shares in _KINDS.values():
        for degraded in degrade([picture, picture], CallDegradation.draw(rng, shares)):
            assert degraded.shape == picture.shape
            assert degraded.dtype == np.uint8


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_degrade_of_a_picture_of_one_grey(codec: Codec, value: int) -> None:
    """Such a video takes next to no bits, whatever the quantiser."""
    grey = np.full((64, 64, 3), value, np.uint8)
    for loss in (None, Loss(2, 1)):
        sent = degrade([grey], CallDegradation(Transmission(codec=codec, loss=loss)))[0]
        assert _apart(sent, grey) < 4


def test_degrade_of_nothing_is_nothing() -> None:
    assert degrade([], CallDegradation(Transmission())) == []


def test_degrade_refuses_what_is_not_of_one_size(face: np.ndarray) -> None:
    with pytest.raises(PictureError, match="one size"):
        degrade([face, face[:100]], CallDegradation(Transmission()))
    with pytest.raises(PictureError):
        degrade([face[..., 0]], CallDegradation(Transmission()))


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_send_takes_about_the_bits_asked_for(face: np.ndarray, codec: Codec, scale: float) -> None:
    sent_shape = (round(160 * scale), round(160 * scale))
    for bits_per_px in (0.06, 0.12):
        how = replace(_LIVELY, codec=codec, bits_per_px=bits_per_px, scale=scale)
        packets = how.packets([face])[0]
        assert predicted_bits_per_px(packets, sent_shape) == pytest.approx(bits_per_px, rel=0.35)
        assert len(packets[0]) > 2 * len(packets[1])  # the first stands alone, the others are predicted


@pytest.mark.parametrize("codec", _CODECS)
def test_send_with_fewer_bits_is_farther(face: np.ndarray, codec: Codec) -> None:
    errors = [_apart(Transmission(codec, bits).send([face])[0], face) for bits in (0.5, 0.05, 0.012)]
    assert errors == sorted(errors)
    assert 2 * errors[0] < errors[2]


@pytest.mark.parametrize("enlarge", ["linear", "cubic"])
def test_send_smaller_leaves_less_detail(face: np.ndarray, enlarge: str) -> None:
    how = replace(Transmission(bits_per_px=0.3), enlarge="cubic" if enlarge == "cubic" else "linear")
    details = [_detail(replace(how, scale=scale).send([face])[0]) for scale in (1.0, 0.5, 0.25)]
    assert details == sorted(details, reverse=True)


def test_packets_take_the_quantiser_of_the_first_picture(face: np.ndarray) -> None:
    """A smooth picture beside a rough one is not coded finer for it."""
    smooth = np.full_like(face, 90)
    alone, beside = _LIVELY.packets([smooth])[0], _LIVELY.packets([face, smooth])[1]
    assert sum(map(len, beside)) <= sum(map(len, alone))
    assert _LIVELY.packets([face, face])[0] == _LIVELY.packets([face, face])[1]


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("loss", [Loss(1, 2), Loss(2, 1), Loss(3, 1)])
def test_loss_of_frames_smears_what_follows(face: np.ndarray, codec: Codec, loss: Loss) -> None:
    how = replace(_LIVELY, codec=codec)
    clean, smeared = how.send([face])[0], replace(how, loss=loss).send([face])[0]
    assert _apart(smeared, clean) > 2
    assert _apart(smeared, face) < 60  # it is a face still, not the green of a decoder that has nothing


def test_loss_of_slices_smears_where_they_were(face: np.ndarray) -> None:
    how = replace(_LIVELY, loss=Loss(4, 1, (2,)))
    # The same slices, all of which arrive.
    clean = to_pixels(decode(how.packets([face])[0], "h264")[-1])
    smeared = how.send([face])[0]
    rows = np.abs(smeared.astype(float) - clean).mean(axis=(1, 2))
    assert rows[88:116].mean() > 1  # the third quarter
    assert rows[:72].max() == 0
    assert rows[132:].mean() < 0.1 * rows[88:116].mean()


def test_loss_of_the_last_frame_shows_the_one_before(face: np.ndarray) -> None:
    how = replace(_LIVELY, loss=Loss(4, 1))
    frames = decode(how.packets([face])[0], "h264")
    assert np.array_equal(how.send([face])[0], to_pixels(frames[-2]))


def test_decode_makes_nothing_of_rubbish(face: np.ndarray) -> None:
    packets = _LIVELY.packets([face])[0]
    assert len(decode([*packets, b"\x00\x00\x00\x01\x09rubbish"], "h264")) == len(packets)
    assert decode([b"rubbish"], "vp8") == []


def test_loss_of_the_frame_that_stands_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="frame 0"):
        Loss(frame=0)


def test_draw_never_loses_a_picture(face: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    small = np.ascontiguousarray(face[20:116, 30:126])
    apart = [_apart(degrade([small], CallDegradation.draw(rng, _KINDS["loss"]))[0], small) for _ in range(60)]
    assert max(apart) < 60


def test_recapture_moves_maps_as_it_moves_pictures() -> None:
    corners = ((0.03, 0.0), (-0.02, 0.02), (0.0, -0.03), (0.03, 0.0))
    screen = Recapture(corners=corners, grid=0.0)
    spot = np.zeros((120, 120, 3), np.uint8)
    spot[20:40, 80:100] = 200
    filmed = degrade([spot], CallDegradation(recapture=screen))[0][..., 0].astype(float) / 200
    moved = CallDegradation(recapture=screen).move((spot[..., 0] / 200).astype(np.float32))
    assert np.abs(filmed - moved).max() < 0.02
    assert np.abs(moved - spot[..., 0] / 200).max() > 0.5
    still = CallDegradation(Transmission()).move(moved)
    assert np.array_equal(still, moved)


def test_recapture_grid_folds_to_coloured_waves() -> None:
    """A grid of nearly a pixel shows as broad waves, one of half a pixel in between as fine ones: moiré."""
    grey = np.full((200, 200, 3), 128, np.uint8)
    waves = {}
    for grid_per_px in (1.03, 1.4):
        filmed = Recapture(grid_per_px=grid_per_px, grid_turn_deg=0.0, grid=0.1).film([grey])[0].astype(float)
        red = filmed[..., 0].mean(axis=0)
        waves[grid_per_px] = int(np.argmax(np.abs(np.fft.rfft(red - red.mean())))) / 200
        assert 2 < red.std() < 20
        assert np.abs(filmed[..., 0] - filmed[..., 2]).mean() > 2  # colours are out of step
    assert waves[1.03] == pytest.approx(0.03, abs=0.01)
    assert waves[1.4] == pytest.approx(0.4, abs=0.01)


def test_recapture_lightens_shades_and_bands() -> None:
    black = np.zeros((80, 80, 3), np.uint8)
    grey = black + np.uint8(120)
    plain = Recapture(grid=0.0)
    assert replace(plain, veil=0.1).film([black])[0].mean() == pytest.approx(25.5, abs=1)
    glowing = replace(plain, glow=0.4, glow_at=(0.25, 0.75), glow_size=0.1).film([black])[0]
    assert divmod(int(glowing[..., 0].argmax()), 80) == (60, 20)
    assert replace(plain, gamma=1.5).film([grey])[0].mean() < 100
    rows = replace(plain, bands=0.1, band_period=0.5).film([grey])[0].mean(axis=(1, 2))
    assert rows[0] > rows[20] + 10
    assert rows[40] == pytest.approx(rows[0], abs=1)
    assert np.array_equal(plain.film([grey])[0], grey)


def test_draw_by_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = [CallDegradation.draw(rng, CallShares(codec=2, ladder=1, loss=1, recapture=0)) for _ in range(400)]
    sent = [how.transmission for how in drawn if how.transmission is not None]
    assert len(sent) == 400
    lost, reduced = sum(how.loss is not None for how in sent), sum(how.scale < 1 for how in sent)
    assert 70 < lost < 130
    assert 70 < reduced < 130
    assert {how.codec for how in sent} == {"h264", "vp8"}
    filmed = [CallDegradation.draw(rng, _KINDS["recapture"]) for _ in range(40)]
    assert all(how.recapture is not None for how in filmed)
    assert 8 < sum(how.transmission is None for how in filmed) < 32


def test_draw_loss_leaves_the_first_frame_and_something_to_see() -> None:
    rng = np.random.default_rng(0)
    losses = [Loss.draw(rng, codec) for codec in _CODECS for _ in range(100)]
    assert all(loss.frame >= 1 for loss in losses)
    assert all(loss.slices or loss.frame + loss.frames <= 4 for loss in losses)
    assert not any(loss.slices for loss in losses[100:])  # VP8 has none
    assert all(b - a == 1 for loss in losses for a, b in pairwise(loss.slices))


@pytest.mark.parametrize("shares", [(0, 0, 0, 0), (1, -1, 0, 0)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="calls"):
        CallShares(*shares)
