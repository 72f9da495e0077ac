"""The training corpus: recordings from a folder with a manifest, and synthesis, at 16 kHz.

A corpus folder holds shards; a shard is `NAME.i16` (16-bit samples, all clips end to end) and
`NAME.json` (a list of entries). Shards are written whole or not at all, so building one can stop
and go on anywhere.

A manifest is a CSV file with the columns `file` (relative to the manifest) and `caption`; every
other column is optional. Commas, semicolons or tabs part its cells. Every tenth recording, in the
order of file names, is held out of training.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.errors import RequestError

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
    """Collects clips and writes them as one shard, at the end and all at once; `origin` says what
    it was made from."""

    def __init__(
        self, folder: Path, name: str, origin: Mapping[str, str | int] | None = None
    ) -> None:
        self.folder, self.name, self.origin = folder, name, dict(origin or {})
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
        whole = self.folder / f"{self.name}.json"
        whole.unlink(missing_ok=True)  # of a shard that is made again
        np.concatenate(self.waves).tofile(self.folder / f"{self.name}.i16")
        part = self.folder / f"{self.name}.json.part"
        entries = [asdict(entry) for entry in self.entries]
        part.write_text(json.dumps({"origin": self.origin, "entries": entries}))
        os.replace(part, whole)


def read_utf8(path: Path) -> str:
    """A text file, with or without the mark that Windows programs put first.

    Raises
    ------
    RequestError
        `bad-value`: it is in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            "bad-value", f"{path} is not UTF-8; save it as UTF-8 ('CSV UTF-8' in Excel)"
        ) from error


def read_manifest(manifest: Path) -> list[dict[str, str]]:
    """Rows of a manifest in the order of their files' names; empty ones are left out.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    RequestError
        `bad-value`: a column or a cell is missing, it isn't UTF-8, or it names no sounds.
    """
    if not manifest.is_file():
        what = "is a folder; give the manifest in it" if manifest.is_dir() else "isn't there"
        raise FileNotFoundError(f"{manifest} {what}: a CSV file with the columns file and caption")
    text = read_utf8(manifest)
    header = text.partition("\n")[0]
    lines = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    lines.fieldnames = [name.strip() for name in lines.fieldnames or ()]
    if not {"file", "caption"} <= {*lines.fieldnames}:
        raise _bad_manifest(manifest, 1, f"has the columns {header!r}; needed are file and caption")
    rows = [_checked(row, manifest, lines.line_num) for row in lines if _is_filled(row)]
    if not rows:
        raise RequestError("bad-value", f"{manifest} names no sounds")
    return sorted(rows, key=lambda row: row["file"])


def _is_filled(row: Mapping[str, Any]) -> bool:
    # A cell is None where the line is short, and a list where it is longer than the header.
    return any(cell and any(cell) for cell in row.values())


def _checked(row: dict[Any, Any], manifest: Path, line: int) -> dict[str, str]:
    beyond = row.pop(None, ())  # where csv puts cells that have no column
    if any(beyond):
        wanted = "put a caption that holds a separator in quotes"
        raise _bad_manifest(manifest, line, f"has more cells than columns; {wanted}")
    cells = {name: (cell or "").strip() for name, cell in row.items()}
    for name in ("file", "caption"):
        if not cells[name]:
            raise _bad_manifest(manifest, line, f"has no {name}")
    return cells


def _bad_manifest(manifest: Path, line: int, fault: str) -> RequestError:
    return RequestError("bad-value", f"{manifest}, line {line}, {fault}")


def check_there(manifest: Path, files: Sequence[Path]) -> None:
    """Refuse a manifest whose files aren't all there.

    Raises
    ------
    FileNotFoundError
        Names the first that is missing.
    """
    missing = next((path for path in files if not path.is_file()), None)
    if missing:
        raise FileNotFoundError(f"{manifest} names {missing.name}, which isn't there")


