"""Fine-tuning a checkpoint on a folder of sounds: low-rank adapters (LoRA, Hu 2021) on the UNet.

Each sound is called what a manifest says (`manifest.csv`: file, caption), else what a text file of
its name says (`door.txt` beside `door.wav`), else its file name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from engine.adapter import FOLDER, STEM, base_mark, base_of
from engine.checkpoint import find, load_checkpoint
from engine.engine import Engine
from engine.errors import CheckpointError, RequestError
from engine.model_input import model_input
from engine.networks import Networks
from engine.region import Region, read
from engine.training.corpus import check_there, place, read_manifest, read_utf8
from engine.training.extras import require
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    attention,
    autocast,
    device,
    fit,
    set_rate,
)
from engine.weights import read_json

SOUND_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".m4a"}
RANK = 16
BATCH = 16
LEARNING_RATE = 1e-3
DROPPED, FROM_TEXT = 0.1, 0.5
#: Latents made of each sound: crops at other places and levels.
CROPS = 8
LONGEST_S = 30.0
#: In the run's folder: the checkpoint that its adapters are for.
BASE = "base.txt"
#: Layers of the UNet that get adapters, by the end of their names.
ADAPTED = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "time_emb_proj", "class_embedding")


def captioned(folder: Path) -> list[tuple[Path, str]]:
    """Sounds of a folder and what they are called, in the order of file names.

    Raises
    ------
    FileNotFoundError
        There is no folder, no sound in it, or a file that the manifest names is missing.
    RequestError
        `bad-value`: the manifest, or a text file, can't be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        found = [(folder / row["file"], row["caption"]) for row in read_manifest(manifest)]
        check_there(manifest, [path for path, _ in found])
    else:
        found = [(path, _called(path)) for path in sorted(folder.rglob("*")) if _is_sound(path)]
    if not found:
        raise FileNotFoundError(f"no sounds in {folder}; it needs wav, flac, ogg or mp3 files")
    return found


def _is_sound(path: Path) -> bool:
    """Not so macOS's `._door.wav`, which holds what other file systems can't."""
    is_hidden = path.name.startswith(".")
    return path.suffix.lower() in SOUND_SUFFIXES and path.is_file() and not is_hidden


def _called(path: Path) -> str:
    beside = path.with_suffix(".txt")
    if beside.is_file() and (text := read_utf8(beside).strip()):
        return " ".join(text.split())
    words = re.sub(r"[\d_\-.]+", " ", path.stem)
    return " ".join(words.split()).lower() or path.stem


class AdapterTrainee(Trainee):
    """One step: the checkpoint's own diffusion loss, on the adapters alone.

    Parameters
    ----------
    base : str or Path
        The checkpoint, as `Engine.load` takes it. A library made by this can be a base too.
    sounds : sequence of (Path, str)
        Files and captions; a file's first 30 s are used.
    """

    stateful = ("adapters", "optimizer")

    def __init__(self, base: str | Path, sounds: Sequence[tuple[Path, str]]) -> None:
        from diffusers import DDIMScheduler

        self.where = device()
        engine = Engine.load(base)
        self.latents, self.audio, self.text = _hear(engine.networks, sounds)
        self.empty = engine.networks.clap.text("").numpy()
        checkpoint = load_checkpoint(base)
        self.scheduler = DDIMScheduler.from_config(dict(checkpoint.scheduler))
        self.base_mark = base_mark(checkpoint.unet)
        self.unet = checkpoint.unet.to(self.where, memory_format=torch.channels_last).train()
        self.adapters = adapters(self.unet)
        self.average = Average(self.adapters, decay=0.99)
        self.optimizer = torch.optim.AdamW(
            self.adapters.parameters(), LEARNING_RATE, weight_decay=0.0
        )
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch."""
        set_rate(self.optimizer, LEARNING_RATE * min(1.0, (self.n_steps + 1) / 20) * (1 - done / 2))
        latents, condition = (torch.from_numpy(a).to(self.where) for a in self._batch(rng))
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))
        noise = noise.to(self.where)
        n_times = self.scheduler.config.num_train_timesteps
        times = torch.from_numpy(rng.integers(n_times, size=len(latents))).to(self.where)
        noisy = self.scheduler.add_noise(latents, noise, times)
        wanted = noise
        if self.scheduler.config.prediction_type == "v_prediction":
            wanted = self.scheduler.get_velocity(latents, noise, times)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with autocast(self.where), attention(self.where):
            made = self.unet(noisy, times, None, class_labels=condition).sample
        loss = (made.float() - wanted).square().mean()
        self.descend(loss, self.adapters, self.optimizer)
        return {"loss": loss.item()}

    def _batch(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen = rng.integers(len(self.latents), size=BATCH)
        draw = rng.random(BATCH)[:, None]
        condition = np.where(draw < DROPPED + FROM_TEXT, self.text[chosen], self.audio[chosen])
        condition = np.where(draw < DROPPED, self.empty, condition)
        return self.latents[chosen], condition.astype(np.float32)

    def export(self, folder: Path, base: str | Path) -> None:
        """Write the averaged adapters as a checkpoint that stands on `base`."""
        from safetensors.torch import save_file

        weights = {
            name.replace("/", ".").replace(".default.", "."): value.half().contiguous()
            for name, value in self.average.weights.items()
        }
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        save_file(weights, folder / FOLDER / f"{STEM}.safetensors")
        about = {
            "name": folder.resolve().name, "base": _named(base), "base_mark": self.base_mark
        }  # fmt: skip
        (folder / "retake.json").write_text(json.dumps(about, indent=2) + "\n")


def adapters(unet: nn.Module) -> nn.ParameterDict:
    """Put adapters on the layers of `unet` named in `ADAPTED`, freeze the rest, and return the
    adapters' weights under their names, with slashes for dots."""
    from peft import LoraConfig

    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(ADAPTED))
    unet.requires_grad_(False)
    unet.add_adapter(config)
    learned = ((name, p) for name, p in unet.named_parameters() if p.requires_grad)
    return nn.ParameterDict({name.replace(".", "/"): p for name, p in learned})


