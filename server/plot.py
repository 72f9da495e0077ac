"""The picture of an edit: waveform and spectrogram, before and after, with the region marked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.patches
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from engine.edits import Hole
from engine.errors import RequestError
from engine.samples import Samples

Floats = npt.NDArray[np.float64]

WAVE_COLUMNS = 1500
SPECTRUM_COLUMNS, SPECTRUM_ROWS = 900, 256
LOWEST_HZ = 50.0
RANGE_DB = 80.0
FLOOR_DB = -100.0
TICKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)

INK, FAINT, QUIET, ACCENT, HOLE = "#1f2430", "#8a90a0", "#8d99ae", "#d1495b", "#2ec4b6"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, eq=False)
class Picture:
    """What is to be drawn.

    Parameters
    ----------
    source : ndarray, shape = (n_frames, n_channels), or None
        Before; None where there was nothing (`generate`).
    result : ndarray, shape = (n_frames, n_channels)
        After; may be longer.
    rate : int
    start_frames : int
        Where the region begins in both.
    source_frames, result_frames : int
        The region's length before and after.
    holes : tuple of Hole
        Counted from the region's start.
    title : str
    """

    source: Samples | None
    result: Samples
    rate: int
    start_frames: int
    source_frames: int
    result_frames: int
    holes: tuple[Hole, ...] = ()
    title: str = ""


def plot(picture: Picture, path: Path) -> None:
    """Draw a picture as PNG.

    Silence draws as a flat line on an empty spectrogram, a single frame as a single column. Letters
    of the title that the font lacks are drawn as boxes.

    Raises
    ------
    RequestError
        `bad-value`: nothing to draw (0 frames).
    """
    if not len(picture.result):
        raise RequestError("bad-value", "the take has 0 frames; there is nothing to draw")
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters the font lacks
        figure = _figure(picture)
        FigureCanvasAgg(figure)
        figure.savefig(str(path), format="png")


def _figure(picture: Picture) -> Figure:
    clips = [("After", picture.result, picture.result_frames)]
    if picture.source is not None:
        clips.insert(0, ("Before", picture.source, picture.source_frames))
    figure = Figure(figsize=(6.4 * len(clips), 5.6), dpi=130, layout="constrained")
    axes: Any = figure.subplots(
        2, len(clips), sharex=True, sharey="row", squeeze=False, height_ratios=(2, 3)
    )
    spectra = [spectrum_db(samples, picture.rate) for _, samples, _ in clips]
    loudest_db = max(float(spectrum.max()) for spectrum in spectra)
    top_db = loudest_db if loudest_db > FLOOR_DB else 0.0  # silence is dark, not bright
    image: Any = None
    for column, (name, samples, frames) in enumerate(clips):
        _wave(axes[0, column], picture, samples, frames)
        image = _spectrum(axes[1, column], picture, spectra[column], len(samples), top_db)
        _mark(axes[:, column], picture, frames)
        axes[0, column].set_title(name, loc="left", fontsize=11, fontweight="bold")
    _label(axes, picture, clips)
    figure.colorbar(image, ax=axes[1, :], label="dB below the loudest", pad=0.01, aspect=18)
    # A prompt's or a file's own words: no formula stands in them, though a $ may.
    title = picture.title.encode("utf-8", "backslashreplace").decode()
    figure.suptitle(title, fontsize=12, x=0.01, ha="left", parse_math=False)
    return figure


def _label(axes: Any, picture: Picture, clips: list[tuple[str, Samples, int]]) -> None:
    length_s = max(len(samples) for _, samples, _ in clips) / picture.rate
    peak = max(float(np.abs(samples).max()) for _, samples, _ in clips)
    axes[0, 0].set_xlim(0, length_s)
    axes[0, 0].set_ylim(-1.08 * (peak or 1.0), 1.08 * (peak or 1.0))
    axes[0, 0].set_ylabel("amplitude")
    axes[1, 0].set_ylabel("frequency (Hz)")
    for axis in axes[1, :]:
        axis.set_xlabel("time (s)")
        axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)


def _wave(axis: Axes, picture: Picture, samples: Samples, region_frames: int) -> None:
    """The envelope, the region in colour."""
    times, lows, highs = envelope(samples, picture.rate)
    axis.axhline(0.0, color=FAINT, linewidth=0.5)
    axis.fill_between(times, lows, highs, color=QUIET, linewidth=0.3, edgecolor=QUIET)
    start_s = picture.start_frames / picture.rate
    inside = (times >= start_s) & (times <= start_s + region_frames / picture.rate)
    axis.fill_between(times, lows, highs, where=inside.tolist(), color=ACCENT, linewidth=0.3)


def _spectrum(axis: Axes, picture: Picture, db: Floats, n_frames: int, top_db: float) -> Any:
    """The spectrogram on a logarithmic frequency axis."""
    rows = row_frequencies(picture.rate)
    image = axis.imshow(
        db - top_db,
        origin="lower",
        aspect="auto",
        extent=(0.0, n_frames / picture.rate, 0.0, float(len(rows))),
        vmin=-RANGE_DB,
        vmax=0.0,
        cmap="magma",
        interpolation="bilinear",
    )
    ticks = [hz for hz in TICKS_HZ if rows[0] <= hz <= rows[-1]]
    axis.set_yticks([_row(hz, picture.rate) for hz in ticks])
    axis.yaxis.set_major_formatter(
        FuncFormatter(lambda _, at: _hz(ticks[at]) if at is not None else "")
    )
    return image


def _mark(axes: Any, picture: Picture, region_frames: int) -> None:
    """The region's edges on both, the holes as boxes."""
    start_s = picture.start_frames / picture.rate
    for edge_s in (start_s, start_s + region_frames / picture.rate):
        axes[0].axvline(edge_s, color=ACCENT, linewidth=1.0, linestyle=(0, (4, 2)))
        axes[1].axvline(edge_s, color="white", linewidth=1.0, linestyle=(0, (4, 2)))
    for hole in picture.holes:
        left_s, width_s = start_s + hole.start_frames / picture.rate, hole.frames / picture.rate
        axes[0].axvspan(left_s, left_s + width_s, color=HOLE, alpha=0.22, linewidth=0)
        low = _row(hole.low_hz or 0.0, picture.rate)
        high = _row(hole.high_hz or picture.rate / 2, picture.rate)
        box = matplotlib.patches.Rectangle(
            (left_s, low), width_s, high - low, fill=False, edgecolor=HOLE, linewidth=1.4
        )
        axes[1].add_patch(box)


