"""A LAION checkpoint: from the .pt file to the laion-clap package's network with its weights.

The networks are the package's own (Wu et al. 2023), read from its files but not by
`import laion_clap`, which fetches tokenizers from the hub and asks for what only training needs.
Weights are read by torch's restricted unpickler alone, so that a file can't run code.

    .pt ─► weights, by name ─► config, from their shapes ─► the package's CLAP
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import sys
import types
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import CheckpointError

#: The package's files are imported under this name: `laion_clap` itself may be imported too.
HOME = "_retake_laion_clap"
PIP = f"{sys.executable} -m pip install"  # a bare pip may be another environment's
INSTALL = f"{PIP} --no-deps laion-clap torchlibrosa, then {PIP} librosa"


def refuse(name: str, reason: str) -> CheckpointError:
    """The error of a checkpoint that can't be used."""
    return CheckpointError("model-unavailable", f"{name} can't be used: {reason}")


class _Unread:
    """Stands for the figures a training noted beside its weights: nothing is made of them."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


#: numpy's numbers, by the names of before and after NumPy 2.
_BESIDE = [
    (_Unread, "numpy.dtype"),
    (_Unread, "numpy.core.multiarray.scalar"),
    (_Unread, "numpy._core.multiarray.scalar"),
]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights by the package's names, floats as float32."""
    found = _unpickle(path)
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]  # LAION's own have the optimizer's state and more beside it
    if not isinstance(found, Mapping) or not found:
        raise refuse(path.name, f"it holds {type(found).__name__}, not weights by name")
    stray = [str(name) for name, value in found.items() if not isinstance(value, Tensor)]
    if stray:
        raise refuse(path.name, f"{stray[0][:60]!r} in it is no tensor")
    weights = {str(name).removeprefix("module."): value for name, value in found.items()}
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in weights.items()
        if not name.endswith(".position_ids")  # a counter that older versions saved
    }


