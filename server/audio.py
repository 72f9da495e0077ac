"""Audio that comes and goes over the stream door: float32, little-endian, interleaved."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.errors import FaultError, RequestError
from engine.region import Region, read, write

SAMPLE_BYTES = 4


def keep(path: Path, data: bytes, rate: int, n_channels: int) -> int:
    """Keep an upload as a WAV and return its length in frames.

    Raises
    ------
    RequestError
        `bad-value`: bytes that don't make whole frames, or none. `unreadable-audio`: NaN or Inf.
        `conflict`: the name stands for other audio (the same audio again is fine).
    """
    frame_bytes = n_channels * SAMPLE_BYTES
    if not data or len(data) % frame_bytes:
        raise RequestError(
            "bad-value",
            f"the audio has {len(data)} bytes; {n_channels} channels of float32 need "
            f"a multiple of {frame_bytes}",
        )
    region = Region(np.frombuffer(data, "<f4").reshape(-1, n_channels), rate)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists():
        known = read(path, context_s=0.0)
        if known.rate != rate or not np.array_equal(known.samples, region.samples):
            raise RequestError(
                "conflict",
                f"upload {path.stem!r} is there already with other audio; choose a new name",
            )
    else:
        write(path, region.samples, rate)
    return len(region.samples)


def fetch(path: Path) -> tuple[int, int, bytes]:
    """A take's rate, channels and samples, or a FaultError where its file is gone."""
    try:
        take = read(path, context_s=0.0)
    except RequestError as error:
        raise FaultError(
            "internal", f"the take's file can't be read any more: {error.message}"
        ) from error
    return take.rate, int(take.samples.shape[1]), take.samples.astype("<f4").tobytes()
