"""What counts as audio: the checks every region, take and file passes. No I/O, no torch."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import RequestError

MIN_RATE, MAX_RATE = 8000, 192000
MAX_CHANNELS = 8
#: 2 GiB of float32: 96 minutes of stereo at 48 kHz.
MAX_SAMPLES = 2**29
#: Float files scaled like 32-bit integers pass, and takes of them; beyond that it is no sound.
MAX_MAGNITUDE = 2.0**40
#: Samples (frames x channels) handled in one go: a lying header can't cost more than this.
BLOCK_SAMPLES = 2**18

Samples = npt.NDArray[np.float32]


def checked_rate(rate: Any, what: str) -> int:
    """A rate of whole Hz in range, or a RequestError (`unreadable-audio`)."""
    whole = isinstance(rate, numbers.Real) and not isinstance(rate, bool) and rate % 1 == 0
    if not whole or not MIN_RATE <= rate <= MAX_RATE:
        raise RequestError(
            "unreadable-audio",
            f"{what} runs at {rate} Hz; whole Hz from {MIN_RATE} to {MAX_RATE} are read",
        )
    return int(rate)


def checked_samples(samples: Any, what: str, most: float = MAX_MAGNITUDE) -> Samples:
    """Float32 samples of shape (n_frames, n_channels), read-only, or a RequestError.

    Parameters
    ----------
    samples : array of float, shape = (n_frames, n_channels) or (n_frames,)
    what : str
        What they are, for the message.
    most : float
        Largest magnitude that is let through; NaN and Inf never are.
    """
    array = np.asarray(samples)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
        raise RequestError(
            "unreadable-audio",
            f"{what} is {array.dtype} of shape {array.shape}; "
            "it must be floats of shape (frames, channels)",
        )
    check_channels(array.shape[1], what)
    check_size(array.shape[0], array.shape[1], what)
    check_finite(array, what, most)
    kept = np.ascontiguousarray(array, np.float32).view()
    kept.flags.writeable = False
    return kept


def check_size(n_frames: int, n_channels: int, what: str) -> None:
    """RequestError (`too-long`) for more samples than fit."""
    if n_frames * n_channels > MAX_SAMPLES:
        raise RequestError(
            "too-long",
            f"{what} has {n_frames} frames of {n_channels} channels; "
            f"at most {MAX_SAMPLES // n_channels} frames fit",
        )


def check_channels(n_channels: int, what: str) -> None:
    """RequestError (`unreadable-audio`) unless there are 1 to 8 channels."""
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise RequestError(
            "unreadable-audio", f"{what} has {n_channels} channels; 1 to {MAX_CHANNELS} are read"
        )


def is_sound(array: npt.NDArray[Any], most: float = MAX_MAGNITUDE) -> npt.NDArray[np.bool_]:
    """Which samples are finite and of a believable size."""
    found: npt.NDArray[np.bool_] = np.abs(array) <= most  # false for NaN
    return found


def check_finite(array: npt.NDArray[Any], what: str, most: float = MAX_MAGNITUDE) -> None:
    """RequestError (`unreadable-audio`) naming the first frame that is NaN, Inf or absurd."""
    for start, stop in blocks(0, *array.shape):
        block = array[start:stop]
        good = is_sound(block, most)
        if not good.all():
            frame, channel = (int(at) for at in np.argwhere(~good)[0])
            raise RequestError(
                "unreadable-audio",
                f"{what} holds {block[frame, channel]} at frame {start + frame}, channel "
                f"{channel + 1}; samples must be finite, usually between -1 and 1",
            )


def blocks(start_frames: int, stop_frames: int, n_channels: int) -> Iterator[tuple[int, int]]:
    """Consecutive (start, stop) of at most BLOCK_SAMPLES samples each."""
    step = max(1, BLOCK_SAMPLES // n_channels)
    for at in range(start_frames, stop_frames, step):
        yield at, min(at + step, stop_frames)