def _unpickle(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(
            "unknown-model",
            f"there is no file {str(path)!r}; a ranker is a checkpoint of LAION's, such as "
            "630k-audioset-best.pt",
        )
    if not zipfile.is_zipfile(path):
        raise refuse(path.name, "it is no whole file of torch.save; copy it again")
    try:
        with torch.serialization.safe_globals(_BESIDE), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd pickle protocol is an error or doesn't matter
            # Mapped: the optimizer's state, twice the weights, is never read from the disk.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UnpicklingError as error:
        raise refuse(path.name, _not_weights_only(error)) from error
    except Exception as error:  # the library raises whatever its readers raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise refuse(path.name, f"it can't be read ({reason}); copy it again") from error


def _not_weights_only(error: UnpicklingError) -> str:
    named = re.search(r"GLOBAL (\S+)", str(error))
    found = f"it holds a {named[1]}" if named else "it holds more than weights"
    return (
        f"{found}, and reading that can run code; where you trust the file, save its weights "
        "alone: torch.save(torch.load(OLD, weights_only=False)['state_dict'], NEW)"
    )


def check_kind(weights: Mapping[str, Tensor], name: str) -> None:
    """Which of the package's models the weights are of; one kind can be used."""
    if not any(key.startswith("audio_branch.") for key in weights):
        first = next(iter(weights), "nothing")
        raise refuse(name, f"it has {first}, but no audio_branch as LAION's checkpoints have")
    patches = weights.get("audio_branch.patch_embed.proj.weight")
    if patches is None:
        raise refuse(name, "its audio branch is no HTSAT; the 630k and music checkpoints have one")
    if patches.shape[1] != 1 or any(".fusion_model." in k or ".mel_conv" in k for k in weights):
        raise refuse(
            name, "it is a fusion model; take the one without, such as 630k-audioset-best.pt"
        )
    kinds, words = (
        weights.get(f"text_branch.embeddings.{kind}_embeddings.weight")
        for kind in ("token_type", "word")
    )
    if words is None or kinds is None or len(kinds) != 1:  # BERT has two kinds of token
        raise refuse(name, "its text branch is not RoBERTa; LAION's published checkpoints have it")


def build_network(weights: Mapping[str, Tensor], name: str) -> Any:
    """The package's CLAP with these weights, all of them or none."""
    folder = _package_folder()
    return _filled(_network(_config(weights, folder, name), weights, folder, name), weights, name)


def _filled(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> nn.Module:
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    for key, shape in wanted.items():
        if key not in weights:
            raise refuse(name, f"it lacks {key}; copy it again")
        if tuple(weights[key].shape) != shape:
            raise refuse(name, f"{key} is {tuple(weights[key].shape)}; the package's is {shape}")
    extra = sorted(set(weights) - set(wanted))
    if extra:
        raise refuse(name, f"it holds {extra[0]}, which the package's model doesn't know")
    network.load_state_dict(weights)
    return network


def _config(weights: Mapping[str, Tensor], folder: Path, name: str) -> dict[str, Any]:
    """The one of the package's configs that the weights were made with."""
    norm = weights.get("audio_branch.norm.weight")
    stft = weights.get("audio_branch.spectrogram_extractor.stft.conv_real.weight")
    width, window_samples = (0 if w is None else w.shape[-1] for w in (norm, stft))
    for file in sorted((folder / "model_configs").glob("*.json")):
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        audio = config.get("audio_cfg", {})
        if audio.get("model_type") == "HTSAT" and (width, window_samples) == (
            config["embed_dim"],
            audio["window_size"],
        ):
            return config
    raise refuse(
        name, f"laion-clap knows no HTSAT of width {width} that hears {window_samples} samples"
    )


def _network(
    config: dict[str, Any], weights: Mapping[str, Tensor], folder: Path, name: str
) -> nn.Module:
    definition = _definition(folder)
    definition.RobertaModel = _FromShapes(weights)
    config["text_cfg"]["model_type"] = "roberta"
    try:
        # Its warnings are about its own code; its random start should not move anybody's dice.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: nn.Module = definition.CLAP(**config)
            return network
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise refuse(name, f"laion-clap can't build its network ({reason})") from error


class _FromShapes:
    """In the place where the package fetches roberta-base: the weights come with the file."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights

    def from_pretrained(self, _: str) -> Any:
        """RoBERTa with a random start, of the size that the weights have."""
        from transformers import RobertaConfig, RobertaModel

        start = "text_branch.embeddings."
        n_words, width = self._weights[f"{start}word_embeddings.weight"].shape
        layers = {k.split(".")[3] for k in self._weights if k.startswith("text_branch.encoder.")}
        dense = self._weights["text_branch.encoder.layer.0.intermediate.dense.weight"]
        config = RobertaConfig(
            vocab_size=n_words,
            hidden_size=width,
            num_hidden_layers=len(layers),
            num_attention_heads=width // 64,  # in every RoBERTa
            intermediate_size=dense.shape[0],
            max_position_embeddings=self._weights[f"{start}position_embeddings.weight"].shape[0],
            type_vocab_size=1,
            layer_norm_eps=1e-5,
        )
        return RobertaModel(config)


def _package_folder() -> Path:
    """Where laion-clap's model is defined; finding it imports nothing of it."""
    spec = importlib.util.find_spec("laion_clap")
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            "model-unavailable", f"LAION's checkpoints need laion-clap; {INSTALL}"
        )
    return Path(spec.submodule_search_locations[0]) / "clap_module"


def _definition(folder: Path) -> types.ModuleType:
    """The package's model.py, and what that imports, as modules of a package of our own.

    utils.py holds functions of the model among tools of training that need torchvision and h5py:
    only its functions are taken, not its imports.
    """
    if f"{HOME}.model" not in sys.modules:
        sys.modules[HOME] = home = types.ModuleType(HOME)
        home.__path__ = [str(folder)]
        sys.modules[f"{HOME}.utils"] = _functions(folder / "utils.py", f"{HOME}.utils")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(f"{HOME}.model")
    except ImportError as error:
        for name in [name for name in sys.modules if name.split(".")[0] == HOME]:
            del sys.modules[name]
        raise _needs(error) from error


def _functions(file: Path, name: str) -> types.ModuleType:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef)]
    module = types.ModuleType(name)
    vars(module).update(np=np, torch=torch, nn=nn)
    exec(compile(tree, str(file), "exec"), vars(module))
    return module


def _needs(error: ImportError) -> CheckpointError:
    """What to install where laion-clap lacks something."""
    missing = (error.name or "").split(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing == "torchvision":
        advice = (
            "laion-clap needs torchvision; install the build that goes with your torch "
            f"({torch.__version__}), from the same index"
        )
    elif isinstance(error, ModuleNotFoundError):
        advice = f"laion-clap needs {missing}; {PIP} {missing}"
    else:
        advice = f"laion-clap can't be imported ({error})"
    return CheckpointError("model-unavailable", advice)
