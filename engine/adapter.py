"""A checkpoint that is another one and what was learned on top of it: low-rank adapters (LoRA).

    retake.json      {"name": ..., "base": "pocket", "base_mark": ..., "adapter_scale": ...}
    adapter/         adapter.safetensors: lora_A and lora_B of each adapted layer of the UNet

The base is named as on the command line; a path is taken from the folder of retake.json. Adapters
are added to the weights when they are loaded, so they cost nothing afterwards. The mark tells
another version of the base: what was learned on the one may sound worse on the other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.weights import read_weights, refuse

log = logging.getLogger("retake.engine")

FOLDER, STEM = "adapter", "adapter"
DOWN, UP = ".lora_A.weight", ".lora_B.weight"


def base_of(folder: Path, about: Mapping[str, Any]) -> str | Path | None:
    """What the checkpoint in `folder` is built on; None for one that stands by itself."""
    base = about.get("base")
    if base is None:
        return None
    beside = folder / str(base)
    return beside if beside.is_dir() else str(base)


def base_mark(unet: nn.Module) -> str:
    """What tells a UNet's version: of its first layer, which no adapter changes."""
    first = unet.get_parameter("conv_in.weight").detach().half().cpu().numpy()
    return sha256(first.tobytes()).hexdigest()[:16]


def add(unet: nn.Module, folder: Path, about: Mapping[str, Any]) -> None:
    """Add the adapters in `folder` to the weights of `unet`, in place; a base of another version
    than they were learned on is warned of.

    Raises
    ------
    CheckpointError
        `model-unavailable`: they are missing, or made for another network.
    """
    weights = read_weights(folder / FOLDER, STEM, FOLDER)
    scale = about.get("adapter_scale", 1.0)
    if not isinstance(scale, (int, float)) or isinstance(scale, bool):
        raise CheckpointError(
            "model-unavailable", f"retake.json's adapter_scale is {scale!r}; it must be a number"
        )
    if about.get("base_mark", mark := base_mark(unet)) != mark:
        log.warning(
            "%s was learned on another version of %s and may sound worse on this one; teach it "
            "again with retake train finetune",
            folder,
            about.get("base"),
        )
    layers = dict(unet.named_modules())
    for name in (key.removesuffix(DOWN) for key in weights if key.endswith(DOWN)):
        down, up = weights[name + DOWN], weights.get(name + UP)
        weight = getattr(layers.get(name), "weight", None)
        if weight is None or up is None or not _fits(down, up, weight):
            raise refuse(FOLDER, f"its layer {name} doesn't fit the base's unet")
        with torch.no_grad():
            weight += scale * product(down, up)


def product(down: Tensor, up: Tensor) -> Tensor:
    """The change of a weight: of a linear layer, shape = (n_out, n_in), or of a convolution, shape
    = (n_out, n_in, height, width)."""
    change = up.float().flatten(1) @ down.float().flatten(1)
    return change.view(len(up), *down.shape[1:])


def _fits(down: Tensor, up: Tensor, weight: Tensor) -> bool:
    return up.shape[1] == len(down) and (len(up), *down.shape[1:]) == tuple(weight.shape)
