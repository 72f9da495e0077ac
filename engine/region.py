"""Regions and takes, and the files they come from: the first of the two doors to the host.

A region knows its samples and what sounds around them; reading one trusts a file's header no
further than the frames that really come out of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import units
from engine.durable import bring_to_disk
from engine.errors import FaultError, RequestError
from engine.samples import (
    MAX_SAMPLES,
    Samples,
    blocks,
    check_channels,
    check_finite,
    checked_rate,
    checked_samples,
    is_sound,
)
from engine.sources import Source, open_source, read_span

UMASK_LOCK = threading.Lock()


@dataclass(frozen=True, eq=False)
class Region:
    """A stretch of a clip, in the host's own frames, and what sounds around it.

    Parameters
    ----------
    samples : ndarray of float, shape = (n_frames, n_channels) or (n_frames,)
        Kept as float32; 1 to 8 channels, at least one frame. Any scale up to 2**40 passes.
    rate : int
        Frames a second, 8000 to 192000.
    before, after : ndarray of float, shape = (n, n_channels), optional
        What sounds just before and just after in the file: context for the model. May be empty.

    Raises
    ------
    RequestError
        `unreadable-audio`: no frames, not floats, NaN or Inf (the first bad frame is named), a rate
        or a number of channels out of range. `too-long`: over 2**29 samples. Silence is fine.
    """

    samples: Samples
    rate: int
    before: Samples = None  # type: ignore[assignment]  # None becomes 0 frames
    after: Samples = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        rate = checked_rate(self.rate, "the region")
        samples = checked_samples(self.samples, "the region")
        if not len(samples):
            raise RequestError("unreadable-audio", "the region has 0 frames; it needs at least 1")
        object.__setattr__(self, "rate", rate)
        object.__setattr__(self, "samples", samples)
        for name in ("before", "after"):
            context = self._checked_context(name)
            object.__setattr__(self, name, context)

    def _checked_context(self, name: str) -> Samples:
        context = getattr(self, name)
        if context is None:
            context = np.zeros((0, self.n_channels), np.float32)
        context = checked_samples(context, f"what sounds {name} the region")
        if context.shape[1] != self.n_channels:
            raise RequestError(
                "unreadable-audio",
                f"what sounds {name} the region has {context.shape[1]} channels; "
                f"the region has {self.n_channels}",
            )
        return context

    @property
    def n_frames(self) -> int:
        """Length in host frames."""
        return len(self.samples)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[1])

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return units.frames_to_seconds(self.n_frames, self.rate)


@dataclass(frozen=True, eq=False)
class Take:
    """What an edit gives back.

    Parameters
    ----------
    samples : ndarray of float32, shape = (n_frames, n_channels)
    rate : int
    seed : int
        The seed of this very take: an edit with it and one take gives it again.
    score : float or None
        Similarity, by the CLAP that judges, to the prompt, or without one to the source; None where
        nothing was judged (no audio tower, `bandwidth` without a prompt, nothing changed).

    Raises
    ------
    FaultError
        `internal`: samples that are not finite. A take is never NaN.
    """

    samples: Samples
    rate: int
    seed: int = 0
    score: float | None = None

    def __post_init__(self) -> None:
        try:
            samples = checked_samples(self.samples, "the take", float(np.finfo(np.float32).max))
        except RequestError as error:
            raise FaultError("internal", error.message) from error
        object.__setattr__(self, "samples", samples)

    @property
    def n_frames(self) -> int:
        """Length in host frames."""
        return len(self.samples)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[1])


def read(
    path: str | os.PathLike[str],
    start_frames: int = 0,
    frames: int | None = None,
    context_s: float = 5.0,
) -> Region:
    """A region of an audio file, with up to `context_s` seconds of what sounds around it.

    A file whose header claims more than it holds (a recording cut off by a crash) is read as far as
    its frames go. Only the frames asked for are read.

    Parameters
    ----------
    path : str or path
        Whatever soundfile reads, else whatever pedalboard reads: any bit depth, 8 to 192 kHz,
        1 to 8 channels.
    start_frames : int
        The region's first frame.
    frames : int, optional
        The region's length; to the file's end when None.
    context_s : float
        At most this much before and after; bad frames (NaN) out there are left out, not an error.

    Raises
    ------
    RequestError
        `no-such-file`; `unreadable-audio` for what isn't audio, holds no frames, or holds NaN in
        the region; `region-outside-file`; `bad-value` for a region of no frames; `too-long`.
    """
    path = Path(path)
    _check_span(start_frames, frames)
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise RequestError("no-such-file", f"{path} {what}; give an audio file")
    with contextlib.ExitStack() as stack:
        source = open_source(path, stack)
        check_channels(source.channels, path.name)
        rate = checked_rate(source.rate, path.name)
        samples = _read_region(source, path.name, start_frames, frames)
        reach = min(units.seconds_to_frames(max(0.0, context_s), rate), MAX_SAMPLES // 64)
        first = max(0, start_frames - reach)
        before = read_span(source, first, start_frames)
        stop_frames = start_frames + len(samples)
        after = read_span(source, stop_frames, min(stop_frames + reach, source.frames))
    check_finite(samples, path.name)
    return Region(samples, rate, _finite_end(before), _finite_end(after[::-1])[::-1])


def _check_span(start_frames: int, frames: int | None) -> None:
    if start_frames < 0:
        raise RequestError(
            "region-outside-file", f"region starts at {start_frames}; 0 is the first frame"
        )
    if frames is not None and frames < 1:
        raise RequestError("bad-value", f"region is {frames} frames long; it needs at least 1")


def _read_region(source: Source, name: str, start_frames: int, frames: int | None) -> Samples:
    wanted = source.frames - start_frames if frames is None else frames
    if wanted * source.channels > MAX_SAMPLES:
        # A header may lie about its length, but then the frames don't come and nothing is kept.
        wanted = MAX_SAMPLES // source.channels + 1
    stop_frames = min(start_frames + wanted, source.frames)
    samples = read_span(source, start_frames, stop_frames)
    if len(samples) * source.channels > MAX_SAMPLES:
        limit = MAX_SAMPLES // source.channels
        raise RequestError(
            "too-long", f"the region is over {limit} frames long; choose at most {limit}"
        )
    if not len(samples) or (frames is not None and len(samples) < frames):
        held = start_frames + len(samples) if len(samples) else _held_frames(source, start_frames)
        if not held:
            raise RequestError("unreadable-audio", f"{name} holds no frames that can be read")
        end = "its end" if frames is None else str(start_frames + frames)
        raise RequestError(
            "region-outside-file",
            f"region is frames {start_frames} to {end}; {name} holds {held} frames",
        )
    return samples


def _held_frames(source: Source, start_frames: int) -> int:
    """How many frames really come out of the file, up to `start_frames`."""
    if start_frames >= source.frames and len(read_span(source, source.frames - 1, source.frames)):
        return source.frames
    return sum(
        len(read_span(source, start, stop))
        for start, stop in blocks(0, min(start_frames, source.frames), source.channels)
    )


def _finite_end(samples: Samples) -> Samples:
    """What follows the last bad frame."""
    bad_frames = np.flatnonzero(~is_sound(samples).all(axis=1))
    return samples[bad_frames[-1] + 1 :] if len(bad_frames) else samples


def write(
    path: str | os.PathLike[str],
    samples: Samples,
    rate: int,
    overwrite: bool = False,
    is_synced: bool = True,
) -> None:
    """Write samples as a float32 WAV: whole or not at all, the same bytes for the same samples.

    Parameters
    ----------
    path : str or path
    samples : ndarray of float, shape = (n_frames, n_channels) or (n_frames,)
        0 frames are refused.
    rate : int
    overwrite : bool
        Whether an existing file may be replaced.
    is_synced : bool
        Whether to wait until the disk has it; else a power cut soon after may leave it empty.

    Raises
    ------
    RequestError
        `conflict`: the file exists. `no-such-file`: its folder doesn't. `unreadable-audio`: NaN, no
        frames, a rate or channels out of range.
    FaultError
        `out-of-disk`; `internal` where the folder can't be written.
    """
    path = Path(path)
    region = Region(samples, rate)
    if not path.parent.is_dir():
        raise RequestError("no-such-file", f"folder {path.parent} does not exist; make it first")
    if path.exists() and not overwrite:
        raise _exists(path)
    try:
        _write_beside(path, region, overwrite, is_synced)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = "out-of-disk" if full else "internal"
        raise FaultError(code, f"{path} can't be written: {error.strerror or error}") from error


def _exists(path: Path) -> RequestError:
    return RequestError("conflict", f"{path} exists; choose another name or allow overwriting")


def _write_beside(path: Path, region: Region, overwrite: bool, is_synced: bool) -> None:
    """Write next to `path`, flush to the disk, then give the file its name in one step."""
    # scipy's writer and not libsndfile's: the latter stamps the time of day into float files.
    from scipy.io import wavfile  # type: ignore[import-untyped]

    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            wavfile.write(file, region.rate, region.samples)
            file.flush()
            if is_synced:
                bring_to_disk(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        _give_name(name, path, overwrite)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _umask() -> int:
    with UMASK_LOCK:  # it is read by setting it: two threads at once could leave it at 0
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _give_name(temporary: str, path: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)  # fails if the name is taken, unlike rename on POSIX
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        os.rename(temporary, path)