def envelope(samples: Samples, rate: int) -> tuple[Floats, Floats, Floats]:
    """Times in seconds, and the lowest and highest sample around each, over all channels."""
    n_frames = len(samples)
    edges = np.unique(np.linspace(0, n_frames, min(WAVE_COLUMNS, n_frames) + 1).astype(np.int64))
    lows = np.minimum.reduceat(samples.min(axis=1), edges[:-1]).astype(np.float64)
    highs = np.maximum.reduceat(samples.max(axis=1), edges[:-1]).astype(np.float64)
    times = (edges[:-1] + edges[1:]) / (2.0 * rate)
    return times, lows, highs


def row_frequencies(rate: int) -> Floats:
    """The spectrogram's rows in Hz: evenly spaced by ear, up to half the rate."""
    return np.geomspace(LOWEST_HZ, rate / 2.0, SPECTRUM_ROWS)


def _row(hz: float, rate: int) -> float:
    rows = row_frequencies(rate)
    share = np.log(max(hz, rows[0]) / rows[0]) / np.log(rows[-1] / rows[0])
    return float(share * len(rows))


def _hz(hz: float) -> str:
    return f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}"


def spectrum_db(samples: Samples, rate: int) -> Floats:
    """Power over time and frequency, channels averaged, in dB.

    Returns
    -------
    db : ndarray, shape = (SPECTRUM_ROWS, n_columns)
    """
    # About 46 ms: long enough to part low partials, short enough to show onsets.
    n_fft = 2 ** round(np.log2(0.046 * rate))
    window = np.hanning(n_fft + 1)[:-1]
    padded = np.pad(samples, ((n_fft // 2, n_fft), (0, 0)))
    n_columns = int(np.clip(len(samples) // (n_fft // 8), 1, SPECTRUM_COLUMNS))
    starts = np.linspace(0, len(samples), n_columns, endpoint=False).astype(np.int64)
    power = np.stack([_power(padded[at : at + n_fft], window) for at in starts], axis=1)
    spread = _rows_of_bins(power, rate, n_fft)
    return np.asarray(np.maximum(10.0 * np.log10(spread + 1e-20), FLOOR_DB))


def _rows_of_bins(power: Floats, rate: int, n_fft: int) -> Floats:
    """Bins to rows: the loudest bin of a row's band, or a blend where the band holds none."""
    rows = row_frequencies(rate)
    bins = rows * n_fft / rate
    step = np.sqrt(rows[1] / rows[0])
    lows = np.ceil(bins / step).astype(np.int64)
    highs = np.minimum(np.floor(bins * step).astype(np.int64) + 1, len(power))
    below = np.minimum(bins.astype(np.int64), len(power) - 2)
    share = (bins - below)[:, np.newaxis]
    spread = power[below] * (1.0 - share) + power[below + 1] * share
    for row, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if high > low:
            spread[row] = power[low:high].max(axis=0)
    return np.asarray(spread)


def _power(frame: Samples, window: Floats) -> Floats:
    spectrum = np.fft.rfft(frame * window[:, np.newaxis], axis=0) / (window.sum() / 2.0)
    return np.asarray((np.abs(spectrum) ** 2).mean(axis=1))
