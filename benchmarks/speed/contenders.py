"""Retake and diffusers' AudioLDMPipeline on one checkpoint, stage by stage."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.timing import Work
from engine.checkpoint import POCKET, load_checkpoint
from engine.denoise import Guidance
from engine.device import choose
from engine.mel import LogMel
from engine.networks import Networks
from engine.vocoder import IstftVocoder

CLIP_S = 10.24
PROMPT = "rain on a tin roof"
SHIPPED, TOLD = "diffusers as shipped", "diffusers bf16"
STAGES = ("text", "mel", "VAE encode", "UNet step", "VAE decode", "vocoder")
#: What the official recipe spends: 200 DDIM steps over the whole process.
OFFICIAL_STEPS, DEFAULT_STEPS = 200, 20


@dataclass(frozen=True)
class Contender:
    """One implementation: its name and what it does in each stage."""

    name: str
    stages: dict[str, Work]


@torch.inference_mode()
def retake(networks: Networks) -> Contender:
    """Retake's own way through the stages, as `Engine.load` sets it up here."""
    wave = noise(networks.rate)
    latents = networks.encode(wave)
    mel = networks.decode(latents)
    guidance = Guidance(networks.clap.text(PROMPT), networks.clap.text(""), 2.5)
    predict = networks._unet.guided(guidance, 1)
    works: list[Work] = [
        lambda: networks.clap._embed_text(PROMPT),
        lambda: networks._log_mel(torch.from_numpy(wave)[None]),
        lambda: networks._vae.encode(mel[None]),
        lambda: predict(latents[None], 500),
        lambda: networks.decode(latents),
        lambda: networks.voice(mel),
    ]
    return Contender("retake", dict(zip(STAGES, works, strict=True)))


@torch.inference_mode()
def diffusers(pipeline: Any, is_told: bool) -> Contender:
    """The parts of diffusers' pipeline, called as the pipeline calls them."""
    dtype = torch.bfloat16 if is_told else torch.float32
    config = pipeline.vocoder.config
    hop = int(np.prod(config.upsample_rates))
    front_end = LogMel(rate=config.sampling_rate, hop=hop, n_mels=config.model_in_dim)
    wave = torch.from_numpy(noise(config.sampling_rate))[None]
    mel = front_end(wave).to(dtype)
    image = mel[:, None]
    latents = pipeline.vae.encode(image).latent_dist.mode()
    if is_told:
        image, latents = (t.contiguous(memory_format=torch.channels_last) for t in (image, latents))
    labels = pipeline._encode_prompt(PROMPT, "cpu", 1, True)
    works: list[Work] = [
        lambda: pipeline._encode_prompt(PROMPT, "cpu", 1, False),
        lambda: front_end(wave),
        lambda: pipeline.vae.encode(image),
        lambda: pipeline.unet(torch.cat([latents] * 2), 500, None, class_labels=labels),
        lambda: pipeline.vae.decode(latents),
        lambda: pipeline.vocoder(mel),
    ]
    return Contender(TOLD if is_told else SHIPPED, dict(zip(STAGES, works, strict=True)))


def pipeline_of(folder: Path, is_told: bool) -> Any:
    """diffusers' AudioLDMPipeline of a folder, as shipped or told bf16 and channels_last."""
    from diffusers import DDIMScheduler
    from diffusers.pipelines.deprecated.audioldm.pipeline_audioldm import AudioLDMPipeline

    parts = load_checkpoint(folder)
    dtype = torch.bfloat16 if is_told else torch.float32
    vocoder = getattr(parts.vocoder, "network", parts.vocoder)
    if not hasattr(vocoder, "dtype"):  # the pipeline asks for them; ours is a plain module
        vocoder.dtype, vocoder.device = dtype, torch.device("cpu")
    pipeline = AudioLDMPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        vocoder=vocoder,
    )
    told = [parts.vae, parts.text_encoder, parts.unet]
    if isinstance(vocoder, IstftVocoder):  # not one of diffusers': it stays as it is
        vocoder.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
    else:
        told.append(vocoder)
    for part in told:
        torch.nn.Module.to(part, dtype)
        if is_told:
            torch.nn.Module.to(part, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def noise(rate: int, seconds: float = CLIP_S) -> np.ndarray:
    """The clip: noise at -20 dBFS."""
    n_samples = round(seconds * rate)
    return 0.1 * np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)


def networks_of(folder: Path) -> Networks:
    """A checkpoint's networks as the engine places them here."""
    return Networks(load_checkpoint(folder), choose())


def folder_of(name: str, scratch: Path) -> Path:
    """Where a checkpoint lies; `audioldm-s` is built there with random weights first."""
    if name == "pocket":
        return POCKET
    if name != "audioldm-s":
        return Path(name)
    folder = scratch / name
    if not folder.exists():
        sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
        import full_size

        full_size.build(folder)
    return folder
