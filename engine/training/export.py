"""Puts a checkpoint together from the runs of its parts."""

from __future__ import annotations

import json
from pathlib import Path

from diffusers import AutoencoderKL

from engine.training.clap import ClapTrainee
from engine.training.corpus import Corpus
from engine.training.diffusion import DiffusionTrainee, Items
from engine.training.lineage import check_latents, check_learned, check_words, run_state
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


def trained_vae(out: Path) -> AutoencoderKL:
    """The averaged VAE of a run, in fp32."""
    vae = AutoencoderKL(**CONFIG)
    vae.load_state_dict(run_state(out / "vae")["average"])
    return vae.eval()


def trained_clap(corpus: Corpus, out: Path) -> ClapTrainee:
    """The CLAP run, ready to embed; with the text tower of the run `words`, where there is one.

    Raises
    ------
    CheckpointError
        CLAP was trained further since `words` began.
    """
    check_words(out)
    clap = ClapTrainee(corpus, out / "clap")
    clap.load_state_dict(run_state(out / "clap"))
    if (out / "words" / "state.pt").exists():
        clap.average.weights = run_state(out / "words")["average"]
    return clap


def export(out: Path) -> Path:
    """Write `out`/checkpoint from the runs in `out`, called as that folder is; returns its folder.

    Raises
    ------
    FileNotFoundError
        A part has not been trained.
    CheckpointError
        A part was trained with an earlier state of another.
    """
    corpus, folder = Corpus(out / "corpus"), out / "checkpoint"
    diffusion = DiffusionTrainee(None)
    diffusion.load_state_dict(run_state(out / "diffusion"))
    check_learned(out, diffusion.made_by)
    check_latents(out)
    scaling_factor = _scaling_factor(out)
    folder.mkdir(exist_ok=True)
    trained_clap(corpus, out).export(folder)
    vae = VaeTrainee(corpus)
    vae.load_state_dict(run_state(out / "vae"))
    vae.export(folder / "vae", scaling_factor=scaling_factor)
    vocoder = VocoderTrainee(corpus)
    vocoder.load_state_dict(run_state(out / "vocoder"))
    vocoder.export(folder / "vocoder")
    diffusion.export(folder)
    about = {"name": out.resolve().name, "window_frames": WINDOW_FRAMES, "n_fft": 1024}
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
