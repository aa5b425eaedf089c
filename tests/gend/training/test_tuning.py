from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gend.adapter import base_sha256, cut_adapter
from gend.backbones import CLIP_L_14, DEMO_VIT, Backbone
from gend.network import GenD
from gend.training.config import LoRASection, TuningKind
from gend.training.tuning import Tuned

SMALL_CLIP = replace(CLIP_L_14, name="small-clip", image_px=28, patch_px=14, width=32, layers=2, heads=2)


def small(backbone: Backbone = SMALL_CLIP) -> GenD:
    torch.manual_seed(0)
    return GenD(backbone)


def step(tuned: Tuned) -> None:
    """One step of everything that learns."""
    side = tuned.model.backbone.input_px
    crops = torch.randint(0, 256, (4, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    tuned.to_training()
    optimiser = torch.optim.AdamW(list(tuned.learnt().values()), lr=1e-2, weight_decay=0)
    tuned.model.log_odds(crops).square().sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def test_ln_tuning_of_clip_l_14_trains_what_the_paper_says() -> None:
    with torch.device("meta"):
        tuned = Tuned(GenD(CLIP_L_14), "norms", LoRASection())
    # The release counts 786,432 more, CLIP's projection into text, which no detector uses.
    assert tuned.summary() == "norms: 104,450 of 303,181,826 parameters learn (0.03%)"


@pytest.mark.parametrize("backbone", [SMALL_CLIP, DEMO_VIT])
def test_ln_tuning_changes_norms_and_head_and_not_a_bit_of_the_rest(backbone: Backbone) -> None:
    model = small(backbone)
    before = cut_adapter(model)
    tuned = Tuned(model, "norms", LoRASection())
    step(tuned)
    after = cut_adapter(tuned.settle())
    assert after.base_sha256 == before.base_sha256
    # The last LayerNorm's shift moves all features alike at first; every other norm must have moved too.
    assert (after.norms != before.norms).any(axis=(1, 2)).all()
    assert (after.head_weight != before.head_weight).any()


def test_frozen_changes_the_head_alone() -> None:
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tuned = Tuned(model, "frozen", LoRASection())
    step(tuned)
    changed = {name for name, tensor in tuned.settle().state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.weight", "head.bias"}


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("norms", [False, True])
def test_low_rank_additions_become_part_of_a_network_of_the_usual_kind(dora: bool, norms: bool) -> None:
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tuned = Tuned(model, "lora", LoRASection(rank=2, dora=dora, norms=norms, modules=("query", "fc1")))
    assert all("lora" in name or "head" in name or (norms and "norm" in name) for name in tuned.learnt())
    step(tuned)
    step(tuned)
    crops = torch.randint(0, 256, (3, 28, 28, 3), dtype=torch.uint8)
    tuned.model.eval()
    with torch.no_grad():
        trained = tuned.model.log_odds(crops)
        merged = tuned.settle().log_odds(crops)
    torch.testing.assert_close(trained, merged, atol=1e-5, rtol=1e-5)
    after = tuned.model.state_dict()
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    expected = {f"encoder.blocks.{n}.{m}.weight" for n in (0, 1) for m in ("attention.query", "mlp.fc1")}
    assert expected <= changed
    assert ("encoder.norm.weight" in changed) == norms


def test_batch_statistics_stay_as_they_are_unless_everything_learns() -> None:
    for kind, moves in (("norms", False), ("full", True)):
        model = small(DEMO_VIT)
        before = base_sha256({n: t.numpy() for n, t in model.state_dict().items() if "running" in n})
        tuned = Tuned(model, kind, LoRASection())  # type: ignore[arg-type]
        step(tuned)
        after = base_sha256({n: t.numpy() for n, t in tuned.model.state_dict().items() if "running" in n})
        assert (after != before) == moves


@pytest.mark.parametrize("kind", ["norms", "full", "lora"])
@pytest.mark.parametrize("backbone", [SMALL_CLIP, DEMO_VIT])
def test_blocks_that_are_computed_again_learn_the_same_from_less_memory(backbone: Backbone, kind: TuningKind) -> None:
    def learnt(*, checkpointing: bool) -> tuple[int, dict[str, torch.Tensor]]:
        model = small(backbone)
        model.encoder.checkpointing = checkpointing
        tuned = Tuned(model, kind, LoRASection(rank=2, dropout=0.5, modules=("query", "fc1")))
        own = {each.untyped_storage().data_ptr() for each in model.parameters()}
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        torch.manual_seed(2)  # dropout's
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            step(tuned)
        return sum(kept.values()), {name: each.detach() for name, each in tuned.learnt().items()}

    (plain_bytes, plain), (again_bytes, again) = learnt(checkpointing=False), learnt(checkpointing=True)
    assert plain.keys() == again.keys()
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert again_bytes < plain_bytes
