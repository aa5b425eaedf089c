from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from gend.training.losses import alignment, ranking, uniformity, where_targets
from gend.training.slerp import augment_latents, slerp


def rows(seed: int, count: int) -> torch.Tensor:
    return F.normalize(torch.from_numpy(np.random.RandomState(seed).standard_normal((count, 32))), dim=-1)


def test_alignment_and_uniformity_are_the_authors() -> None:
    """Figures of the authors' implementation."""
    labels = torch.tensor([0, 1] * 8)
    assert alignment(rows(11, 16), labels).item() == pytest.approx(2.03001136752181, abs=1e-12)
    assert uniformity(rows(11, 16)).item() == pytest.approx(-3.7256880049554963, abs=1e-12)


def test_alignment_of_a_class_each_and_uniformity_of_one_crop_are_0_and_can_be_differentiated() -> None:
    features = rows(11, 2).requires_grad_()
    loss = alignment(features, torch.tensor([0, 1])) + uniformity(features[:1])
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert features.grad is not None
    assert not features.grad.any()


def test_uniformity_does_not_run_away() -> None:
    apart = torch.stack([torch.eye(32)[0], -torch.eye(32)[0]]) * 10
    assert uniformity(apart).item() == pytest.approx(np.log(1e-6), rel=1e-5)


def test_ranking_compares_within_pairs_in_whatever_order_they_come() -> None:
    odds = torch.tensor([1.0, -1.0, 5.0, 0.0, 3.0])
    labels, pair = torch.tensor([1, 0, 1, 0, 0]), torch.tensor([7, 3, 3, 7, -1])
    expected = (F.softplus(torch.tensor(0.0 - 1.0)) + F.softplus(torch.tensor(-1.0 - 5.0))) / 2
    assert ranking(odds, labels, pair).item() == pytest.approx(expected.item())
    assert ranking(odds, labels, torch.full((5,), -1)).item() == 0


def test_where_targets_know_inside_from_edge() -> None:
    changed = torch.zeros(1, 4, 4, dtype=torch.uint8)
    changed[0, :2, :2] = 255
    changed[0, :2, 2:] = 128
    [inside, edge] = where_targets(changed, 2)[0].T
    assert inside.tolist() == pytest.approx([1, 0.50196, 0, 0], abs=1e-4)
    assert edge.tolist() == pytest.approx([0, 1, 0, 0], abs=1e-4)


def test_slerp_is_the_authors() -> None:
    """Figures of the authors' implementation: the first 4 numbers, and the lengths."""
    a, b = rows(12, 4), rows(13, 4)
    moved = slerp(a, b, torch.tensor([0, 0.25, 0.5, 1], dtype=torch.float64))
    expected = [
        [0.07149022094692792, -0.10299523460696457, 0.03664391622485943, -0.2570604829043169],
        [-0.013675566766688553, -0.10185504446445247, -0.025517010647423868, 0.05396405416305297],
        [0.12105696292985343, 0.14154449459672708, -0.20226274016511708, 0.0713869682620418],
        [0.040275276109527955, -0.14177914897378455, -0.24401033670598635, -0.07547980391196635],
    ]
    np.testing.assert_allclose(moved[:, :4].numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(moved.norm(dim=-1).numpy(), 1, atol=1e-12)


def test_slerp_of_the_same_point_stays_there_and_can_be_differentiated() -> None:
    a = rows(12, 4).requires_grad_()
    moved = slerp(a, a, torch.full((4,), 0.3, dtype=torch.float64))
    moved.sum().backward()  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(moved.detach().numpy(), a.detach().numpy(), atol=1e-9)
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()


def test_latents_move_within_their_class_only() -> None:
    real, fake = torch.eye(4)[:2], torch.eye(4)[2:]
    moved = augment_latents(torch.cat([real, fake]), torch.tensor([0, 0, 1, 1]), 1, 1, torch.Generator().manual_seed(1))
    assert moved[:2, 2:].abs().max() < 1e-6
    assert moved[2:, :2].abs().max() < 1e-6
    again = augment_latents(torch.cat([real, fake]), torch.tensor([0, 0, 1, 1]), 1, 1, torch.Generator().manual_seed(1))
    assert torch.equal(moved, again)
