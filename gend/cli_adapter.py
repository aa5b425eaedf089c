"""`gend adapter`: fine-tunes as files of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from gend.errors import WeightsError

if TYPE_CHECKING:
    from gend.adapter import Adapter

app = typer.Typer(
    name="adapter",
    help="Cut fine-tunes out of checkpoints as files of 0.4 MB, look at them, put them back.",
    epilog="Example: gend adapter cut tuned.ckpt door.safetensors --base yermandy/GenD_CLIP_L_14 --licence MIT",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command(epilog="Example: gend adapter cut tuned.ckpt door.safetensors --base yermandy/GenD_CLIP_L_14")
def cut(
    weights: Annotated[str, typer.Argument(help="The fine-tune: any checkpoint that `gend score --weights` takes.")],
    out: Annotated[Path, typer.Argument(help="The adapter's file, ending in .safetensors.")],
    base: Annotated[
        str | None, typer.Option(help="The detector it is to be used with; refused where more than LayerNorms differ.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the fine-tune.")] = "unknown",
    note: Annotated[list[str] | None, typer.Option(help="What is known of its training, as key=value.")] = None,
) -> None:
    """Take LayerNorms and head out of a checkpoint."""
    from gend.adapter import check_same_encoder, cut_adapter  # noqa: PLC0415
    from gend.checkpoint import load_checkpoint  # noqa: PLC0415

    training = dict(_note(each) for each in note or ())
    _check_target(out)
    checkpoint = load_checkpoint(weights)
    adapter = cut_adapter(checkpoint.model, {"weights_sha256": checkpoint.sha256, **training}, licence)
    if base is not None:
        del checkpoint  # one encoder at a time in memory
        check_same_encoder(adapter, cut_adapter(load_checkpoint(base).model), weights)
    adapter.save(out)
    print(f"{out}: {out.stat().st_size / 1000:,.0f} kB, {len(adapter.norm_names)} LayerNorms of {adapter.backbone}")


@app.command(epilog="Example: gend adapter show door.safetensors")
def show(
    path: Annotated[Path, typer.Argument(help="An adapter.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what an adapter is."""
    from gend.adapter import file_sha256, load_adapter  # noqa: PLC0415

    facts = _facts(load_adapter(path)) | {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    if as_json:
        print(json.dumps(facts))
        return
    table = Table(show_header=False)
    for name, fact in facts.items():
        table.add_row(name, ", ".join(f"{k}={v}" for k, v in fact.items()) if isinstance(fact, dict) else str(fact))
    Console().print(table)


@app.command(epilog="Example: gend adapter apply door.safetensors yermandy/GenD_CLIP_L_14 door-full.safetensors")
def apply(
    path: Annotated[Path, typer.Argument(help="An adapter.")],
    weights: Annotated[str, typer.Argument(help="A detector with the encoder it was cut from.")],
    out: Annotated[Path, typer.Argument(help="The whole checkpoint to write, ending in .safetensors.")],
) -> None:
    """Make a whole checkpoint of an adapter and its encoder."""
    from gend.adapter import apply_adapter, load_adapter  # noqa: PLC0415
    from gend.checkpoint import load_checkpoint, save_checkpoint  # noqa: PLC0415

    _check_target(out)
    adapter = load_adapter(path)
    model = load_checkpoint(weights).model
    apply_adapter(model, adapter, str(path))
    save_checkpoint(model, out, {"adapter": str(path.name), "licence": adapter.licence})
    print(f"{out}: {out.stat().st_size / 1e6:,.0f} MB")


def _note(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not of the form key=value", param_hint="--note")
    return key, value


def _check_target(path: Path) -> None:
    """Before anything that takes long."""
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path}: the file to write must end in .safetensors")
    if not path.parent.is_dir():
        raise WeightsError(f"{path}: there is no folder {path.parent}")


def _facts(adapter: Adapter) -> dict[str, object]:
    return {
        "backbone": adapter.backbone,
        "base_sha256": adapter.base_sha256,
        "head": adapter.head_kind,
        "layer_norms": len(adapter.norm_names),
        "width": adapter.norms.shape[2],
        "training": dict(adapter.training),
        "licence": adapter.licence,
    }
