"""What each engine costs per crop, beside a plain loop with transformers, and how much of the machine's peak it uses.

Each row runs in a process of its own, so that its memory is its own. All rows run the same random weights, which are
made here, and the same crops; with random weights the drift of int8 means nothing, that of the others little.

On one thread, unless told otherwise: threads that wait for each other spin, and are counted as if they worked.

Run: python -m benchmarks.engines (wants torch, transformers and nncf; half an hour). For a quick look:
--encoder clip-vit-base-patch16 --passes 1. With a CUDA GPU: --gpu.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import described

Crops = NDArray[np.uint8]
Floats = NDArray[np.float32]
Job = Callable[[], object]

_BATCHES = (1, 4, 8)
_GPU_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_ROUNDS = 3
_CALIBRATION = 4
_LAYERS_MULTIPLIED = 6
"""Whose weights together no cache holds, as those of an encoder."""
ROWS = (
    ("transformers", "fp32"),
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)


@dataclass(frozen=True)
class Shape:
    """An encoder's, as far as its cost goes."""

    px: int
    patch: int
    width: int
    layers: int
    heads: int

    @property
    def tokens(self) -> int:
        """Class token and patches."""
        return 1 + (self.px // self.patch) ** 2

    @property
    def gflop(self) -> float:
        """Of one crop, all tokens through all layers; a multiplication and its addition are two."""
        T, C = self.tokens, self.width
        layer = T * 12 * C * C + 2 * T * T * C
        return 2 * (self.layers * layer + (T - 1) * 3 * self.patch**2 * C) / 1e9

    @property
    def gflop_needed(self) -> float:
        """What is left where the last layer is computed for the class token alone, as ours is."""
        T, C = self.tokens, self.width
        return self.gflop - 2 * (T - 1) * (10 * C * C + 2 * T * C) / 1e9


def main() -> None:
    """Prints the tables, or, where it is called by itself, runs one row."""
    asked = _arguments()
    if asked.row is not None:
        print(json.dumps(_row(asked)))
        return
    with tempfile.TemporaryDirectory(prefix="gend-engines-") as folder:
        asked.folder = folder
        shape = Shape(**_child(asked, "make"))
        if asked.gpu:
            _gpu_table(asked, shape)
        else:
            _cpu_table(asked, shape)


def _cpu_table(asked: argparse.Namespace, shape: Shape) -> None:
    passes = [{row: _child(asked, *row) for row in ROWS} for _ in range(asked.passes)]
    ceilings = [_child(asked, "ceiling") for _ in range(asked.passes)]
    found = {row: _least([each[row] for each in passes]) for row in ROWS}
    plain = found["transformers", "fp32"]
    print("| engine | precision | batch | crops/s | CPU-s per crop | reference ÷ it | peak memory, MB | drift |")
    print("|---|---|---|---|---|---|---|---|")
    for (engine, precision), row in found.items():
        for batch in row["cpu_s"]:
            name = "reference loop" if engine == "transformers" else engine
            drift = "" if engine == "transformers" else f"{_drift(row, plain):.1e}"
            print(
                f"| {name} | {precision} | {batch} | {1 / row['wall_s'][batch]:.2f} | {row['cpu_s'][batch]:.3f} "
                f"| {plain['cpu_s']['1'] / row['cpu_s'][batch]:.2f} | {row['peak_mb']:.0f} | {drift} |"
            )
    print()
    print(f"{_whose(asked, shape)}, {asked.threads} thread(s). Least of {asked.passes * _ROUNDS} rounds.")
    for precision in ("fp32", "bf16"):
        best = max(ceilings, key=lambda each, precision=precision: each[precision]["rate"])[precision]  # type: ignore[misc]
        ceiling_s = shape.gflop_needed / best["rate"]
        print(
            f"Matrix products of its shapes in {precision}: {best['rate']:.0f} GFLOP per CPU-second ({best['by']}), so "
            f"at best {ceiling_s:.3f} CPU-s per crop. "
            f"Openvino, in turn with them, reaches {ceiling_s / best['crop_s']:.2f} of that."
        )
    for row_name in (("torch", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")):
        ratio = min(each[row_name]["mixed"] for each in passes)
        print(f"Batch of 8 for 8 fine-tunes ÷ one fine-tune, {' '.join(row_name)}: {ratio:.2f}")
    print(described("torch", "transformers", "openvino", "nncf"))


def _gpu_table(asked: argparse.Namespace, shape: Shape) -> None:
    plain, ours = _child(asked, "transformers-cuda"), _child(asked, "torch-cuda")
    rate = _child(asked, "ceiling-cuda")["bf16"]
    best = 1 / plain["wall_s"]["1"]
    print("| batch | crops/s | share of the bf16 matmul rate | it ÷ reference loop |")
    print("|---|---|---|---|")
    for batch, wall_s in ours["wall_s"].items():
        share = shape.gflop / wall_s / rate
        print(f"| {batch} | {1 / wall_s:.0f} | {share:.2f} | {1 / wall_s / best:.1f} |")
    print(
        f"\n{_whose(asked, shape)}; torch bf16 with CUDA graphs; {rate / 1000:.0f} TFLOP/s in products of 8192 x 8192."
    )
    print(f"The reference loop (transformers, fp32, one by one, on the GPU) does {best:.1f} crops/s.")
    print(described("torch", "transformers"))


def _whose(asked: argparse.Namespace, shape: Shape) -> str:
    return f"{asked.encoder}, {shape.gflop:.0f} GFLOP per crop"


def _drift(row: Mapping[str, Any], plain: Mapping[str, Any]) -> float:
    return float(np.abs(np.subtract(row["logits"], plain["logits"])).max())


def _least(passes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The best of several runs of a row: whatever else the machine does only adds."""
    first = passes[0]
    times = {key: {n: min(each[key][n] for each in passes) for n in first[key]} for key in ("cpu_s", "wall_s")}
    return {**first, **times, "peak_mb": max(each["peak_mb"] for each in passes)}


def _child(asked: argparse.Namespace, *row: str) -> dict[str, Any]:
    print(f"{' '.join(row)} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.engines", "--row", ":".join(row)]
    command += [f"--folder={asked.folder}", f"--encoder={asked.encoder}", f"--threads={asked.threads}"]
    environment = {**os.environ, "GEND_CACHE": asked.folder, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(row)}: ended with {done.returncode}")
    return cast("dict[str, Any]", json.loads(done.stdout.splitlines()[-1]))


def _row(asked: argparse.Namespace) -> dict[str, Any]:
    folder, threads = Path(asked.folder), asked.threads
    rows: dict[str, Callable[[], dict[str, Any]]] = {
        "make": lambda: _make(folder, asked.encoder),
        "ceiling": lambda: _ceiling(folder, threads),
        "transformers:fp32": lambda: _measured(_reference(folder, threads, "cpu"), _crops(folder), (1,)),
        "transformers-cuda": lambda: _measured(_reference(folder, threads, "cuda"), _crops(folder), (1,)),
        "torch-cuda": lambda: _engine(folder, "torch", "bf16", threads, device="cuda"),
        "ceiling-cuda": _cuda_ceiling,
    }
    engine, _, precision = asked.row.partition(":")
    return rows[asked.row]() if asked.row in rows else _engine(folder, engine, precision, threads)


def _make(folder: Path, encoder: str) -> dict[str, Any]:
    """Random weights as released, and an int8 network of them."""
    import torch  # noqa: PLC0415  (each row imports what it measures)
    from safetensors.torch import save_file  # noqa: PLC0415

    from gend.backbones import BACKBONES, CLIP  # noqa: PLC0415

    backbone = BACKBONES[encoder]
    if not isinstance(backbone, CLIP):
        sys.exit("--encoder: transformers' CLIP is what is compared with; give a CLIP")
    shape = Shape(backbone.image_px, backbone.patch_px, backbone.width, backbone.layers, backbone.heads)
    (folder / "shape.json").write_text(json.dumps(vars(shape)))
    model = _transformers_model(shape)
    head = torch.nn.Linear(shape.width, 2)
    torch.nn.init.normal_(head.weight, std=1)
    tensors = {f"feature_extractor.vision_model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"model.linear.{name}": tensor.detach() for name, tensor in head.state_dict().items()}
    release = folder / "release"
    release.mkdir()
    settings = {"model_type": "GenD", "backbone": backbone.released_as, "head": "LinearNorm"}
    (release / "config.json").write_text(json.dumps(settings))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, release / "model.safetensors")
    rng = np.random.default_rng(0)
    flat = rng.integers(0, 256, (8, 1, 1, 3)) + rng.integers(-60, 60, (8, shape.px, shape.px, 3))
    np.save(folder / "crops.npy", flat.clip(0, 255).astype(np.uint8))
    return vars(shape)


def _shape(folder: Path) -> Shape:
    return Shape(**json.loads((folder / "shape.json").read_text()))


def _crops(folder: Path) -> Crops:
    crops: Crops = np.load(folder / "crops.npy")
    return crops


def _transformers_model(shape: Shape) -> Any:
    import torch  # noqa: PLC0415
    from transformers import CLIPVisionConfig, CLIPVisionModel  # noqa: PLC0415

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=shape.width,
        intermediate_size=4 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        image_size=shape.px,
        patch_size=shape.patch,
    )
    return CLIPVisionModel(config).eval()


def _reference(folder: Path, threads: int, device: str) -> Callable[[Crops], Floats]:
    """The plain loop: a picture, transformers' processor, its CLIP in fp32, unit sphere and head."""
    import torch  # noqa: PLC0415
    from safetensors import safe_open  # noqa: PLC0415
    from transformers import CLIPImageProcessorPil  # noqa: PLC0415

    torch.set_num_threads(threads)
    shape = _shape(folder)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": shape.px}, crop_size={"height": shape.px, "width": shape.px}
    )
    head = torch.nn.Linear(shape.width, 2)
    with safe_open(folder / "release" / "model.safetensors", framework="pt") as weights:
        head.load_state_dict({name: weights.get_tensor(f"model.linear.{name}") for name in ("weight", "bias")})
    model, head = _transformers_model(shape).to(device), head.to(device)

    def run(crops: Crops) -> Floats:
        logits = []
        with torch.inference_mode():
            for crop in crops:
                inputs = processor(images=Image.fromarray(crop), return_tensors="pt").to(device)
                feature = torch.nn.functional.normalize(model(**inputs).pooler_output, dim=-1)
                real, fake = head(feature)[0].tolist()
                logits.append(fake - real)
        return np.array(logits, np.float32)

    return run


def _engine(folder: Path, engine: str, precision: str, threads: int, device: str = "cpu") -> dict[str, Any]:
    """An engine as `Detector.load` would have it, but for what a first start costs, which is not measured."""
    from gend.engines import Bank, Mix  # noqa: PLC0415
    from gend.engines.choose import Wish  # noqa: PLC0415
    from gend.engines.load import load_engine  # noqa: PLC0415

    weights, mixes = str(folder / "release"), precision != "int8"
    if precision == "int8":
        weights = str(_int8(folder))
    wish = Wish(cast("Any", engine), cast("Any", precision), cast("Any", device), mixes=mixes)
    if engine == "openvino" and mixes:
        _run_apart(f"from benchmarks.engines import convert; convert({weights!r}, {precision!r})")
    loaded = load_engine(weights, wish, threads=threads)
    crops = _crops(folder)
    if device == "cuda":
        return _measured(loaded.engine.logits, np.tile(crops, (32, 1, 1, 1)), _GPU_BATCHES)
    measured = _measured(loaded.engine.logits, crops, _BATCHES)
    if loaded.own is not None:
        own = loaded.own
        rng = np.random.default_rng(0)
        parts = (own.norms, own.head_weight, own.head_bias)
        bank = Bank(
            *(part + 0.01 * rng.standard_normal((len(crops), *part.shape)).astype(np.float32) for part in parts)
        )
        mix = Mix(bank, np.arange(len(crops)))
        jobs = {"plain": lambda: loaded.engine.logits(crops), "mixed": lambda: loaded.engine.logits(crops, mix)}
        times = _times(jobs)
        measured["mixed"] = times["mixed"][0] / times["plain"][0]
    return measured


def convert(weights: str, precision: str) -> None:
    """Puts a converted network into the cache, as a first start does."""
    from gend.engines.cache import converted  # noqa: PLC0415
    from gend.locate import locate  # noqa: PLC0415
    from gend.tensor_files import sha256  # noqa: PLC0415

    converted(weights, sha256(locate(weights).files), cast("Any", precision))


def quantise(folder: str) -> None:
    """Writes the int8 network."""
    from gend.checkpoint import load_checkpoint  # noqa: PLC0415
    from gend.export import export  # noqa: PLC0415

    crops = list(_crops(Path(folder)))[:_CALIBRATION]
    checkpoint = load_checkpoint(Path(folder) / "release")
    export(checkpoint, Path(folder) / "int8", "openvino", "int8", weights="random", calibration=crops)


def _int8(folder: Path) -> Path:
    if not (folder / "int8").exists():
        _run_apart(f"from benchmarks.engines import quantise; quantise({str(folder)!r})")
    return folder / "int8"


def _run_apart(code: str) -> None:
    """In a process of its own, whose memory is not the row's."""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=sys.stderr)


def _measured(run: Callable[[Crops], Floats], crops: Crops, batches: Sequence[int]) -> dict[str, Any]:
    jobs = {str(batch): (lambda batch=batch: run(crops[:batch])) for batch in batches}
    times = _times(cast("Mapping[str, Job]", jobs))
    return {
        "cpu_s": {name: cpu_s / int(name) for name, (cpu_s, _) in times.items()},
        "wall_s": {name: wall_s / int(name) for name, (_, wall_s) in times.items()},
        "peak_mb": _peak_mb(),
        "logits": run(crops[:8]).tolist(),
    }


def _times(jobs: Mapping[str, Job]) -> dict[str, tuple[float, float]]:
    """CPU time of all threads and wall time of each job, least of the rounds, in each of which all take their turn."""
    for job in jobs.values():
        job()
    best = dict.fromkeys(jobs, (float("inf"), float("inf")))
    for _ in range(_ROUNDS):
        for name, job in jobs.items():
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            job()
            spent = time.process_time() - cpu_s, time.perf_counter() - wall_s
            best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return best


def _ceiling(folder: Path, threads: int) -> dict[str, Any]:
    """GFLOP per CPU-second of nothing but matrix products in the encoder's shapes, and the engine in turn with them.

    The best of two libraries and two sizes of batch counts.
    """
    import torch  # noqa: PLC0415

    from gend.engines.choose import Wish  # noqa: PLC0415
    from gend.engines.load import load_engine  # noqa: PLC0415

    torch.set_num_threads(threads)
    shape = _shape(folder)
    C = shape.width
    layer = [(C, C), (C, C), (C, C), (C, C), (C, 4 * C), (4 * C, C)]
    rng = np.random.default_rng(0)
    weights = [(rng.standard_normal((i, o)) / i**0.5).astype(np.float32) for i, o in layer * _LAYERS_MULTIPLIED]
    flop = 2 * sum(weight.size for weight in weights) * shape.tokens
    crops = _crops(folder)
    best = {}
    for precision in ("fp32", "bf16"):
        jobs: dict[str, Job] = {}
        for batch in (1, 8):
            x = rng.standard_normal((batch * shape.tokens, C)).astype(np.float32)
            jobs[f"torch, batch {batch}"] = _torch_products(x, weights, precision)
            jobs[f"openvino, batch {batch}"] = _openvino_products(x, weights, precision, threads)
        engine = load_engine(str(folder / "release"), Wish("openvino", cast("Any", precision)), threads=threads).engine
        times = _times({"engine": lambda engine=engine: engine.logits(crops), **jobs})  # type: ignore[misc]
        crop_s = times.pop("engine")[0] / len(crops)
        rates = {name: flop * int(name[-1]) / cpu_s / 1e9 for name, (cpu_s, _) in times.items()}
        print(precision, {name: round(rate) for name, rate in rates.items()}, f"{crop_s:.3f} s", file=sys.stderr)
        by = max(rates, key=lambda name: rates[name])
        best[precision] = {"rate": rates[by], "by": by, "crop_s": crop_s}
    return best


def _torch_products(x: Floats, weights: Sequence[Floats], precision: str) -> Job:
    import torch  # noqa: PLC0415

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    first, rest = torch.from_numpy(x).to(dtype), [torch.from_numpy(each.T.copy()).to(dtype) for each in weights]

    def run() -> None:
        with torch.inference_mode():
            y = first
            for weight in rest:
                y = torch.nn.functional.linear(y, weight)

    return run


def _openvino_products(x: Floats, weights: Sequence[Floats], precision: str, threads: int) -> Job:
    import openvino as ov  # noqa: PLC0415
    from openvino import opset13  # noqa: PLC0415

    from gend.engines.cpu import CPU  # noqa: PLC0415
    from gend.engines.openvino import settings  # noqa: PLC0415
    from gend.openvino_core import openvino_core  # noqa: PLC0415

    start = y = opset13.parameter(x.shape, np.float32)
    for weight in weights:
        y = opset13.matmul(y, opset13.constant(weight.T.copy()), transpose_a=False, transpose_b=True)
    how = settings(cast("Any", precision), threads, CPU.here())
    request = openvino_core().compile_model(ov.Model([y], [start]), "CPU", how).create_infer_request()
    return lambda: request.infer([x])


def _cuda_ceiling() -> dict[str, Any]:
    import torch  # noqa: PLC0415

    side, rounds = 8192, 50
    a = torch.randn(side, side, device="cuda", dtype=torch.bfloat16)
    b = torch.randn(side, side, device="cuda", dtype=torch.bfloat16)

    def run() -> None:
        for _ in range(rounds):
            torch.mm(a, b)
        torch.cuda.synchronize()

    (_, wall_s) = _times({"mm": run})["mm"]
    return {"bf16": 2 * side**3 * rounds / wall_s / 1e9}


def _peak_mb() -> float:
    """The most that this process ever had resident. Not `ru_maxrss`: a child inherits its parent's."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="clip-vit-large-patch14", help="a CLIP of gend.backbones")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--passes", type=int, default=2, help="how often the whole table is run; the least counts")
    parser.add_argument("--gpu", action="store_true", help="the table of a CUDA GPU instead")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
