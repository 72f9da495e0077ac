"""The model behind the fake REAPER: projects, tracks, items, takes and sources, and what they play.

What a take plays is worked out here from its definition (rate, offset, section, reversal, loop,
channel mode, stretch markers), not from anything the bridge does: it is the tests' truth.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile


def new_guid() -> str:
    return "{" + str(uuid.uuid4()).upper() + "}"


class Handle:
    """Something Lua holds a pointer to."""

    kind = ""

    def __repr__(self) -> str:
        return f"userdata: 0x{id(self):x}"


class Source(Handle):
    """A file, or (with a parent) a section of a source, perhaps reversed."""

    kind = "PCM_source"

    def __init__(
        self,
        path: Path | None = None,
        parent: Source | None = None,
        section: tuple[float, float] | None = None,
        is_reversed: bool = False,
        type_name: str = "",
    ) -> None:
        self.path, self.parent, self.section, self.is_reversed = path, parent, section, is_reversed
        self.peaks = "none"
        self.rate, self._n_channels, self._n_frames = 0, 1, 0
        if parent:
            self.type_name, self.rate = "SECTION", parent.rate
        elif path is None or type_name == "MIDI":
            self.type_name = "MIDI"
        else:
            about = soundfile.info(path)
            self.rate, self._n_channels = about.samplerate, about.channels
            self._n_frames = about.frames
            self.type_name = type_name or {".wav": "WAVE", ".flac": "FLAC"}[path.suffix.lower()]

    @cached_property
    def samples(self) -> np.ndarray:
        """The file's sound, read when it is first played, as REAPER does."""
        samples, _ = soundfile.read(self.path, dtype="float32", always_2d=True)
        return samples.astype(np.float64)

    @property
    def n_channels(self) -> int:
        return self.parent.n_channels if self.parent else self._n_channels

    @property
    def length_s(self) -> float:
        if self.section:
            return self.section[1]
        return self.parent.length_s if self.parent else self._n_frames / max(self.rate, 1)

    @property
    def chain(self) -> list[Source]:
        """It and what it is a part of."""
        return [self, *(self.parent.chain if self.parent else [])]

    def __deepcopy__(self, memo: object) -> Source:
        return self  # undo brings takes back, files don't change

    def sample(self, times_s: np.ndarray) -> np.ndarray:
        """What it plays at some times, shape = (n_times, n_channels); silence outside it."""
        if self.parent:
            offset_s = self.section[0] if self.section else 0.0
            if self.is_reversed:  # the last frame is the first
                inner_s = offset_s + self.length_s - 1 / self.rate - times_s
            else:
                inner_s = offset_s + times_s
            is_inside = (times_s > -1e-9) & (times_s < self.length_s - 1e-9)
            return self.parent.sample(inner_s) * is_inside[:, np.newaxis]
        frames = times_s * self.rate
        frames = np.where(np.abs(frames - np.round(frames)) < 1e-6, np.round(frames), frames)
        at = np.arange(len(self.samples))
        columns = [np.interp(frames, at, c, left=0.0, right=0.0) for c in self.samples.T]
        return np.stack(columns, axis=1)


class Take(Handle):
    """One take of an item."""

    kind = "MediaItem_Take"

    def __init__(self, source: Source | None = None, **values: float) -> None:
        self.guid, self.source = new_guid(), source
        self.values = {
            "D_STARTOFFS": 0.0,
            "D_VOL": 1.0,
            "D_PAN": 0.0,
            "D_PANLAW": -1.0,
            "D_PLAYRATE": 1.0,
            "D_PITCH": 0.0,
            "I_CHANMODE": 0.0,
        } | values
        self.texts = {"P_NAME": ""}
        self.markers: list[tuple[float, float]] = []  # stretch markers: item time, source time
        self.fx: list[str] = []

    def source_times(self, times_s: np.ndarray) -> np.ndarray:
        """Where in its source it is at some times of the item."""
        offset_s, rate = self.values["D_STARTOFFS"], self.values["D_PLAYRATE"]
        if self.markers:
            at_s, source_s = zip(*self.markers, strict=True)
            return np.interp(times_s * rate, at_s, source_s) + offset_s
        return offset_s + times_s * rate

    def play(self, item: Item, times_s: np.ndarray, n_channels: int) -> np.ndarray:
        """What it plays at some times of the item, before volume and effects."""
        where_s = self.source_times(times_s)
        if item.values["B_LOOPSRC"]:
            where_s = np.mod(where_s, self.source.length_s)
        raw = self.source.sample(where_s)
        mode = int(self.values["I_CHANMODE"])
        if mode == 1 and raw.shape[1] > 1:
            raw = raw[:, [1, 0, *range(2, raw.shape[1])]]
        elif mode == 2:
            raw = raw[:, :2].mean(1, keepdims=True)
        elif mode in (3, 4):
            raw = raw[:, [mode - 3]]
        if raw.shape[1] < n_channels:
            raw = np.repeat(raw[:, :1], n_channels, 1)
        is_inside = (times_s > -1e-9) & (times_s < item.values["D_LENGTH"] - 1e-9)
        return raw[:, :n_channels] * is_inside[:, np.newaxis]


