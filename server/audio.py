"""Audio that comes and goes over the stream door: float32, little-endian, interleaved."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from engine.durable import bring_to_disk
from engine.errors import FaultError, RequestError
from engine.region import read, write
from server.framing import MAX_FRAME_BYTES

SAMPLE_BYTES = 4
#: What an answer holds besides the samples.
HEAD_BYTES = 1024


def keep(path: Path, data: bytes, rate: int, n_channels: int) -> int:
    """Keep an upload as a WAV and return its length in frames. `sync` brings it to the disk.

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
    samples = np.frombuffer(data, "<f4").reshape(-1, n_channels)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        write(path, samples, rate, is_synced=False)
    except RequestError as error:
        if error.code != "conflict":
            raise
        known = read(path, context_s=0.0)
        if known.rate != rate or not np.array_equal(known.samples, samples):
            raise RequestError(
                "conflict",
                f"upload {path.stem!r} is there already with other audio; choose a new name",
            ) from None
        os.utime(path)  # as young as a new one: retention must leave it for the job to come
    return len(samples)


def sync(path: Path) -> None:
    """Bring an upload to the disk; an OSError where that can't be done."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        bring_to_disk(descriptor)
    finally:
        os.close(descriptor)


def fetch(path: Path) -> tuple[int, int, bytes]:
    """A take's rate, channels and samples.

    Raises
    ------
    RequestError
        `too-long`: more than a frame holds.
    FaultError
        `internal`: its file is gone or holds no audio any more.
    """
    if path.is_file() and path.stat().st_size > MAX_FRAME_BYTES - HEAD_BYTES:
        raise RequestError(
            "too-long", f"the take is larger than a frame may be; read it from {path}"
        )
    import soundfile  # type: ignore[import-untyped]

    try:
        with soundfile.SoundFile(path) as take:
            return take.samplerate, take.channels, bytes(take.buffer_read(dtype="float32"))
    except (OSError, soundfile.SoundFileError) as error:
        raise FaultError("internal", f"the take's file can't be read any more: {error}") from error
