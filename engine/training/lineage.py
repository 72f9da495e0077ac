"""Which runs belong together, and what would part them.

Latents are made by one VAE and one CLAP, the words stage starts from one CLAP: trained further,
these make what came of them useless. Latents say what they were made by (`about.json`), a run of
the diffusion model says it of the latents it learned from last. Folders from before there were such
notes are taken at their word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import CheckpointError

#: In the folder of the latents: marks of the networks they were made by.
NOTE = "about.json"
#: What later parts keep in their folders, and the parts it is made by.
MADE_BY = {"words": ("clap",), "latents": ("vae", "clap")}
KEPT = {"words": "state.pt", "latents": "items-*.npz"}

Marks = Mapping[str, str]


def run_state(folder: Path) -> dict[str, Any]:
    """The trainee's state saved in a run's folder.

    Raises
    ------
    FileNotFoundError
        The part has not been trained.
    """
    trainee: dict[str, Any] = _state(folder)["trainee"]
    return trainee


def _state(folder: Path) -> dict[str, Any]:
    path = folder / "state.pt"
    if not path.exists():
        raise FileNotFoundError(
            f"{folder.name} has not been trained; run: retake train {folder.name}"
        )
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return state


def mark(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of a network's weights, by their names."""
    digest = sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def marks(out: Path) -> dict[str, str]:
    """Marks of the runs in `out` that latents are made by.

    The text tower of the run `words` is none of it: captions keep their places there.

    Raises
    ------
    FileNotFoundError
        One of them has not been trained.
    """
    return {part: mark(run_state(out / part)["average"]) for part in MADE_BY["latents"]}


def noted(latents: Path) -> dict[str, str]:
    """What a folder of latents says it was made by; nothing where it says nothing."""
    path = latents / NOTE
    kept: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return kept


def check_words(out: Path) -> None:
    """Refuse a run `words` that began with another CLAP than there is now.

    Raises
    ------
    CheckpointError
        CLAP was trained further since then.
    """
    if not _is_kept(out, "words"):
        return
    heard = "audio_projection.linear1.weight"  # the words stage leaves the audio tower alone
    words, clap = (run_state(out / part)["average"][heard] for part in ("words", "clap"))
    if not torch.equal(words, clap):
        raise _refuse(
            f"words was trained with an earlier state of clap; delete {out / 'words'} and run: "
            "retake train words"
        )


def check_latents(out: Path) -> None:
    """Refuse latents of another VAE or CLAP than there is now.

    Raises
    ------
    CheckpointError
        One of them was trained further since then.
    """
    parts = _moved(noted(out / "latents"), out)
    if parts and _is_kept(out, "latents"):
        raise _refuse(
            f"{out / 'latents'} was made by an earlier state of {parts}; delete it and run: "
            "retake train diffusion"
        )


def check_learned(out: Path, made_by: Marks) -> None:
    """Refuse a diffusion model whose latents, `made_by`, were of another VAE or CLAP.

    Raises
    ------
    CheckpointError
        One of them was trained further since then.
    """
    parts = _moved(made_by, out)
    if parts:
        raise _refuse(
            f"diffusion learned from latents of an earlier state of {parts}; delete "
            f"{out / 'latents'} and run retake train diffusion with more --minutes"
        )


def check_budgets(out: Path, minutes: Mapping[str, float]) -> None:
    """Refuse to train a part further while something is kept that its present state made.

    Parameters
    ----------
    minutes : mapping
        Budget of each part over all starts.

    Raises
    ------
    CheckpointError
        The budget goes beyond what was spent, and `words` or latents are there.
    """
    for part in ("clap", "vae"):
        kept = [name for name, by in MADE_BY.items() if part in by and _is_kept(out, name)]
        if kept and _spent_s(out / part) < minutes[part] * 60:
            folders = " and ".join(str(out / name) for name in kept)
            raise _refuse(
                f"{part} would be trained further, and what its present state made would no "
                f"longer fit; give the --minutes of before, or first delete {folders}"
            )


def _moved(made_by: Marks, out: Path) -> str:
    """The parts whose runs have other marks now, in words; "" for none."""
    if not made_by:
        return ""
    now = marks(out)
    return " and ".join(part for part, was in made_by.items() if now[part] != was)


def _is_kept(out: Path, name: str) -> bool:
    return any((out / name).glob(KEPT[name]))


def _spent_s(run: Path) -> float:
    return float(_state(run)["used_s"]) if (run / "state.pt").exists() else 0.0


def _refuse(sentence: str) -> CheckpointError:
    return CheckpointError("model-unavailable", sentence)
