"""Training of the latent diffusion UNet.

Conditioned on CLAP embeddings as class labels: the audio embedding of the clip itself (AudioLDM,
section 3.2), for six examples of ten the embedding of one of its captions, which is what the model
will be asked with, and for a tenth the embedding of the empty text, for classifier-free guidance.

Latents and embeddings are computed once (`prepare`), with random crops, gains and mixtures of two
clips.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from engine.mel import ClapMel, LogMel
from engine.training.clap import (
    EMBEDDING_WIDTH,
    WINDOW_SAMPLES,
    ClapTrainee,
    embed_audio,
    embed_text,
)
from engine.training.corpus import Corpus, Entry
from engine.training.cpu_steps import shorten
from engine.training.lineage import NOTE, Marks, noted
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    attention,
    autocast,
    device,
    set_rate,
    to_tensor,
    warm_then_decay,
)

CROP_SAMPLES = 40960
SHARD_ITEMS = 2000
CAPTIONS_KEPT = 4
BATCH = 48
LEARNING_RATE = 6e-4
DROPPED, FROM_TEXT = 0.1, 0.6

UNET: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 16,
    "out_channels": 16,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (96, 192),
    "layers_per_block": 1,
    "cross_attention_dim": (96, 192),
    "attention_head_dim": 6,
    "class_embed_type": "simple_projection",
    "projection_class_embeddings_input_dim": EMBEDDING_WIDTH,
    "class_embeddings_concat": True,
}
SCHEDULER: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}


class Preparer:
    """Turns clips into latents and embeddings.

    Parameters
    ----------
    vae : AutoencoderKL
        Trained; its latents are stored unscaled.
    clap : ClapTrainee
        Trained; both its towers are used.
    """

    def __init__(self, corpus: Corpus, vae: AutoencoderKL, clap: ClapTrainee) -> None:
        self.corpus, self.where = corpus, device()
        self.vae = vae.to(self.where, memory_format=torch.channels_last).eval()
        self.clap, self.clap_model = clap, clap.averaged()
        self.front = LogMel().to(self.where)
        self.ears = ClapMel(window_samples=WINDOW_SAMPLES).to(self.where)

    def build(self, folder: Path, n_items: int, made_by: Marks, seed: int = 0) -> None:
        """Write shards of items into `folder` until there are `n_items`; whole shards are kept.
        `made_by` holds the marks of the networks."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NOTE).write_text(json.dumps(dict(made_by), indent=2) + "\n")
        np.save(folder / "empty.npy", self._texts([""])[0])
        shards = range(-(-n_items // SHARD_ITEMS))
        for shard in tqdm(shards, desc="latents", unit="shard"):
            path = folder / f"items-{shard:04d}.npz"
            if path.exists():
                continue
            rng = np.random.default_rng((seed, shard))
            parts = [self._items(rng, 50) for _ in range(SHARD_ITEMS // 50)]
            arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            part_path = path.with_suffix(".part.npz")
            np.savez(part_path, **arrays)
            os.replace(part_path, path)

    @torch.inference_mode()
    def _items(self, rng: np.random.Generator, n: int) -> dict[str, NDArray[np.float16]]:
        waves, captions = [], []
        for index in self.corpus.draw(rng, n):
            wave, words = self._example(int(index), rng)
            waves.append(wave)
            captions += words
        batch = to_tensor(waves, self.where)
        mel = self.front(batch)[:, None].contiguous(memory_format=torch.channels_last)
        with autocast(self.where):
            latents = self.vae.encode(mel).latent_dist.mean.float()
            repeated = nn.functional.pad(batch, (0, WINDOW_SAMPLES - CROP_SAMPLES))
            audio = embed_audio(self.clap_model, self.ears(repeated))
        text = self._texts(captions).reshape(n, CAPTIONS_KEPT, -1)
        return {
            "latents": latents.contiguous().cpu().numpy().astype(np.float16),
            "audio": audio.float().cpu().numpy().astype(np.float16),
            "text": text.astype(np.float16),
        }

    def _example(
        self, index: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], list[str]]:
        wave = self.corpus.crop(index, CROP_SAMPLES, rng)
        words = _some(self.corpus.entry(index), rng)
        if rng.random() < 0.15:
            other = int(self.corpus.draw(rng, 1)[0])
            share = float(rng.uniform(0.3, 0.7))
            wave = wave * share + self.corpus.crop(other, CROP_SAMPLES, rng) * (1 - share)
            joins = (" and ", " with ", ", ")
            pairs = zip(words, _some(self.corpus.entry(other), rng), strict=True)
            words = [a + str(rng.choice(joins)) + b for a, b in pairs]
        gain = 10 ** (rng.uniform(-6, 4) / 20)
        return (wave * gain).clip(-1, 1).astype(np.float32), words

    @torch.inference_mode()
    def _texts(self, texts: list[str]) -> NDArray[np.float32]:
        tokens = self.clap.tokens(texts)
        with autocast(self.where):
            return embed_text(self.clap_model, tokens).float().cpu().numpy()


def _some(entry: Entry, rng: np.random.Generator) -> list[str]:
    return [str(words) for words in rng.choice(entry.captions, size=CAPTIONS_KEPT)]


class Items:
    """Prepared latents and embeddings, in memory."""

    def __init__(self, folder: Path) -> None:
        shards = [np.load(path) for path in sorted(folder.glob("items-????.npz"))]
        if not shards:
            raise FileNotFoundError(f"no latents in {folder}; train vae and clap first")
        self.latents = np.concatenate([shard["latents"] for shard in shards])
        self.audio = np.concatenate([shard["audio"] for shard in shards])
        self.text = np.concatenate([shard["text"] for shard in shards])
        self.empty = np.load(folder / "empty.npy")
        self.made_by = noted(folder)
        #: Standard deviation over all latent values: its inverse is the VAE's scaling factor.
        self.spread = float(self.latents[:4000].astype(np.float32).std())

    def batch(
        self, rng: np.random.Generator, n: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scaled latents (n, channels, time, mel) and the embeddings that go with them (n,
        width)."""
        chosen = rng.integers(len(self.latents), size=n)
        condition = self.audio[chosen].astype(np.float32)
        draw = rng.random(n)
        words = self.text[chosen, rng.integers(self.text.shape[1], size=n)].astype(np.float32)
        condition = np.where((draw < DROPPED + FROM_TEXT)[:, None], words, condition)
        condition = np.where((draw < DROPPED)[:, None], self.empty, condition)
        return self.latents[chosen].astype(np.float32) / self.spread, condition.astype(np.float32)


class DiffusionTrainee(Trainee):
    """One step: noise latents to a random time and predict the velocity (Salimans & Ho 2022).

    Parameters
    ----------
    items : Items, optional
        Prepared latents; without them it can be loaded and saved, not trained.
    """

    stateful = ("unet", "optimizer")

    def __init__(self, items: Items | None) -> None:
        self.items, self.where = items, device()
        self.unet = UNet2DConditionModel(**UNET).to(self.where, memory_format=torch.channels_last)
        self.average = Average(self.unet, decay=0.9995)
        self.optimizer = torch.optim.AdamW(
            self.unet.parameters(), LEARNING_RATE, weight_decay=0.01, fused=True
        )
        self.scheduler = DDIMScheduler(**SCHEDULER)
        #: Marks of the networks that made the latents of the last step.
        self.made_by: Marks = {}
        self.n_steps = 0

    def hurry(self) -> None:
        """Before a long run: make its steps on a CPU shorter, which takes a minute or more."""
        if self.where.type == "cpu":
            shorten(self.unet)

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps, 500))
        if self.items is None:
            raise RuntimeError("there are no latents to learn from")
        self.made_by = self.items.made_by
        latents, condition = (
            torch.from_numpy(a).to(self.where) for a in self.items.batch(rng, BATCH)
        )
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32)).to(
            self.where
        )
        times = torch.from_numpy(_spread_times(rng, len(latents))).to(self.where)
        noisy = self.scheduler.add_noise(latents, noise, times)
        target = self.scheduler.get_velocity(latents, noise, times)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with autocast(self.where), attention(self.where):
            made = self.unet(noisy, times, None, class_labels=condition).sample
        loss = (made.float() - target).square().mean()
        self.descend(loss, self.unet, self.optimizer)
        return {"velocity": loss.item()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that must survive, and what its latents were made by."""
        return super().state_dict() | {"made_by": dict(self.made_by)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The way back from `state_dict`."""
        super().load_state_dict(state)
        self.made_by = state.get("made_by", {})

    def export(self, folder: Path) -> None:
        """Write unet/ and scheduler/ of a checkpoint into `folder`."""
        unet = UNet2DConditionModel(**UNET)
        self.average.copy_to(unet)
        unet.half().save_pretrained(folder / "unet", safe_serialization=True)
        self.scheduler.save_pretrained(folder / "scheduler")


def _spread_times(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Stratified times: one in each n-th of the process, which steadies the loss."""
    return ((np.arange(n) + rng.random(n)) / n * 1000).astype(np.int64)
