from __future__ import annotations

import numpy as np
import pytest
import torch

from gend.backbones import Backbone
from gend.engines import Bank
from gend.engines.cuda_graphs import LARGEST, bucket
from gend.engines.torch import TorchEngine
from gend.errors import GendError, PictureError
from tests.gend.engines.networks import FAMILIES, bank, crops, mixed, network, reference, tuned

BF16_DRIFT = 0.15
"""Of the logits of the small networks here, which are about 3 apart."""


@pytest.mark.parametrize("backbone", FAMILIES, ids=lambda backbone: backbone.name)
def test_logits_mixed_are_those_of_each_fine_tune_alone(backbone: Backbone) -> None:
    pixels = crops(4, backbone.input_px)
    fine_tunes = bank(network(backbone), 3)
    found = TorchEngine(network(backbone), device="cpu").logits(pixels, mixed(fine_tunes, 2, 0, 1, 0))
    for row, at in ((2, [0]), (0, [1, 3]), (1, [2])):
        alone = TorchEngine(tuned(network(backbone), fine_tunes, row), device="cpu").logits(pixels)
        assert np.array_equal(found[at], alone[at])
    assert np.ptp(found) > 0.1, "these networks would not tell fine-tunes from each other"


@pytest.mark.parametrize("backbone", FAMILIES, ids=lambda backbone: backbone.name)
def test_logits_in_bf16_are_near(backbone: Backbone) -> None:
    pixels = crops(6, backbone.input_px)
    engine = TorchEngine(network(backbone), device="cpu", precision="bf16")
    assert engine.precision == "bf16"
    found, due = engine.logits(pixels), reference(network(backbone), pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, due, atol=BF16_DRIFT, rtol=0)
    assert not np.array_equal(found, due), "nothing was rounded"
    fine_tunes = bank(network(backbone), 1)
    tuned_due = reference(tuned(network(backbone), fine_tunes, 0), pixels)
    np.testing.assert_allclose(engine.logits(pixels, mixed(fine_tunes, *[0] * 6)), tuned_due, atol=BF16_DRIFT, rtol=0)


def test_logits_follow_the_bank_they_are_given() -> None:
    engine, pixels = TorchEngine(network(), device="cpu"), crops(1)
    one, other = bank(network(), 1, seed=1), bank(network(), 1, seed=2)
    first = engine.logits(pixels, mixed(one, 0))
    assert not np.array_equal(engine.logits(pixels, mixed(other, 0)), first)
    assert np.array_equal(engine.logits(pixels, mixed(one, 0)), first)


def test_logits_of_damaged_weights_are_an_error_and_the_engine_goes_on() -> None:
    model = network()
    engine = TorchEngine(model, device="cpu")
    good = model.head.bias.clone()
    model.head.bias[:] = torch.nan
    with pytest.raises(GendError, match="torch-cpu: the encoder's answer is not a number"):
        engine.logits(crops(2))
    model.head.bias[:] = good
    assert np.isfinite(engine.logits(crops(2))).all()


def test_logits_refuse_what_does_not_fit() -> None:
    engine, fine_tunes = TorchEngine(network(), device="cpu"), bank(network(), 2)
    with pytest.raises(PictureError, match=r"uint8 \(B, 28, 28, 3\) with B > 0, not float32 \(1, 28, 28, 3\)"):
        engine.logits(crops(1).astype(np.float32))
    with pytest.raises(PictureError, match=r"not uint8 \(0, 28, 28, 3\)"):
        engine.logits(crops(1)[:0])
    with pytest.raises(GendError, match="2 rows of 2 fine-tunes do not fit 1 crops"):
        engine.logits(crops(1), mixed(fine_tunes, 0, 1))
    with pytest.raises(GendError, match="1 rows of 2 fine-tunes do not fit 1 crops"):
        engine.logits(crops(1), mixed(fine_tunes, 2))
    short = Bank(fine_tunes.norms[:, :-1], fine_tunes.head_weight, fine_tunes.head_bias)
    with pytest.raises(GendError, match=r"fine-tunes with \(5, 2, 32\) LayerNorms, and the encoder has \(6, 2, 32\)"):
        engine.logits(crops(1), mixed(short, 0))


def test_engine_refuses_int8() -> None:
    with pytest.raises(GendError, match="precision int8: the torch engine has fp32 and bf16"):
        TorchEngine(network(), device="cpu", precision="int8")


@pytest.mark.parametrize(("batch", "size"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (33, 64), (LARGEST, 64)])
def test_bucket_is_the_next_power_of_two(batch: int, size: int) -> None:
    assert bucket(batch) == size


@pytest.mark.parametrize("batch", [0, LARGEST + 1])
def test_bucket_refuses_what_no_recording_takes(batch: int) -> None:
    with pytest.raises(ValueError, match="no recording takes"):
        bucket(batch)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_logits_on_a_gpu_are_those_of_the_cpu(precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU on this machine")
    engine = TorchEngine(network(), device="cuda", precision="bf16" if precision == "bf16" else "fp32")
    fine_tunes, tolerance = bank(network(), 3), BF16_DRIFT if precision == "bf16" else 1e-3
    for count in (1, 3, 8, LARGEST + 5, 3):
        pixels = crops(count)
        np.testing.assert_allclose(engine.logits(pixels), reference(network(), pixels), atol=tolerance, rtol=0)
    due = TorchEngine(network(), device="cpu").logits(crops(3), mixed(fine_tunes, 2, 0, 1))
    np.testing.assert_allclose(engine.logits(crops(3), mixed(fine_tunes, 2, 0, 1)), due, atol=tolerance, rtol=0)
