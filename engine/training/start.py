"""Begins the runs of every part from a checkpoint's weights, so that training goes on from there.

A run's folder holds optimizers and random generators that a checkpoint doesn't; where it is lost,
or another machine takes over, `retake train start --from pocket` makes runs whose weights and
averages are the checkpoint's and whose budgets begin anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.training.clap import LESSON_STEPS, ClapTrainee
from engine.training.corpus import Corpus
from engine.training.diffusion import DiffusionTrainee
from engine.training.export import SCALING_FACTOR
from engine.training.lineage import mark
from engine.training.loop import Average, Trainee, save_state
from engine.training.vae import VaeTrainee
from engine.training.vocoder import VocoderTrainee

PARTS = ("clap", "vae", "vocoder", "diffusion")


def start(checkpoint: str | Path, out: Path, seed: int = 0) -> None:
    """Write a run for each part of a checkpoint into `out`, which holds a corpus.

    Raises
    ------
    FileExistsError
        A run is there already.
    CheckpointError
        The checkpoint can't be found or read.
    RuntimeError
        A part has other shapes than the recipe's; torch names them.
    """
    for part in PARTS:
        if (out / part / "state.pt").exists():
            raise FileExistsError(f"{out / part} holds a run already, which would be lost")
    corpus, found = Corpus(out / "corpus"), load_checkpoint(checkpoint)
    trainees = {
        "clap": _clap(found, corpus, out / "clap"),
        "vae": _begin(vae := VaeTrainee(corpus), vae.vae, found.vae.state_dict()),
        "vocoder": _vocoder(found, corpus),
        "diffusion": _begin(unet := DiffusionTrainee(None), unet.unet, found.unet.state_dict()),
    }
    unet.made_by = {part: mark(trainees[part].average.weights) for part in ("vae", "clap")}
    for part, trainee in trainees.items():
        save_state(trainee, out / part, np.random.default_rng(seed), used_s=0.0, step=0)
    (out / "vae" / SCALING_FACTOR).write_text(f"{found.vae.config.scaling_factor!r}\n")


def _begin(trainee: Trainee, network: nn.Module, weights: dict[str, Tensor]) -> Trainee:
    network.load_state_dict(weights)
    trainee.average = Average(network, trainee.average.decay)
    return trainee


def _vocoder(found: Checkpoint, corpus: Corpus) -> Trainee:
    """One without a harmonic source gets a new one."""
    trainee = VocoderTrainee(corpus)
    weights = trainee.vocoder.state_dict() | found.vocoder.state_dict()
    return _begin(trainee, trainee.vocoder, weights)


def _clap(found: Checkpoint, corpus: Corpus, run: Path) -> Trainee:
    """Both towers. The vocabulary is the checkpoint's, and the text tower's first lessons are
    over."""
    if found.audio_tower is None:
        raise FileNotFoundError(f"{found.folder} has no clap/, whose audio tower is needed")
    found.tokenizer.save_pretrained(run / "tokenizer")
    trainee = ClapTrainee(corpus, run)
    weights = trainee.model.state_dict()  # how sharply likenesses are told apart is no part of it
    weights |= found.text_encoder.state_dict() | found.audio_tower.state_dict()
    trainee.n_steps = LESSON_STEPS
    return _begin(trainee, trainee.model, weights)
