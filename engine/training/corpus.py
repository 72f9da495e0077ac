"""The training corpus: recordings from a folder with a manifest, and synthesis, at 16 kHz.

A corpus folder holds shards; a shard is `NAME.i16` (16-bit samples, all clips end to end) and
`NAME.json` (a list of entries). Shards are written whole or not at all, so building one can stop
and go on anywhere.

A manifest is a CSV file with the columns `file` (relative to the manifest) and `caption`; every
other column is optional. Every tenth recording, in the order of file names, is held out of
training.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

RATE = 16000
HOLD_OUT_EVERY = 10
SYNTHETIC_SECONDS = 5.12
SHARD_CLIPS = 500
#: Clips are brought to this level, as the engine does with what it is given.
REFERENCE_DBFS = -20.0

Wave = NDArray[np.float32]

RECORDED_WORDINGS = (
    "{}",
    "the sound of {}",
    "a recording of {}",
    "{}, recorded",
    "this is {}",
    "{} can be heard",
    "audio of {}",
    "we hear {}",
    "field recording: {}",
    "{} sound effect",
    "sound effect of {}",
    "listen to {}",
)


@dataclass(frozen=True)
class Entry:
    """One clip of a shard: where it lies, what it is called, and whether training may see it."""

    source: str
    offset: int
    n_samples: int
    captions: tuple[str, ...]
    kinds: tuple[str, ...]
    held_out: bool


def level(wave: Wave, target_dbfs: float = REFERENCE_DBFS) -> Wave:
    """The wave at an active RMS of `target_dbfs`, peaks under full scale; silence stays silence."""
    frames = wave[: len(wave) // 160 * 160].reshape(-1, 160) if len(wave) >= 160 else wave[None]
    power = (frames.astype(np.float64) ** 2).mean(axis=1)
    active = power[power > power.max(initial=0.0) * 1e-3]
    if not len(active) or active.mean() < 1e-12:
        return wave
    gain = 10 ** (target_dbfs / 20) / np.sqrt(active.mean())
    gain = min(gain, 0.99 / max(np.abs(wave).max(), 1e-9))
    return (wave * gain).astype(np.float32)


def load_recording(path: Path) -> Wave:
    """A sound file as mono float32 at 16 kHz."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return soxr.resample(mono, rate, RATE).astype(np.float32) if rate != RATE else mono


def recorded_wordings(caption: str) -> tuple[str, ...]:
    """A recording's caption in a dozen forms of words, the plain one first."""
    plain = caption.strip().rstrip(".")
    short = plain.split(",")[0]
    bare = short[2:] if short.startswith("a ") else short[3:] if short.startswith("an ") else short
    forms = [form.format(plain) for form in RECORDED_WORDINGS] + [short, bare]
    return tuple(dict.fromkeys(forms))


class ShardWriter:
    """Collects clips and writes them as one shard, at the end and all at once."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.waves: list[NDArray[np.int16]] = []
        self.entries: list[Entry] = []
        self.offset = 0

    def add(
        self, wave: Wave, source: str, captions: Sequence[str], kinds: Sequence[str], held_out: bool
    ) -> None:
        """Append one clip; samples outside -1..1 are clipped."""
        samples = (np.clip(wave, -1.0, 1.0) * 32767).astype(np.int16)
        entry = Entry(source, self.offset, len(samples), tuple(captions), tuple(kinds), held_out)
        self.waves.append(samples)
        self.entries.append(entry)
        self.offset += len(samples)

    def close(self) -> None:
        """Write both files; the JSON file comes last and marks the shard as whole."""
        np.concatenate(self.waves).tofile(self.folder / f"{self.name}.i16")
        part = self.folder / f"{self.name}.json.part"
        part.write_text(json.dumps([asdict(entry) for entry in self.entries]))
        os.replace(part, self.folder / f"{self.name}.json")


def read_manifest(manifest: Path) -> list[dict[str, str]]:
    """Rows of a manifest in the order of their files' names."""
    with manifest.open(newline="", encoding="utf-8") as lines:
        return sorted(csv.DictReader(lines), key=lambda row: row["file"])


