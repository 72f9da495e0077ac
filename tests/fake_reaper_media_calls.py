# ruff: noqa: N802 (they are called as REAPER calls them)
"""What the functions about tracks, items, takes and sources do in the fake REAPER."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
from fake_reaper_media import Handle, Item, Project, Source, Take, Track


class Accessor(Handle):
    """An audio accessor of a take."""

    kind = "AudioAccessor"

    def __init__(self, item: Item, take: Take) -> None:
        self.item, self.take = item, take


class MediaCalls:
    """The functions, by their names in REAPER."""

    projects: list[Project]
    accessors: set[Accessor]
    sources: set[Source]
    chunks: dict[str, dict[str, Any]]

    def _project(self, given: Any) -> Project:
        return given if isinstance(given, Project) else self.projects[0]

    def _owner(self, handle: Any) -> Project:
        return next(p for p in self.projects if handle in (*p.tracks, *p.items, *p.takes))

    # Tracks

    def CountTracks(self, script: Any, proj: Any) -> int:
        return len(self._project(proj).tracks)

    def GetTrack(self, script: Any, proj: Any, index: int) -> Track | None:
        return _nth(self._project(proj).tracks, index)

    def GetSelectedTrack(self, script: Any, proj: Any, index: int) -> Track | None:
        return _nth([t for t in self._project(proj).tracks if t.is_selected], index)

    def GetMediaTrackInfo_Value(self, script: Any, track: Track, key: str) -> float:
        assert key == "IP_TRACKNUMBER"
        return float(self._owner(track).tracks.index(track) + 1)

    def GetSetMediaTrackInfo_String(
        self, script: Any, track: Track, key: str, value: str, is_set: bool
    ) -> tuple[bool, str]:
        attribute = {"GUID": "guid", "P_NAME": "name"}[key]
        if is_set:
            setattr(track, attribute, value)
        return True, getattr(track, attribute)

    def InsertTrackInProject(self, script: Any, proj: Any, index: int, flags: int) -> None:
        self._project(proj).tracks.insert(int(index), Track())

    def InsertTrackAtIndex(self, script: Any, index: int, defaults: bool) -> None:
        self.projects[0].tracks.insert(int(index), Track())

    def DeleteTrack(self, script: Any, track: Track) -> None:
        self._owner(track).tracks.remove(track)

    def CountTrackMediaItems(self, script: Any, track: Track) -> int:
        return len(track.items)

    def GetTrackMediaItem(self, script: Any, track: Track, index: int) -> Item | None:
        return _nth(track.items, index)

    # Items

    def CountMediaItems(self, script: Any, proj: Any) -> int:
        return len(self._project(proj).items)

    def GetMediaItem(self, script: Any, proj: Any, index: int) -> Item | None:
        return _nth(self._project(proj).items, index)

    def CountSelectedMediaItems(self, script: Any, proj: Any) -> int:
        return len(_selected(self._project(proj)))

    def GetSelectedMediaItem(self, script: Any, proj: Any, index: int) -> Item | None:
        return _nth(_selected(self._project(proj)), index)

    def GetMediaItemTrack(self, script: Any, item: Item) -> Track:
        return self._owner(item).track_of(item)

    def AddMediaItemToTrack(self, script: Any, track: Track) -> Item:
        item = Item()
        track.items.append(item)
        return item

    def DeleteTrackMediaItem(self, script: Any, track: Track, item: Item) -> bool:
        if item not in track.items:
            return False
        track.items.remove(item)
        return True

    def GetItemStateChunk(
        self, script: Any, item: Item, text: str, is_undo: bool
    ) -> tuple[bool, str]:
        """A chunk is text that scripts pass on; what it stands for is kept here."""
        chunk = f"<ITEM\nIGUID {item.guid}\nSTATE {len(self.chunks)}\n>\n"
        self.chunks[chunk] = copy.deepcopy(vars(item))
        return True, chunk

    def SetItemStateChunk(self, script: Any, item: Item, text: str, is_undo: bool) -> bool:
        """The item stays the same; its takes are new ones with the same GUIDs."""
        vars(item).update(copy.deepcopy(self.chunks[text]))
        return True

    def GetMediaItemInfo_Value(self, script: Any, item: Item, key: str) -> float:
        return float(item.values[key])

    def SetMediaItemInfo_Value(self, script: Any, item: Item, key: str, value: float) -> bool:
        assert key in item.values, f"items have no {key}"
        item.values[key] = float(value)
        return True

    def GetSetMediaItemInfo_String(
        self, script: Any, item: Item, key: str, value: str, is_set: bool
    ) -> tuple[bool, str]:
        assert key == "GUID"
        assert not is_set
        return True, item.guid

    # Takes

    def GetActiveTake(self, script: Any, item: Item) -> Take | None:
        return item.take if item.takes else None

    def SetActiveTake(self, script: Any, take: Take) -> None:
        item = self._owner(take).item_of(take)
        item.active = item.takes.index(take)

    def AddTakeToMediaItem(self, script: Any, item: Item) -> Take:
        item.takes.append(Take())
        return item.takes[-1]

    def GetMediaItemTake_Item(self, script: Any, take: Take) -> Item:
        return self._owner(take).item_of(take)

    def GetMediaItemTakeByGUID(self, script: Any, proj: Any, guid: str) -> Take | None:
        return next((t for t in self._project(proj).takes if t.guid == guid), None)

    def GetMediaItemTakeInfo_Value(self, script: Any, take: Take, key: str) -> float:
        return float(take.values[key])

    def SetMediaItemTakeInfo_Value(self, script: Any, take: Take, key: str, value: float) -> bool:
        assert key in take.values, f"takes have no {key}"
        take.values[key] = float(value)
        return True

    def GetSetMediaItemTakeInfo_String(
        self, script: Any, take: Take, key: str, value: str, is_set: bool
    ) -> tuple[bool, str]:
        if key == "GUID":
            assert not is_set
            return True, take.guid
        assert key == "P_NAME" or key.startswith("P_EXT:")
        if is_set:
            take.texts[key] = value
        return key in take.texts, take.texts.get(key, "")

    def GetTakeNumStretchMarkers(self, script: Any, take: Take) -> int:
        return len(take.markers)

    def TakeIsMIDI(self, script: Any, take: Take) -> bool:
        return take.source is not None and take.source.chain[-1].type_name == "MIDI"

    def TakeFX_GetCount(self, script: Any, take: Take) -> int:
        return len(take.fx)

    def TakeFX_CopyToTake(
        self, script: Any, take: Take, fx: int, to: Take, to_fx: int, is_move: bool
    ) -> None:
        assert not is_move
        to.fx.insert(int(to_fx), take.fx[int(fx)])

    # Sources

    def GetMediaItemTake_Source(self, script: Any, take: Take) -> Source | None:
        return take.source

    def SetMediaItemTake_Source(self, script: Any, take: Take, source: Source) -> bool:
        take.source = source
        self.sources.discard(source)
        return True

    def PCM_Source_CreateFromFile(self, script: Any, path: str) -> Source | None:
        if not Path(path).is_file():
            return None
        source = Source(Path(path))
        self.sources.add(source)
        return source

    def PCM_Source_Destroy(self, script: Any, source: Source) -> None:
        assert source in self.sources, "a source that is in use must not be destroyed"
        self.sources.remove(source)

    def PCM_Source_BuildPeaks(self, script: Any, source: Source, mode: int) -> int:
        """As for a file of some size: two runs, then done."""
        order = {0: ("none", "begun"), 2: ("ran", "built")}
        if mode == 1:
            assert source.peaks in ("begun", "running"), "peaks: run before begin"
            source.peaks = {"begun": "running", "running": "ran"}[source.peaks]
            return 50 if source.peaks == "running" else 0
        before, after = order[int(mode)]
        assert source.peaks == before, f"peaks: mode {mode} on {source.peaks}"
        source.peaks = after
        return 1 if mode == 0 else 0

    def GetMediaSourceParent(self, script: Any, source: Source) -> Source | None:
        return source.parent

    def GetMediaSourceType(self, script: Any, source: Source) -> str:
        return source.type_name

    def GetMediaSourceFileName(self, script: Any, source: Source) -> str:
        return str(source.path) if source.path else ""

    def GetMediaSourceSampleRate(self, script: Any, source: Source) -> int:
        return source.rate

    def GetMediaSourceNumChannels(self, script: Any, source: Source) -> int:
        return source.n_channels

    def GetMediaSourceLength(self, script: Any, source: Source) -> tuple[float, bool]:
        return source.length_s, source.type_name == "MIDI"

    # Audio accessors

    def CreateTakeAudioAccessor(self, script: Any, take: Take) -> Accessor:
        accessor = Accessor(self._owner(take).item_of(take), take)
        self.accessors.add(accessor)
        return accessor

    def DestroyAudioAccessor(self, script: Any, accessor: Accessor) -> None:
        self.accessors.remove(accessor)

    def GetAudioAccessorStartTime(self, script: Any, accessor: Accessor) -> float:
        return 0.0

    def GetAudioAccessorSamples(
        self,
        script: Any,
        accessor: Accessor,
        rate: int,
        n_channels: int,
        at_s: float,
        n: int,
        buffer: Any,
    ) -> int:
        assert int(n) * int(n_channels) <= buffer["size"], "the buffer is too small"
        times_s = at_s + np.arange(int(n)) / rate
        samples = accessor.take.play(accessor.item, times_s, int(n_channels))
        if not samples.any():
            return 0
        buffer["fill"](script.lua.table_from(samples.ravel().tolist()))
        return 1


def _nth(things: list[Any], index: int) -> Any:
    return things[int(index)] if 0 <= index < len(things) else None


def _selected(project: Project) -> list[Item]:
    return [item for item in project.items if item.values["B_UISEL"]]
