"""Open audio files, whichever library reads them, trusted no further than what comes out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.errors import RequestError
from engine.samples import Samples, blocks

#: Ten frames of MPEG audio: as far back as its bit reservoir reaches.
MP3_SETTLE_FRAMES = 11520
#: More than a page of Ogg holds: 255 packets of 1024 frames.
OGG_PAGE_FRAMES = 2**19
#: What is read at once where a file is broken.
BROKEN_STEP_FRAMES = 512


class Source(Protocol):
    """An open audio file."""

    frames: int  # as the header has it: not to be trusted
    rate: int
    channels: int

    def read(self, start_frames: int, frames: int) -> Samples:
        """Up to `frames` frames from `start_frames`; fewer where the file ends."""


class _SoundfileSource:
    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        import soundfile  # type: ignore[import-untyped]

        self._path = path
        self._file = stack.enter_context(soundfile.SoundFile(path))
        self.frames = int(self._file.frames)
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)

    def read(self, start_frames: int, frames: int) -> Samples:
        try:
            return self._read_at(start_frames, frames)
        except RuntimeError:
            return self._salvaged(start_frames, frames)

    def _read_at(self, start_frames: int, frames: int) -> Samples:
        jump = self._safe_jump(start_frames)
        self._file.seek(jump)
        sound = self._file.read(start_frames - jump + frames, "float32", always_2d=True)
        return np.asarray(sound)[start_frames - jump :]

    def _safe_jump(self, start_frames: int) -> int:
        """Where to jump so that what is read at `start_frames` is what plays there."""
        if self._file.format == "MP3":  # wrong for a few frames after a jump
            return max(0, start_frames - MP3_SETTLE_FRAMES)
        if self._file.format == "OGG":  # jumps into a Vorbis file's last page land off the mark
            return min(start_frames, max(0, self.frames - OGG_PAGE_FRAMES))
        return start_frames

    def _salvaged(self, start_frames: int, frames: int) -> Samples:
        """What a broken file still gives, read from its beginning: it can't be sought in."""
        import soundfile

        parts, at = [np.zeros((0, self.channels), np.float32)], 0
        with contextlib.suppress(RuntimeError), soundfile.SoundFile(self._path) as file:
            while at < start_frames + frames:
                step = min(BROKEN_STEP_FRAMES, start_frames + frames - at)
                part = np.asarray(file.read(step, "float32", always_2d=True))
                if not len(part):
                    break
                parts.append(part[max(0, start_frames - at) :])
                at += len(part)
        return np.concatenate(parts)


class _PedalboardSource:
    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        from pedalboard.io import AudioFile

        self._file = stack.enter_context(AudioFile(str(path)))
        self.frames, self.channels = int(self._file.frames), int(self._file.num_channels)
        self.rate = int(self._file.samplerate)

    def read(self, start_frames: int, frames: int) -> Samples:
        self._file.seek(start_frames)
        return np.asarray(self._file.read(frames), np.float32).T


def open_source(path: Path, stack: contextlib.ExitStack) -> Source:
    """A file opened by soundfile, else by pedalboard; closed with the stack.

    Raises
    ------
    RequestError
        `unreadable-audio`: neither can read it, or it holds no frames.
    """
    reasons = []
    for kind in (_SoundfileSource, _PedalboardSource):
        try:
            source: Source = kind(path, stack)
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            reasons.append(str(error).rstrip("."))
            continue
        if source.frames < 1:
            raise RequestError(
                "unreadable-audio",
                f"{path.name} holds no frames of audio; give a file with at least 1",
            )
        return source
    raise RequestError(
        "unreadable-audio",
        f"{path.name} can't be read as audio ({reasons[0]}); give WAV, AIFF or FLAC",
    )


def read_span(source: Source, start_frames: int, stop_frames: int) -> Samples:
    """Frames of a file, in blocks, ending early where the file does."""
    parts = [np.zeros((0, source.channels), np.float32)]
    for start, stop in blocks(start_frames, stop_frames, source.channels):
        try:
            block = source.read(start, stop - start)
        except (RuntimeError, ValueError, OSError):  # the file is broken here
            break
        parts.append(block)
        if len(block) < stop - start:
            break
    return np.concatenate(parts)