def build_recorded(manifest: Path, folder: Path) -> int:
    """Write the shard `recorded` from a manifest; returns how many clips it holds.

    Raises
    ------
    FileNotFoundError
        The manifest is missing.
    soundfile.LibsndfileError
        A file it names is missing or can't be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_manifest(manifest)
    writer = ShardWriter(folder, "recorded")
    for index, row in enumerate(tqdm(rows, desc="recordings", unit="clip")):
        wave = level(load_recording(manifest.parent / row["file"]))
        tags = tuple(filter(None, (row.get("tags") or "").split(";")))
        held_out = index % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
        writer.add(wave, row["file"], recorded_wordings(row["caption"]), tags, held_out)
    writer.close()
    return len(rows)


def build_synthetic(
    folder: Path, n_clips: int, seed: int = 0, prefix: str = "synthetic", processes: int = 1
) -> None:
    """Write synthetic shards up to `n_clips`; shards that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = [n for n in range(-(-n_clips // SHARD_CLIPS)) if not _is_whole(folder, prefix, n)]
    build = partial(_build_shard, folder, seed, prefix)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        made = map(build, shards) if processes == 1 else pool.map(build, shards)
        for _ in tqdm(made, desc="synthesis", unit="shard", total=len(shards)):
            pass


def _build_shard(folder: Path, seed: int, prefix: str, shard: int) -> None:
    from engine.training import sounds

    writer = ShardWriter(folder, f"{prefix}-{shard:04d}")
    for index in range(SHARD_CLIPS):
        rng = np.random.default_rng((seed, shard, index))
        made = sounds.example(rng, seconds=SYNTHETIC_SECONDS, rate=RATE)
        wave = level(made.samples)
        writer.add(wave, f"{prefix}:{shard}:{index}", made.captions, made.kinds, False)
    writer.close()


def _is_whole(folder: Path, prefix: str, shard: int) -> bool:
    return (folder / f"{prefix}-{shard:04d}.json").exists()


#: How much more often a recording is drawn than a synthetic clip of the same length.
RECORDED_WEIGHT = 10.0


def _length_weight(entry: Entry) -> float:
    """Long clips are drawn more often than short ones, but not in proportion."""
    return float(np.sqrt(np.clip(entry.n_samples / RATE, 0.3, 10.0)))


class Corpus:
    """Clips of a corpus folder, memory-mapped.

    Parameters
    ----------
    folder : Path
        Holds the shards.
    held_out : bool
        The held-out clips, or (default) the others.
    only : str
        Shards whose name starts so; "" for all.
    """

    def __init__(self, folder: Path, held_out: bool = False, only: str = "") -> None:
        self.clips: list[tuple[np.memmap, Entry]] = []
        weights = []
        for path in sorted(folder.glob(f"{only}*.json")):
            samples = np.memmap(path.with_suffix(".i16"), dtype=np.int16, mode="r")
            weight = RECORDED_WEIGHT if path.stem == "recorded" else 1.0
            entries = [entry for entry in _entries(path) if entry.held_out == held_out]
            self.clips += [(samples, entry) for entry in entries]
            weights += [weight * _length_weight(entry) for entry in entries]
        if not self.clips:
            raise FileNotFoundError(f"no clips in {folder}; run: retake train corpus")
        self.weights = np.array(weights) / np.sum(weights)

    def __len__(self) -> int:
        return len(self.clips)

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Indices of `n` clips, with replacement."""
        return rng.choice(len(self.clips), size=n, p=self.weights)

    def entry(self, index: int) -> Entry:
        """What is known of a clip."""
        return self.clips[index][1]

    def wave(self, index: int) -> Wave:
        """A whole clip, shape = (n_samples,)."""
        samples, entry = self.clips[index]
        clip = samples[entry.offset : entry.offset + entry.n_samples]
        return clip.astype(np.float32) / 32767

    def crop(self, index: int, n_samples: int, rng: np.random.Generator) -> Wave:
        """A stretch of a clip; a short clip is placed in silence or repeated."""
        samples, entry = self.clips[index]
        slack = entry.n_samples - n_samples
        if slack >= 0:
            start = entry.offset + int(rng.integers(slack + 1))
            return samples[start : start + n_samples].astype(np.float32) / 32767
        return place(self.wave(index), n_samples, rng)


def place(wave: Wave, n_samples: int, rng: np.random.Generator) -> Wave:
    """A short clip in silence at a random place, or (one time in three) repeated with gaps."""
    out = np.zeros(n_samples, np.float32)
    at = int(rng.integers(max(1, (n_samples - len(wave)) // 2)))
    gap = (
        len(wave) + int(rng.integers(max(1, n_samples // 4))) if rng.random() < 0.33 else n_samples
    )
    for start in range(at, n_samples, gap):
        piece = wave[: n_samples - start]
        out[start : start + len(piece)] += piece
    return out


def _entries(path: Path) -> Iterator[Entry]:
    for row in json.loads(path.read_text()):
        row["captions"], row["kinds"] = tuple(row["captions"]), tuple(row["kinds"])
        yield Entry(**row)
