"""Weights from safetensors into a network, all of them or none. Nothing here unpickles.

A network is built without memory of its own (torch's meta device) and then takes the file's
tensors, so that loading costs what reading costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError

PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def refuse(part: str, reason: str) -> CheckpointError:
    """The error of a part that can't be loaded."""
    return CheckpointError("model-unavailable", f"{part}/ can't be used: {reason}")


def read_json(path: Path, part: str) -> dict[str, Any]:
    """A part's config.

    Raises
    ------
    CheckpointError
        `model-unavailable`: the part or the file is missing, or is not a JSON object.
    """
    if not path.parent.is_dir():
        raise refuse(part, f"it is missing from {path.parent.parent}; copy the whole checkpoint")
    if not path.is_file():
        raise refuse(part, f"it has no {path.name}; copy the whole checkpoint")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise refuse(part, f"its {path.name} is not JSON ({error}); copy it again") from error
    if not isinstance(config, dict):
        raise refuse(part, f"its {path.name} holds {type(config).__name__}, not an object")
    return config


def read_weights(folder: Path, stem: str, part: str) -> dict[str, Tensor]:
    """A part's tensors by name, floats as float32.

    Raises
    ------
    CheckpointError
        `model-unavailable`: no `stem`.safetensors, only pickled weights, or a broken file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = next(
        (
            p
            for p in (folder / f"{stem}.safetensors", folder / f"{stem}.fp16.safetensors")
            if p.is_file()
        ),
        None,
    )
    if path is None:
        raise refuse(part, _no_weights(folder, stem))
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise refuse(part, f"{path.name} is broken ({error}); copy it again") from error
    return {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}


def _no_weights(folder: Path, stem: str) -> str:
    pickled = sorted(p.name for p in folder.glob("*") if p.suffix in PICKLED)
    if not pickled:
        return f"it has no {stem}.safetensors; copy the whole checkpoint"
    return (
        f"its weights are pickled ({pickled[0]}), which can run code when read; convert them with "
        "diffusers: AudioLDMPipeline.from_pretrained(old).save_pretrained(new)"
    )


def build(part: str, make: Callable[[], nn.Module]) -> nn.Module:
    """A network without memory, from a config that may be wrong (CheckpointError)."""
    try:
        with torch.device("meta"):
            return make()
    except Exception as error:  # a config can be wrong in any way its library can be
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise refuse(part, f"no network can be built from its config.json ({reason})") from error


def fill(network: nn.Module, weights: dict[str, Tensor], part: str) -> nn.Module:
    """Give a network built by `build` its weights, ready to run.

    Raises
    ------
    CheckpointError
        `model-unavailable`: a tensor is missing, left over, or of the wrong shape.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name, shape in wanted.items():
        if name not in weights:
            raise refuse(
                part, f"its weights lack {name}; config.json and weights are of two models"
            )
        if tuple(weights[name].shape) != shape:
            found = tuple(weights[name].shape)
            raise refuse(part, f"{name} is {found}; its config.json asks for {shape}")
    extra = sorted(set(weights) - set(wanted))
    if extra:
        raise refuse(part, f"its weights hold {extra[0]}, which its config.json doesn't know")
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)
