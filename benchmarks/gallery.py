"""The gallery of presets: docs/presets.md, with a pair of spectrograms each.

    python -m benchmarks.gallery [--model pocket] [--family F | --only NAME ...]
    python -m benchmarks.gallery --page             the page alone, from the figures that are there
    python -m benchmarks.gallery --check [--steps N] [--seconds S]

`--check` renders every preset on six recorded clips and looks whether the promises hold; it writes
nothing. Pictures and figures lie in docs/presets/.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gallery_check import check
from benchmarks.gallery_clips import Shown, shown
from benchmarks.gallery_page import BANDS_HZ, FOLDER, PAGE, Figures, page
from engine import Engine, Region
from engine.samples import Samples
from presets import FAMILIES, Preset, Shelf
from presets.finishing import finished_takes

#: All the pictures together stay under this.
MOST_BYTES = 3 * 2**20


def render(engine: Engine, preset: Preset) -> tuple[Shown, Region]:
    """What a preset is shown on, and the take it makes of it."""
    of = shown(preset)
    n_frames = of.region.n_frames if of.region else None
    edit = preset.make_edit(of.given, n_frames)
    take = finished_takes(engine, of.region, edit, preset.finish)[0]
    return of, Region(take.samples, take.rate)


def bands_db(region: Region) -> list[float]:
    """Level of each of `BANDS_HZ`, in dB over the whole clip; silence gives -200."""
    power = np.square(np.abs(np.fft.rfft(region.samples, axis=0))).sum(axis=1)
    hz = np.fft.rfftfreq(region.n_frames, 1 / region.rate)
    edges = [0.0, *BANDS_HZ, np.inf]
    inside = [(hz >= low) & (hz < high) for low, high in itertools.pairwise(edges)]
    levels = [10 * np.log10(power[band].sum() / region.n_frames**2 + 1e-20) for band in inside]
    return [round(float(level), 1) for level in levels]


def figure_of(of: Shown, made: Region) -> dict[str, Any]:
    """What the page tells of a take in numbers."""
    before = bands_db(of.region) if of.region else None
    lengths = [of.region.length_s if of.region else 0.0, made.length_s]
    return {
        "on": of.words,
        "before_db": before,
        "after_db": bands_db(made),
        "seconds": [round(length, 2) for length in lengths],
    }


def draw(preset: Preset, of: Shown, made: Region) -> bytes:
    """The pair of spectrograms, as JPEG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    from server.plot import spectrum_db

    before, after = (_twice(preset, samples) for samples in (_samples(of.region), made.samples))
    pair = [spectrum_db(s, made.rate) if s is not None else None for s in (before, after)]
    assert pair[1] is not None
    top_db = max(float(db.max()) for db in pair if db is not None)
    longest_s = max(len(s) for s in (before, after) if s is not None) / made.rate
    figure = Figure(figsize=(6.0, 1.55), dpi=100, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, db, title, samples in zip(
        axes, pair, ("before", preset.name), (before, after), strict=True
    ):
        _spectrogram(axis, db, samples, made.rate, top_db, longest_s)
        axis.set_title(title, loc="left", fontsize=7, pad=2)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=64, optimize=True)
    return file.getvalue()


def _samples(region: Region | None) -> Samples | None:
    return region.samples if region else None


def _twice(preset: Preset, samples: Samples | None) -> Samples | None:
    """A loop is shown twice in a row: what happened is where it wraps."""
    return (
        np.concatenate([samples] * 2) if preset.edit == "loop" and samples is not None else samples
    )


def _spectrogram(
    axis: Any, db: Any, samples: Samples | None, rate: int, top_db: float, longest_s: float
) -> None:
    from server.plot import RANGE_DB, row_frequencies

    rows = row_frequencies(rate)
    axis.set_facecolor("black")
    axis.set_xlim(0, longest_s)
    axis.set_ylim(0, len(rows))
    axis.tick_params(labelsize=6, length=2, pad=1)
    ticks = [hz for hz in (100, 1000, 4000, 16000) if hz < rate / 2]
    axis.set_yticks([float(np.searchsorted(rows, hz)) for hz in ticks])
    axis.set_yticklabels([f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in ticks])
    if db is None or samples is None:
        return
    axis.imshow(
        db - top_db,
        origin="lower",
        aspect="auto",
        extent=(0, len(samples) / rate, 0, len(rows)),
        vmin=-RANGE_DB,
        vmax=0,
        cmap="magma",
        interpolation="bilinear",
    )


def make_gallery(model: str, presets: list[Preset]) -> int:
    """Render presets, keep their pictures and figures, write the page; an exit status."""
    engine = Engine.load(model, device="cpu")
    figures = Figures.read()
    for preset in presets:
        began_s = time.monotonic()
        of, made = render(engine, preset)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{preset.name}.jpg").write_bytes(draw(preset, of, made))
        figures = figures.with_figure(preset.name, engine.name, figure_of(of, made))
        figures.write()
        print(f"{preset.name:24} {time.monotonic() - began_s:5.1f} s", flush=True)
    for stray in {p.stem for p in FOLDER.glob("*.jpg")} - set(Shelf(Path("/nowhere")).names):
        (FOLDER / f"{stray}.jpg").unlink()
    PAGE.write_text(page(figures), encoding="utf-8")
    n_bytes = sum(path.stat().st_size for path in FOLDER.glob("*.jpg"))
    print(f"{n_bytes / 2**20:.2f} MiB of pictures, at most {MOST_BYTES / 2**20:g}")
    return int(n_bytes > MOST_BYTES)


def main() -> int:
    """Make the gallery, the page, or the check; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pocket", metavar="NAME")
    parser.add_argument("--family", choices=FAMILIES)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--check", action="store_true", help="six clips each; writes nothing")
    parser.add_argument("--steps", type=int, metavar="N", help="of the check (the preset's own)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each clip (all)")
    options = parser.parse_args()
    if options.page:
        PAGE.write_text(page(Figures.read()), encoding="utf-8")
        return 0
    presets = [
        preset
        for preset in Shelf(Path("/nowhere")).presets()
        if options.family in (None, preset.family)
        if not options.only or preset.name in options.only
    ]
    if options.check:
        return check(options.model, presets, options.steps, options.seconds)
    return make_gallery(options.model, presets)


if __name__ == "__main__":
    sys.exit(main())
