"""Painted masks: a strength for every time and frequency, from a picture, an array or points.

picture   left is the region's start, right its end; the bottom is 0 Hz, the top half the
          region's rate; black is 0 (kept), white is 1
array     .npy of shape (n_frequencies, n_times), row 0 at 0 Hz; or (n_times,) for all of them
points    straight between them: over frequency at each point's time, then over time
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from engine.automation import Points
from engine.errors import RequestError
from engine.region import Region

#: Rows, columns and values a mask may have at most.
MAX_SIDE, MAX_VALUES = 65536, 2**24

Values = npt.NDArray[np.float32]
Axis = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Painted:
    """Strengths over a region.

    Parameters
    ----------
    values : ndarray of float32, shape = (n_times, n_frequencies)
        From 0 to 1, at `times_s` and `frequencies_hz`; straight between, and going on as they are
        outside.
    times_s : ndarray, shape = (n_times,)
    frequencies_hz : ndarray, shape = (n_frequencies,)
    """

    values: Values
    times_s: Axis
    frequencies_hz: Axis

    def at(self, times_s: Axis, frequencies_hz: Axis) -> Values:
        """Strengths at some times and frequencies, shape = (n_times, n_frequencies)."""
        rows = _between(self.values, self.times_s, times_s)
        return _between(rows.T, self.frequencies_hz, frequencies_hz).T

    @property
    def is_over_frequency(self) -> bool:
        """Whether frequencies differ at any time."""
        return bool((self.values != self.values[:, :1]).any())

    def extent_s(self) -> tuple[float, float]:
        """Seconds (first, last) outside of which all is 0; first is not below last for none."""
        sounding = np.flatnonzero(self.values.any(axis=1))
        if not len(sounding):
            return 0.0, 0.0
        first, last = max(sounding[0] - 1, 0), min(sounding[-1] + 1, len(self.times_s) - 1)
        start = self.times_s[first] if sounding[0] > 0 else -np.inf
        stop = self.times_s[last] if sounding[-1] < len(self.times_s) - 1 else np.inf
        return float(start), float(stop)

    def moved(self, seconds: float) -> Painted:
        """The same mask, later by so many seconds."""
        return replace(self, times_s=self.times_s + seconds)

    def within(self, length_s: float) -> Painted:
        """The same mask, 0 before second 0 and after the end."""
        inside = (self.times_s >= 0.0) & (self.times_s <= length_s)
        dark = np.zeros((2, self.values.shape[1]), np.float32)
        ends = [(-1e-6, 0.0), (length_s, length_s + 1e-6)]
        values, times_s = [self.values[inside]], [self.times_s[inside]]
        for index, (first, last) in enumerate(ends):
            pair = dark.copy()
            edge = last if index == 0 else first
            pair[1 - index] = self.at(np.array([edge]), self.frequencies_hz)[0]
            values.append(pair)
            times_s.append(np.array([first, last]))
        times, rows = np.concatenate(times_s), np.concatenate(values)
        order = np.argsort(times, kind="stable")
        return Painted(rows[order], times[order], self.frequencies_hz)


def _between(rows: Values, own: Axis, wanted: Axis) -> Values:
    """Rows that stand at `own`, straight between them, at `wanted`."""
    if len(own) == 1:
        return np.repeat(rows, len(wanted), axis=0)
    right = np.clip(np.searchsorted(own, wanted, side="right"), 1, len(own) - 1)
    width = np.maximum(own[right] - own[right - 1], 1e-12)
    share = np.clip((wanted - own[right - 1]) / width, 0.0, 1.0).astype(np.float32)[:, np.newaxis]
    mixed: Values = rows[right - 1] * (1 - share) + rows[right] * share
    return mixed


def painted(mask: str | Points, region: Region) -> Painted:
    """A mask's strengths over a region.

    Parameters
    ----------
    mask : str or tuple of (seconds, hz, strength)
        A path, or points.
    region : Region
        Its length and rate are the mask's.

    Raises
    ------
    RequestError
        `no-such-file`; `bad-value`: no picture or array, another shape, NaN, values outside 0 to 1.
    """
    if not isinstance(mask, str):
        return _from_points(mask)
    values = _read(Path(mask))
    n_frequencies, n_times = values.shape
    times_s = (np.arange(n_times) + 0.5) * (region.length_s / n_times)
    hz = (np.arange(n_frequencies) + 0.5) * (region.rate / 2 / n_frequencies)
    return Painted(np.ascontiguousarray(values.T), times_s, hz)


def _from_points(points: Sequence[tuple[float, float, float]]) -> Painted:
    times_s = sorted({at for at, _, _ in points})
    hz = np.array(sorted({f for _, f, _ in points}))
    rows = []
    for time in times_s:
        own = sorted((f, strength) for at, f, strength in points if at == time)
        own_hz, strengths = np.array(own).T
        rows.append(np.interp(hz, own_hz, strengths))
    return Painted(np.array(rows, np.float32), np.array(times_s), hz)


def _read(path: Path) -> Values:
    """A mask file's values, shape = (n_frequencies, n_times), row 0 at 0 Hz."""
    if not os.path.isfile(path):  # Path.is_file raises for names that are too long
        raise RequestError("no-such-file", f"the mask {str(path)[:200]} is no file")
    values = _read_array(path) if path.suffix.lower() == ".npy" else _read_picture(path)
    if not (values >= 0).all() or not (values <= 1).all():  # NaN is neither
        bad = values[~((values >= 0) & (values <= 1))][0]
        raise RequestError("bad-value", f"mask {path.name} holds {bad}; strengths are 0 to 1")
    return values


def _read_array(path: Path) -> Values:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, TokenError) as error:
        raise RequestError("bad-value", f"mask {path.name} is no array that can be read") from error
    is_number = isinstance(array, np.ndarray) and array.dtype.kind in "fiub"
    if not is_number or array.ndim not in (1, 2):
        raise RequestError(
            "bad-value",
            f"mask {path.name} must be numbers of shape (frequencies, times) or (times,)",
        )
    _check_size(path, array.shape)
    return np.atleast_2d(np.asarray(array, np.float32))


def _read_picture(path: Path) -> Values:
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            _check_size(path, picture.size)
            deep = picture.mode.startswith("I")
            grey = np.asarray(picture if deep else picture.convert("L"), np.float32)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RequestError("bad-value", f"mask {path.name} is no PNG that can be read") from error
    return grey[::-1] / np.float32(65535 if deep else 255)


def _check_size(path: Path, shape: tuple[int, ...]) -> None:
    if not all(0 < side <= MAX_SIDE for side in shape) or np.prod(shape) > MAX_VALUES:
        sides = " x ".join(str(side) for side in shape)
        raise RequestError(
            "bad-value", f"mask {path.name} is {sides}; at most {MAX_VALUES} values are read"
        )