def build_recorded(manifest: Path, folder: Path) -> bool:
    """Write the shard `recorded` from a manifest, if it isn't there already; returns whether it was
    written.

    A shard of another manifest is made again; one that doesn't say of which is kept.

    Raises
    ------
    FileNotFoundError
        The manifest, or a file it names, is missing.
    RequestError
        The manifest can't be read.
    soundfile.LibsndfileError
        A file it names can't be read.
    """
    rows = read_manifest(manifest)
    origin = {"manifest": sha256(manifest.read_bytes()).hexdigest()}
    if _origin(folder / "recorded.json") in ({}, origin):
        return False
    check_there(manifest, [manifest.parent / row["file"] for row in rows])
    folder.mkdir(parents=True, exist_ok=True)
    writer = ShardWriter(folder, "recorded", origin)
    for index, row in enumerate(tqdm(rows, desc="recordings", unit="clip")):
        wave = level(load_recording(manifest.parent / row["file"]))
        tags = tuple(filter(None, row.get("tags", "").split(";")))
        held_out = index % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
        writer.add(wave, row["file"], recorded_wordings(row["caption"]), tags, held_out)
    writer.close()
    return True


def _origin(shard: Path) -> dict[str, str | int] | None:
    """What a shard was made from; nothing where it doesn't say, None where there is no shard."""
    if not shard.exists():
        return None
    kept = json.loads(shard.read_text())
    return kept["origin"] if isinstance(kept, dict) else {}  # once it was the entries alone


def build_synthetic(
    folder: Path, n_clips: int, seed: int = 0, prefix: str = "synthetic", processes: int = 1
) -> None:
    """Write synthetic shards up to `n_clips`; shards that are there already are kept.

    Raises
    ------
    RequestError
        `conflict`: one of those was made with another seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{prefix}-{n:04d}" for n in range(-(-n_clips // SHARD_CLIPS))]
    shards = [n for n, name in enumerate(names) if not _is_made(folder / f"{name}.json", seed)]
    build = partial(_build_shard, folder, seed, prefix)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        made = map(build, shards) if processes == 1 else pool.map(build, shards)
        for _ in tqdm(made, desc="synthesis", unit="shard", total=len(shards)):
            pass


def _build_shard(folder: Path, seed: int, prefix: str, shard: int) -> None:
    from engine.training import sounds

    writer = ShardWriter(folder, f"{prefix}-{shard:04d}", {"seed": seed})
    for index in range(SHARD_CLIPS):
        rng = np.random.default_rng((seed, shard, index))
        made = sounds.example(rng, seconds=SYNTHETIC_SECONDS, rate=RATE)
        wave = level(made.samples)
        writer.add(wave, f"{prefix}:{shard}:{index}", made.captions, made.kinds, False)
    writer.close()


def _is_made(shard: Path, seed: int) -> bool:
    origin = _origin(shard)
    if origin and origin["seed"] != seed:
        raise RequestError(
            "conflict",
            f"{shard} was made with seed {origin['seed']}, not {seed}; give --seed "
            f"{origin['seed']}, or delete the synthetic shards in its folder",
        )
    return origin is not None


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
        weights: list[float] = []
        is_recorded: list[bool] = []
        for path in sorted(folder.glob(f"{only}*.json")):
            samples = np.memmap(path.with_suffix(".i16"), dtype=np.int16, mode="r")
            weight = RECORDED_WEIGHT if path.stem == "recorded" else 1.0
            entries = [entry for entry in _entries(path) if entry.held_out == held_out]
            self.clips += [(samples, entry) for entry in entries]
            weights += [weight * _length_weight(entry) for entry in entries]
            is_recorded += [path.stem == "recorded"] * len(entries)
        if not self.clips:
            raise FileNotFoundError(f"no clips in {folder}; run: retake train corpus")
        self.weights = np.array(weights) / np.sum(weights)
        #: Whether a clip is a recording, shape = (n_clips,).
        self.is_recorded = np.array(is_recorded)

    def __len__(self) -> int:
        return len(self.clips)

    def draw(
        self, rng: np.random.Generator, n: int, recorded_share: float | None = None
    ) -> NDArray[np.int64]:
        """Indices of `n` clips, with replacement.

        Parameters
        ----------
        recorded_share : float, optional
            How many of them are recordings, from 0 to 1, where there are both kinds of clips.
        """
        weights = self.weights
        recorded = weights[self.is_recorded].sum()
        if recorded_share is not None and 0 < recorded < 1:
            shares = recorded_share / recorded, (1 - recorded_share) / (1 - recorded)
            weights = weights * np.where(self.is_recorded, *shares)
            weights = weights / weights.sum()  # to the last digit
        return rng.choice(len(self.clips), size=n, p=weights)

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
    kept = json.loads(path.read_text())
    for row in kept["entries"] if isinstance(kept, dict) else kept:
        row["captions"], row["kinds"] = tuple(row["captions"]), tuple(row["kinds"])
        yield Entry(**row)