Hearing = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def _hear(networks: Networks, sounds: Sequence[tuple[Path, str]]) -> Hearing:
    """Scaled latents of crops of every sound, and the embeddings of the crop and of the caption."""
    rng, rows = np.random.default_rng(0), []
    crop = networks.geometry.window_frames // 2 * networks.geometry.hop_samples
    for path, caption in tqdm(sounds, desc="sounds", unit="sound"):
        region = read(path)
        n_frames = round(LONGEST_S * region.rate)
        region = Region(region.samples[:n_frames], region.rate)
        wave = model_input(region, networks.rate).samples
        text = networks.clap.text(caption).numpy()
        for _ in range(CROPS):
            heard = _crop(wave, crop, rng)
            audio = _embedding(networks, heard, text)
            rows.append((networks.encode(heard).numpy(), audio, text))
    latents, audio, text = (
        np.stack(column).astype(np.float32) for column in zip(*rows, strict=True)
    )
    return latents, audio, text


def _embedding(
    networks: Networks, wave: NDArray[np.float32], text: NDArray[np.float32]
) -> NDArray[np.float32]:
    if not networks.clap.hears:
        return text
    return networks.clap.audio(wave, networks.rate).numpy()


def _crop(wave: NDArray[np.float32], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    slack = len(wave) - n
    start = int(rng.integers(max(1, slack + 1)))
    heard = wave[start : start + n] if slack >= 0 else place(wave, n, rng)
    return np.ascontiguousarray(heard * 10 ** (rng.uniform(-6, 3) / 20), np.float32)


def _named(base: str | Path) -> str:
    """How a library names its base: a folder by its whole path."""
    path = Path(base).expanduser()
    return str(path.resolve()) if path.is_dir() else str(base)


def _check_out(base: str | Path, out: Path) -> None:
    """Refuse an `out` where something would be lost, or would get adapters for another network.

    Raises
    ------
    CheckpointError
        There is no such base; the retake.json in `out` can't be read.
    RequestError
        `conflict`: `out` is the base, a whole checkpoint, or stands on another base.
    """
    stands_on = find(base)
    if out.exists() and out.samefile(stands_on):
        raise _conflict(f"{out} is the base itself, which would be lost; give another --out")
    if (out / "unet").exists():
        raise _conflict(f"{out} holds a checkpoint, which would be lost; give another --out")
    for other in _bases(out):
        if not _is_at(other, stands_on):
            raise _conflict(
                f"{out} was begun on {other}, not on {base}; give that as --from, or another --out"
            )


def _bases(out: Path) -> list[str | Path]:
    """What the library, and the run, in `out` stand on."""
    found: list[str | Path] = []
    if (out / "retake.json").is_file():
        found.append(base_of(out, read_json(out / "retake.json", ".")) or out)
    if (out / "run" / BASE).is_file():
        found.append((out / "run" / BASE).read_text(encoding="utf-8").strip())
    return found


def _is_at(checkpoint: str | Path, folder: Path) -> bool:
    try:
        return find(checkpoint).samefile(folder)
    except CheckpointError:  # it is gone
        return False


def _conflict(sentence: str) -> RequestError:
    return RequestError("conflict", sentence)


def finetune(
    sounds: Path, base: str | Path, out: Path, minutes: float, seed: int = 0
) -> AdapterTrainee:
    """Train adapters on a folder of sounds and write them as a checkpoint into `out`.

    Run again with more `minutes`, it goes on where it stopped.

    Raises
    ------
    FileNotFoundError
        There are no sounds.
    RequestError, CheckpointError
        A sound can't be read; peft is not installed; there is no such base; `out` holds something
        else than a library on `base`.
    """
    require("peft")
    _check_out(base, out)
    trainee = AdapterTrainee(base, captioned(sounds))
    (out / "run").mkdir(parents=True, exist_ok=True)
    (out / "run" / BASE).write_text(_named(base) + "\n", encoding="utf-8")
    fit(trainee, out / "run", minutes, seed)
    trainee.export(out, base)
    return trainee
