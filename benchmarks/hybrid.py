"""Hybrid rendering against the vocoder's own sound: words, stereo image, and curves in time.

    python -m benchmarks.hybrid [--sounds manifest.csv] [--parts words stereo curves]
    [--json FILE] [--png FILE]

Speech and stereo recordings are transferred at strength 0.3 under two texts, once in each
rendering. Words are told by STOI (Taal et al. 2011) against the source; the image by how far the
correlation of the two channels drifts, over all, in the octave that drifts most, and in cells of a
tenth of a second and a third of an octave. Curves: steady noise under a strength curve, the RMS of
the change every quarter of a second against the curve there. `--png` draws source, hybrid and
vocoder beside each other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from tqdm import tqdm

from engine import Engine, Region, Transfer, read
from engine.loudness import rms
from engine.resample import resample
from engine.samples import Samples

ROOT = Path(__file__).parents[1]
PARTS = ("words", "stereo", "curves")
TEXTS = ("heavy rain on a metal roof", "a woman whispering")
STRENGTH, LONGEST_S = 0.3, 4.0
#: Speech: the tests' own, and of a manifest what has words or shouts in it.
SPEECH = ("tests/clips/speech.flac", "tests/clips/mono_8k.flac")
MORE_SPEECH = ("thisisthesoundofavocoder", "man_yelling_1", "man_yelling_2")
STEREO, N_MORE_STEREO = ("tests/clips/stereo_48k.flac",), 8
#: STOI is defined at this rate.
STOI_HZ = 10000
#: Octaves are told from here on; those that lie so far under the loudest are as good as empty.
OCTAVES_HZ, EMPTY_DB = (250, 500, 1000, 2000, 4000), 40.0

#: Cells in which the image is told: so much time, and a third of an octave from here on.
CELL_S, CELLS_FROM_HZ = 0.1, 100.0

#: Seconds and strengths of the curves.
CURVES: dict[str, tuple[tuple[float, float], ...]] = {
    "ramp": ((0.0, 0.0), (8.0, 0.8)),
    "step": ((0.0, 0.2), (3.9, 0.2), (4.1, 0.7), (8.0, 0.7)),
    "sine": tuple((t, 0.4 - 0.35 * np.cos(np.pi * t / 2)) for t in np.arange(0.0, 8.01, 0.25)),
}
CURVE_S, PIECE_S, N_SEEDS, CURVE_RATE = 8.0, 0.25, 4, 16000


def words(source: Samples, take: Samples, rate: int) -> float:
    """STOI of a take's first channel against its source's."""
    from pystoi import stoi  # type: ignore[import-untyped]

    n_samples = len(source) * STOI_HZ // rate
    first, second = (
        resample(np.ascontiguousarray(s[:, 0]), rate, STOI_HZ, n_samples) for s in (source, take)
    )
    return float(stoi(first, second, STOI_HZ))


def octave_correlations(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Correlation of two channels in every octave that isn't empty; NaN in the others."""
    levels, found = [], []
    for low_hz in OCTAVES_HZ:
        edges_hz = (low_hz, min(1.9 * low_hz, 0.49 * rate))
        sos = signal.butter(4, edges_hz, "band", fs=rate, output="sos")
        band = signal.sosfiltfilt(sos, samples, axis=0)
        levels.append(20 * np.log10(band.std() + 1e-12))
        found.append(np.corrcoef(band.T)[0, 1])
    is_empty = np.array(levels) < max(levels) - EMPTY_DB
    return np.where(is_empty, np.nan, found)


def drift(source: Samples, take: Samples, rate: int) -> dict[str, float]:
    """How far the correlation of the channels moved: over all, and in the worst octave."""
    whole = [float(np.corrcoef(s.T)[0, 1]) for s in (source, take)]
    octaves = octave_correlations(take, rate) - octave_correlations(source, rate)
    return {
        "correlation": whole[0],
        "over all": abs(whole[1] - whole[0]),
        "worst octave": float(np.nanmax(np.abs(octaves))),
        "in cells": cell_drift(source, take, rate),
    }