class Item(Handle):
    """A media item: where it lies, and its takes."""

    kind = "MediaItem"

    def __init__(self, position_s: float = 0.0, length_s: float = 0.0) -> None:
        self.guid, self.takes, self.active = new_guid(), list[Take](), 0
        self.values = {
            "D_POSITION": position_s,
            "D_LENGTH": length_s,
            "D_VOL": 1.0,
            "B_LOOPSRC": 1.0,
            "B_UISEL": 0.0,
            "D_FADEINLEN": 0.01,
            "D_FADEOUTLEN": 0.01,
            "C_FADEINSHAPE": 0.0,
            "C_FADEOUTSHAPE": 0.0,
        }

    @property
    def take(self) -> Take:
        return self.takes[self.active]

    @property
    def position_s(self) -> float:
        return self.values["D_POSITION"]

    @property
    def length_s(self) -> float:
        return self.values["D_LENGTH"]

    def play(self, rate: int, n_channels: int, take: Take | None = None) -> np.ndarray:
        """Every frame of it at a rate."""
        n_frames = round(self.length_s * rate)
        return (take or self.take).play(self, np.arange(n_frames) / rate, n_channels)


class Track(Handle):
    """A track and its items."""

    kind = "MediaTrack"

    def __init__(self, name: str = "") -> None:
        self.guid, self.name, self.items, self.is_selected = new_guid(), name, list[Item](), False


@dataclass(frozen=True)
class UndoPoint:
    """A step back: its name and the tracks as they were."""

    name: str
    tracks: list[Track]


class ExtState(MutableMapping[tuple[str, str], str]):
    """What scripts keep with a project, by section and key; as in REAPER, in whatever case."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], str] = {}

    def _plain(self, key: tuple[str, str]) -> tuple[str, str]:
        return key[0].lower(), key[1].upper()

    def __getitem__(self, key: tuple[str, str]) -> str:
        return self._values[self._plain(key)]

    def __setitem__(self, key: tuple[str, str], value: str) -> None:
        self._values[self._plain(key)] = value

    def __delitem__(self, key: tuple[str, str]) -> None:
        del self._values[self._plain(key)]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(eq=False)
class Project(Handle):
    """An open project."""

    folder: Path
    path: str = ""
    tracks: list[Track] = field(default_factory=list)
    undo: list[UndoPoint] = field(default_factory=list)
    ext: ExtState = field(default_factory=ExtState)
    selection: tuple[float, float] = (0.0, 0.0)
    cursor_s: float = 0.0
    rate: int = 48000
    open_block: list[Track] | None = None
    n_dirty: int = 0
    kind = "ReaProject"

    __repr__ = Handle.__repr__
    __hash__ = object.__hash__

    @property
    def items(self) -> list[Item]:
        return [item for track in self.tracks for item in track.items]

    @property
    def takes(self) -> list[Take]:
        return [take for item in self.items for take in item.takes]

    @property
    def undo_names(self) -> list[str]:
        return [point.name for point in self.undo]

    def track_of(self, item: Item) -> Track:
        return next(track for track in self.tracks if item in track.items)

    def item_of(self, take: Take) -> Item:
        return next(item for item in self.items if take in item.takes)

    def add(
        self,
        source: Source,
        position_s: float = 0.0,
        length_s: float | None = None,
        track: Track | None = None,
        is_selected: bool = True,
        **values: float,
    ) -> Item:
        """An item of a source, as the user would have made it."""
        if track is None:
            track = Track()
            self.tracks.append(track)
        item = Item(position_s, source.length_s if length_s is None else length_s)
        item.takes.append(Take(source, **values))
        item.values["B_UISEL"] = float(is_selected)
        track.items.append(item)
        return item
