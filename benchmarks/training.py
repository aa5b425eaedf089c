"""What a step of training costs: LN-tuning beside full fine-tuning, and beside a plain Lightning loop; and its data.

Each row runs in a process of its own, so that its memory is its own. All rows train random weights of one shape on
the same random crops, CPU, fp32. The plain loop is what one would write from Lightning's and transformers' manuals:
transformers' `CLIPVisionModel`, all but LayerNorms and head frozen, cross-entropy, AdamW.

Run: python -m benchmarks.training (wants the research extra; a quarter of an hour). For a quick look:
--encoder clip-vit-base-patch16 --steps 2.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any, cast

import cv2
import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)
import numpy as np
import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)
from torch.utils.data import DataLoader

from benchmarks.machine import described
from gend.backbones import BACKBONES, Published
from gend.data.crop_files import find_crops
from gend.data.pairs import Sources, draw_pairs
from gend.data.selection import known_pairs
from gend.network import GenD
from gend.training.config import UNVARIED, AugmentationSection, TrainingConfig, TuningKind
from gend.training.loader import Batch, TrainingLoader
from gend.training.memory import return_large_tensors
from gend.training.module import TrainingModule
from gend.training.samples import CropPairs, View
from gend.training.tuning import Tuned

ROWS = ("ours:norms", "ours:norms:again", "ours:full", "plain:norms")
_SAMPLED_S = 0.02
_CROP_PX = 256


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="clip-vit-large-patch14", help="a CLIP of gend.backbones")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="the least counts; one more comes before")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(_row(options)))
        return
    found = {row: _apart(options, row) for row in ROWS}
    norms, again, full, plain = (found[row] for row in ROWS)
    print(f"{options.encoder}, batch of {options.batch}, {options.threads} thread(s), fp32")
    print("| step | CPU-s | memory beyond the network, MB | CPU-s ÷ full | memory ÷ full |")
    print("|---|---|---|---|---|")
    named = {
        "LN-tuning": norms,
        "LN-tuning, `run.checkpointing`": again,
        "full fine-tuning": full,
        "plain Lightning loop, LN-tuning": plain,
    }
    for name, row in named.items():
        shares = f"{row['cpu_s'] / full['cpu_s']:.2f} | {row['memory_mb'] / full['memory_mb']:.2f}"
        print(f"| {name} | {row['cpu_s']:.2f} | {row['memory_mb']:.0f} | {shares} |")
    print(f"LN-tuning ÷ plain Lightning loop: {norms['cpu_s'] / plain['cpu_s']:.2f}")
    print()
    _data()
    print(described("torch", "lightning", "transformers", "kornia", "opencv-python-headless", "av"))


def _apart(options: argparse.Namespace, row: str) -> dict[str, float]:
    words = [f"--{name}={getattr(options, name)}" for name in ("encoder", "batch", "steps", "threads")]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", "--row", row, *words], check=True, stdout=subprocess.PIPE
    )
    return cast("dict[str, float]", json.loads(done.stdout.splitlines()[-1]))


def _row(options: argparse.Namespace) -> dict[str, float]:
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    loop, kind, *more = options.row.split(":")
    backbone = BACKBONES[options.encoder]
    side = backbone.input_px
    crops = torch.randint(0, 256, (options.batch, side, side, 3), dtype=torch.uint8)
    batch = Batch(crops, torch.arange(options.batch) % 2, torch.full((options.batch,), -1), None)
    module = _ours(options.encoder, kind) if loop == "ours" else _Plain(options.encoder)
    if more:
        assert isinstance(module, TrainingModule)
        module.network.encoder.checkpointing = True
        return_large_tensors()
    module.train()
    watch = _Watch()
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=options.steps + 1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    trainer.fit(module, DataLoader([batch] * (options.steps + 1), batch_size=None))  # type: ignore[arg-type]  # a list
    return {"cpu_s": min(watch.steps_s[1:]), "memory_mb": watch.most_mb()}


def _ours(encoder: str, kind: TuningKind) -> TrainingModule:
    config = TrainingConfig.model_validate(
        {
            "model": {"fresh": encoder, "tuning": kind},
            "data": {name: {"generate": {"pairs": 8}} for name in ("train", "validation")},
            "augmentation": UNVARIED.model_dump(),
            "losses": {"uniformity": 0, "alignment": 0},
        }
    )
    return TrainingModule(Tuned(GenD(BACKBONES[encoder]), kind, config.model.lora), config, steps=10)


class _Plain(L.LightningModule):
    """LN-tuning as a manual would have it."""

    def __init__(self, encoder: str) -> None:
        super().__init__()
        from transformers import CLIPVisionConfig, CLIPVisionModel  # noqa: PLC0415  (in this row alone)

        backbone = BACKBONES[encoder]
        assert isinstance(backbone, Published)
        shape = CLIPVisionConfig(
            hidden_size=backbone.width,
            intermediate_size=4 * backbone.width,
            num_hidden_layers=backbone.layers,
            num_attention_heads=backbone.heads,
            image_size=backbone.image_px,
            patch_size=backbone.patch_px,
        )
        self.encoder = CLIPVisionModel(shape)
        self.head = nn.Linear(backbone.width, 2)
        self.encoder.requires_grad_(requires_grad=False)
        for each in self.encoder.modules():
            if isinstance(each, nn.LayerNorm):
                each.requires_grad_(requires_grad=True)
        self.mean = nn.Buffer(torch.tensor(backbone.mean)[:, None, None])
        self.std = nn.Buffer(torch.tensor(backbone.std)[:, None, None])

    def training_step(self, batch: Batch) -> Tensor:
        images = (batch.crops.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        features = F.normalize(self.encoder(pixel_values=images).pooler_output, dim=-1)
        return F.cross_entropy(self.head(features), batch.labels)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW([each for each in self.parameters() if each.requires_grad], lr=3e-4)


class _Watch(L.Callback):
    """CPU time of each step, and the most memory that was there beside the network."""

    def __init__(self) -> None:
        self.steps_s: list[float] = []
        self._begun_s = 0.0
        self._before = 0
        self._most = 0
        self._off = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def on_train_start(self, *_: Any) -> None:
        self._before = psutil.Process().memory_info().rss
        self._watching.start()

    def on_train_batch_start(self, *_: Any) -> None:
        self._begun_s = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps_s.append(time.process_time() - self._begun_s)

    def on_train_end(self, *_: Any) -> None:
        self._off.set()
        self._watching.join()

    def most_mb(self) -> float:
        return (self._most - self._before) / 1e6

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._off.wait(_SAMPLED_S):
            self._most = max(self._most, process.memory_info().rss)


def _data() -> None:
    """Pictures a second out of the data pipeline."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipes = {
        "nothing": UNVARIED,
        "flip and JPEG (the paper's)": AugmentationSection(),
        "and calls, half of the time": AugmentationSection.model_validate({"call": {"probability": 0.5}}),
    }
    print(f"| crops of {_CROP_PX} px varied by | workers | pictures a second |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        _write_tree(Path(folder))
        crops = find_crops(Path(folder))
        for name, recipe in recipes.items():
            samples = CropPairs(crops, known_pairs(crops, {}), View(224, "bicubic"), recipe, seed=0)
            for workers in (0, 1, 2):
                loader = TrainingLoader(samples, 32, seed=0, workers=workers)
                pictures, begun_s = 0, 0.0
                for epoch in range(3):
                    for number, batch in enumerate(loader):
                        if epoch == 0 and number == 0:  # by then the workers have started
                            begun_s = time.monotonic()
                        else:
                            pictures += len(batch.crops)
                print(f"| {name} | {workers} | {pictures / (time.monotonic() - begun_s):.0f} |")


def _write_tree(root: Path) -> None:
    pairs = draw_pairs(np.random.default_rng(0), Sources.drawn(), 96, _CROP_PX)
    for source, crops in (("real", pairs.real), ("lowres", pairs.fake)):
        for number, crop in enumerate(crops):
            folder = root / "drawn" / source / f"v{number // 8}"
            folder.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / f"{number % 8}.png"), crop[..., ::-1])


if __name__ == "__main__":
    main()