def cell_drift(source: Samples, take: Samples, rate: int) -> float:
    """Mean drift of the correlation in cells of time and frequency, by the take's power.

    An edit that turns up what sounds at the left moves the correlation over all, and rightly so;
    in a cell nothing has moved.
    """
    (before, _), (after, power) = (_cells(samples, rate) for samples in (source, take))
    return float((np.abs(after - before) * power).sum() / power.sum())


def _cells(samples: Samples, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation of the channels, and power, in every cell, shape = (n_bands, n_times)."""
    n_fft = 2 ** round(np.log2(CELL_S / 2 * rate))
    hz, _, spectra = signal.stft(samples.T, rate, nperseg=n_fft, noverlap=n_fft * 3 // 4)
    left, right = spectra
    n_bands = int(3 * np.log2(rate / 2 / CELLS_FROM_HZ)) + 1
    bands = np.searchsorted(hz, CELLS_FROM_HZ * 2 ** (np.arange(n_bands) / 3))
    times = np.arange(0, left.shape[1], 8)  # eight hops of a quarter window

    def cells(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(np.add.reduceat(values, bands, 0), times, 1))

    powers = [cells(np.square(np.abs(side))) for side in (left, right)]
    shared = cells(np.real(left * np.conj(right)))
    return shared / np.sqrt(powers[0] * powers[1] + 1e-20), powers[0] + powers[1]


def follow(samples: Samples, takes: list[Samples], points: Any) -> float:
    """Correlation over time of takes' mean change with the curve that asked for it."""
    piece = round(PIECE_S * CURVE_RATE)
    n_pieces = len(samples) // piece
    changes = [
        [rms((take - samples)[at * piece :][:piece]) for at in range(n_pieces)] for take in takes
    ]
    at_s = np.arange(n_pieces * piece) / CURVE_RATE
    wanted = np.interp(at_s, *zip(*points, strict=True)).reshape(n_pieces, piece).mean(axis=1)
    return float(np.corrcoef(np.mean(changes, axis=0), wanted)[0, 1])


def steady(length_s: float, seed: int = 5) -> Region:
    """White noise."""
    rng = np.random.default_rng(seed)
    noise = 0.1 * rng.standard_normal((round(length_s * CURVE_RATE), 1))
    return Region(noise.astype(np.float32), CURVE_RATE)


def main() -> None:
    """Measure the parts asked for, print their tables, draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, help="manifest.csv of more recordings")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--checkpoint", default="pocket")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    args = parser.parse_args()
    engine, found = Engine.load(args.checkpoint, device="cpu"), {}
    if "words" in args.parts:
        clips = [ROOT / name for name in SPEECH] + more_speech(args.sounds)
        found["words"] = list(transferred(engine, clips, args.steps, heard_words))
        print("\n".join(words_table(found["words"])))
    if "stereo" in args.parts:
        clips = [ROOT / name for name in STEREO] + more_stereo(args.sounds)
        found["stereo"] = list(transferred(engine, clips, args.steps, drift))
        print("\n".join(stereo_table(found["stereo"])))
    if "curves" in args.parts:
        found["curves"] = curves(engine, args.steps)
        print("\n".join(f"| {name} | {value:.2f} |" for name, value in found["curves"].items()))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.png:
        draw(engine, args.steps, args.png)


def more_speech(manifest: Path | None) -> list[Path]:
    """Recordings of a manifest with words in them."""
    return [p for p in _files(manifest) if any(p.stem.endswith(name) for name in MORE_SPEECH)]


def more_stereo(manifest: Path | None) -> list[Path]:
    """Stereo recordings of a manifest, spread over the names, none shorter than is heard."""
    import soundfile

    long_enough = [
        path
        for path in _files(manifest)
        if (about := soundfile.info(path)).channels == 2 and about.duration >= LONGEST_S
    ]
    if not long_enough:
        return []
    return [long_enough[round(i)] for i in np.linspace(0, len(long_enough) - 1, N_MORE_STEREO)]


def _files(manifest: Path | None) -> list[Path]:
    from engine.training.corpus import read_manifest

    return [manifest.parent / row["file"] for row in read_manifest(manifest)] if manifest else []


def opening(path: Path) -> Region:
    """As much of a recording as is heard here."""
    whole = read(path)
    return read(path, 0, min(whole.n_frames, round(LONGEST_S * whole.rate)))


def heard_words(source: Samples, take: Samples, rate: int) -> dict[str, float]:
    """`words`, as a row."""
    return {"stoi": words(source, take, rate)}


def transferred(
    engine: Engine, clips: list[Path], steps: int, measure: Any
) -> Iterator[dict[str, Any]]:
    """A row a clip and text, with what `measure` says of each rendering."""
    for path, text in tqdm([(path, text) for path in clips for text in TEXTS], unit="pair"):
        region, row = opening(path), {"clip": path.stem, "text": text}
        for render in ("hybrid", "vocoder"):
            take = rendered(engine, region, text, render, steps)
            row[render] = measure(region.samples, take, region.rate)
        yield row


def rendered(engine: Engine, region: Region, text: str, render: str, steps: int) -> Samples:
    """A transfer at the strength that renderings are compared at."""
    edit = Transfer(prompt=text, strength=STRENGTH, render=render, steps=steps)
    return engine.edit(region, edit).samples


def curves(engine: Engine, steps: int) -> dict[str, float]:
    """`follow` of every curve."""
    region, found = steady(CURVE_S), {}
    for name, points in tqdm(CURVES.items(), unit="curve"):
        edit = Transfer(prompt=TEXTS[0], curve=points, steps=steps)
        takes = [
            engine.edit(region, Transfer(**{**vars(edit), "seed": seed})).samples
            for seed in range(N_SEEDS)
        ]
        found[name] = follow(region.samples, takes, points)
    return found


def words_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table of docs/engine.md."""
    yield "| speech | text | STOI, hybrid | vocoder |"
    yield "|---|---|---|---|"
    for row in rows:
        pair = " | ".join(f"{row[way]['stoi']:.2f}" for way in ("hybrid", "vocoder"))
        yield f"| {row['clip']} | {row['text']} | {pair} |"


def stereo_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table of docs/engine.md: the larger drift of a clip's texts."""
    yield (
        "| stereo clip | correlation | hybrid: over all | worst octave | in cells "
        "| vocoder: over all | in cells |"
    )
    yield "|---|---|---|---|---|---|---|"
    columns = [("hybrid", name) for name in ("over all", "worst octave", "in cells")]
    columns += [("vocoder", name) for name in ("over all", "in cells")]
    for clip in dict.fromkeys(row["clip"] for row in rows):
        of_clip = [row for row in rows if row["clip"] == clip]
        drifts = [max(row[way][name] for row in of_clip) for way, name in columns]
        own = of_clip[0]["hybrid"]["correlation"]
        yield f"| {clip} | {own:.2f} | " + " | ".join(f"{value:.3f}" for value in drifts) + " |"


#: What the sheet shows.
SHEET = ("tests/clips/speech.flac", "tests/clips/stereo_48k.flac", "tests/clips/one_shot.flac")


def draw(engine: Engine, steps: int, path: Path) -> None:
    """Spectrograms of sources, and of both renderings beside them."""
    from matplotlib.figure import Figure

    from server.plot import RANGE_DB, spectrum_db

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    for axes, name in zip(figure.subplots(len(SHEET), 3), SHEET, strict=True):
        region = opening(ROOT / name)
        sounds = {"source": region.samples} | {
            render: rendered(engine, region, TEXTS[0], render, steps)
            for render in ("hybrid", "vocoder")
        }
        pictures = {title: spectrum_db(made, region.rate) for title, made in sounds.items()}
        top_db = max(float(db.max()) for db in pictures.values())
        for axis, (title, db) in zip(axes, pictures.items(), strict=True):
            axis.imshow(db - top_db, origin="lower", aspect="auto", vmin=-RANGE_DB, vmax=0)
            axis.set(title=f"{Path(name).stem}, {title}", xticks=[], yticks=[])
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
