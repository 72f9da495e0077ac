"""Puts a checkpoint together from the runs of its parts."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from engine.training.clap import ClapTrainee
from engine.training.corpus import Corpus
from engine.training.diffusion import DiffusionTrainee, Items
from engine.training.vae import CONFIG, VaeTrainee
from engine.training.vocoder import VocoderTrainee

#: Mel frames the diffusion model works on at once.
WINDOW_FRAMES = 512

#: In the run of the VAE, where it was begun from a checkpoint.
SCALING_FACTOR = "scaling_factor.txt"

MODEL_INDEX = {
    "_class_name": "AudioLDMPipeline",
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "ClapTextModelWithProjection"],
    "tokenizer": ["transformers", "BertTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "vocoder": ["engine.vocoder", "IstftVocoder"],
}


def run_state(folder: Path) -> dict[str, object]:
    """The trainee's state saved in a run's folder.

    Raises
    ------
    FileNotFoundError
        The part has not been trained.
    """
    path = folder / "state.pt"
    if not path.exists():
        raise FileNotFoundError(
            f"{folder.name} has not been trained; run: retake train {folder.name}"
        )
    state = torch.load(path, map_location="cpu", weights_only=False)
    trainee: dict[str, object] = state["trainee"]
    return trainee


def trained_vae(out: Path) -> AutoencoderKL:
    """The averaged VAE of a run, in fp32."""
    vae = AutoencoderKL(**CONFIG)
    vae.load_state_dict(run_state(out / "vae")["average"])
    return vae.eval()


def trained_clap(corpus: Corpus, out: Path) -> ClapTrainee:
    """The CLAP run, ready to embed; with the text tower of the run `words`, where there is one.

    Raises
    ------
    ValueError
        CLAP's audio tower was trained further since then.
    """
    clap = ClapTrainee(corpus, out / "clap")
    clap.load_state_dict(run_state(out / "clap"))  # type: ignore[arg-type]
    if (out / "words" / "state.pt").exists():
        words: dict[str, torch.Tensor] = run_state(out / "words")["average"]  # type: ignore[assignment]
        heard = "audio_projection.linear1.weight"
        if not torch.equal(words[heard], clap.average.weights[heard]):
            raise ValueError(
                "words was trained with an earlier state of clap; remove its folder and run: "
                "retake train words"
            )
        clap.average.weights = words
    return clap


def export(out: Path) -> Path:
    """Write `out`/checkpoint from the runs in `out`; returns its folder.

    Raises
    ------
    FileNotFoundError
        A part has not been trained.
    """
    corpus, folder = Corpus(out / "corpus"), out / "checkpoint"
    folder.mkdir(exist_ok=True)
    scaling_factor = _scaling_factor(out)
    trained_clap(corpus, out).export(folder)
    vae = VaeTrainee(corpus)
    vae.load_state_dict(run_state(out / "vae"))  # type: ignore[arg-type]
    vae.export(folder / "vae", scaling_factor=scaling_factor)
    vocoder = VocoderTrainee(corpus)
    vocoder.load_state_dict(run_state(out / "vocoder"))  # type: ignore[arg-type]
    vocoder.export(folder / "vocoder")
    diffusion = DiffusionTrainee(None)
    diffusion.load_state_dict(run_state(out / "diffusion"))  # type: ignore[arg-type]
    diffusion.export(folder)
    about = {"name": "pocket", "window_frames": WINDOW_FRAMES, "n_fft": 1024}
    (folder / "retake.json").write_text(json.dumps(about, indent=2) + "\n")
    (folder / "model_index.json").write_text(json.dumps(MODEL_INDEX, indent=2) + "\n")
    return folder


def _scaling_factor(out: Path) -> float:
    """What brings latents to unit deviation: measured on those there are, else the one of the
    checkpoint that `start` began with."""
    kept = out / "vae" / SCALING_FACTOR
    if kept.exists() and not (out / "latents").exists():
        return float(kept.read_text())
    return 1.0 / Items(out / "latents").spread
