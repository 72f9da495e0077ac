"""Conversions between the clocks of a clip, exact and in integers.

Four clocks tick in Retake::

    host frames   at the region's own rate      (44 100 a second, say)
    samples       at the checkpoint's rate      (16 000 a second)
    mel frames    one every `hop_samples`       (100 a second)
    latent cells  one every `stride` mel frames

A length that must *cover* something rounds up; a single position rounds to the nearest, halves up.
"""

from __future__ import annotations


def rescale_position(position: int, from_rate: int, to_rate: int) -> int:
    """Nearest position on another clock (halves round up). Exact for any integers."""
    return (2 * position * to_rate + from_rate) // (2 * from_rate)


def rescale_up(position: int, from_rate: int, to_rate: int) -> int:
    """First position on another clock that is not before `position`."""
    return -(-position * to_rate // from_rate)


def round_up(count: int, multiple: int) -> int:
    """Smallest multiple of `multiple` that is at least `count`."""
    return -(-count // multiple) * multiple


def seconds_to_frames(seconds: float, rate: int) -> int:
    """Whole frames nearest to `seconds` at `rate`."""
    return round(seconds * rate)


def frames_to_seconds(frames: int, rate: int) -> float:
    """Length in seconds of `frames` at `rate`."""
    return frames / rate
