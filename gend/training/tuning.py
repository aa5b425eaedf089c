"""What of a network learns, and how what was learnt becomes a network of the usual kind again.

LN-tuning (Kim et al. 2021; GenD, arXiv 2508.06248) changes 0.03 % of a ViT-L: scales and shifts of its LayerNorms,
and the head. All else stays as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

from gend.network import GenD
from gend.training.config import LoRASection, TuningKind


class Tuned:
    """A network of which some parameters learn.

    Args:
        model: changed in place.
        kind: what learns.
        lora: how, where that is `lora`.
    """

    def __init__(self, model: GenD, kind: TuningKind, lora: LoRASection) -> None:
        self.model = model
        self.kind = kind
        self.total = sum(parameter.numel() for parameter in model.parameters())
        """Parameters of the network, additions left out."""
        model.requires_grad_(requires_grad=kind == "full")
        model.head.requires_grad_(requires_grad=True)
        self._additions: Any = None
        if kind == "lora":
            self._additions = _add_low_rank(model, lora)
        if kind == "norms" or (kind == "lora" and lora.norms):
            for norm in model.encoder.norms():
                norm.requires_grad_(requires_grad=True)

    def learnt(self) -> Mapping[str, nn.Parameter]:
        """The parameters that learn, by name."""
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}

    def summary(self) -> str:
        """Of what learns, for people."""
        learnt = sum(parameter.numel() for parameter in self.learnt().values())
        return f"{self.kind}: {learnt:,} of {self.total:,} parameters learn ({learnt / self.total:.2%})"

    def to_training(self) -> None:
        """Into training mode. What does not learn stays as it is evaluated: batch statistics too are weights."""
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()

    def settle(self) -> GenD:
        """The network with what was learnt in its own weights, in evaluation mode; it does not learn any more."""
        if self._additions is not None:
            self.model.encoder = self._additions.merge_and_unload()
            self._additions = None
        return self.model.eval().requires_grad_(requires_grad=False)


def is_adapter(kind: TuningKind) -> bool:
    """Whether what such a training changes is what an adapter holds."""
    return kind in ("norms", "frozen")


def _add_low_rank(model: GenD, lora: LoRASection) -> Any:
    peft = import_module("peft")  # heavy, and an extra
    settings = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        target_modules=list(lora.modules),
    )
    return peft.get_peft_model(model.encoder, settings)
