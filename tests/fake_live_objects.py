"""The fake Live's objects: song, tracks, slots, take lanes, clips; stale handles and undo."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import soundfile


def words(text: str) -> set[str]:
    return set(text.split())


#: Every name of Live's public object model that the bridge may have reason to know.
VOCABULARY = words(
    """add_warp_marker arrangement_clips canonical_parent clip clip_slots create_audio_clip
    create_audio_track create_take_lane current_song_time delete_clip delete_track
    detail_clip end_marker end_time file_path gain has_audio_input has_clip
    is_arrangement_clip is_audio_clip is_frozen is_midi_clip is_recording loop_end
    loop_start looping name pitch_coarse pitch_fine remove_warp_marker sample_length
    sample_rate scenes selected_scene selected_track start_marker start_time take_lanes
    tempo tracks view warp_markers warp_mode warping begin_undo_step end_undo_step beat_time
    sample_time is_foldable"""
)


class MisuseError(Exception):
    """The script did what it must never do."""


class WarpMarker:
    """As `Live.Clip.WarpMarker`: seconds first, no keywords."""

    def __init__(self, sample_time: float, beat_time: float, /) -> None:
        self.sample_time, self.beat_time = float(sample_time), float(beat_time)


class Handle:
    """What Live gives for an object: it may outlive it, equals None then, and is of no use.

    Subclasses list in `names` what the object has; `version` says since when, where not always.
    """

    names: ClassVar[dict[str, tuple[int, int, int]]] = {}
    writable: ClassVar[set[str]] = set()

    def __init__(self, song: Song) -> None:
        self.__dict__.update(_song=song, _is_dead=False)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in type(self).own():
            return object.__getattribute__(self, name)
        if name not in VOCABULARY:
            raise MisuseError(f"Live has no {name!r}")
        if self._is_dead:
            raise RuntimeError(f"the object behind this handle is gone ({name})")
        since = type(self).names.get(name)
        if since is None or since > self._song.version:
            raise AttributeError(f"{type(self).__name__} has no {name} in {self._song.version}")
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in type(self).own():
            self.__dict__[name] = value
            return
        getattr(self, name)
        if name not in type(self).writable:
            raise AttributeError(f"{name} can't be set")
        self._set(name, value)

    def __eq__(self, other: object) -> bool:
        return self._is_dead if other is None else self is other

    def __hash__(self) -> int:
        return id(self)

    @classmethod
    def own(cls) -> set[str]:
        """Names that only the tests use."""
        return {"own", "names", "writable", "kill", "put"}

    def kill(self) -> None:
        self._is_dead = True

    def put(self, **values: Any) -> None:
        """Set what only the user can set."""
        self.__dict__.update(values)

    def _set(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        self.__dict__[name] = value
        self._song.undoable(lambda: self.__dict__.__setitem__(name, old))


FIRST, V11, V12, LANES = (0, 0, 0), (11, 0, 0), (12, 0, 5), (12, 2, 0)


def since(version: tuple[int, int, int], text: str) -> dict[str, tuple[int, int, int]]:
    return dict.fromkeys(text.split(), version)


class Clip(Handle):
    """A clip; an audio clip's beats and seconds follow its warp markers."""

    names: ClassVar[dict[str, tuple[int, int, int]]] = {
        **since(FIRST, "canonical_parent name is_midi_clip is_audio_clip is_recording looping"),
        **since(FIRST, "is_arrangement_clip start_time end_time loop_start loop_end start_marker"),
        **since(FIRST, "end_marker gain pitch_coarse pitch_fine warping warp_mode file_path"),
        **since(FIRST, "sample_length"),
        **since(V11, "sample_rate warp_markers add_warp_marker remove_warp_marker"),
    }
    writable: ClassVar[set[str]] = words(
        """name looping loop_start loop_end start_marker gain pitch_coarse pitch_fine warping
        warp_mode"""
    )
    audio_only: ClassVar[set[str]] = words(
        """gain pitch_coarse pitch_fine warping warp_mode file_path sample_length sample_rate
        warp_markers"""
    )

    def __init__(self, song: Song, parent: Handle, path: str, start_time: float | None) -> None:
        super().__init__(song)
        info = soundfile.info(path) if path else None
        length_s = info.frames / info.samplerate if info else 4.0
        self.put(
            canonical_parent=parent, name="", is_midi_clip=not path, is_audio_clip=bool(path),
            is_recording=False, is_arrangement_clip=start_time is not None,
            start_time=start_time or 0.0, file_path=path, gain=0.4, pitch_coarse=0, pitch_fine=0.0,
            warping=song._auto_warp, warp_mode=0, looping=False,
            sample_length=info.frames if info else 0,
            sample_rate=float(info.samplerate) if info else 0.0, _length_s=length_s,
        )  # fmt: skip
        self._reset_markers()
        scale = song.tempo / 60.0 if self.warping else 1.0
        self.put(_brace=[0.0, length_s * scale], _markers=[0.0, length_s * scale])
        self.put(end_time=self.start_time + length_s * song.tempo / 60.0)

    @classmethod
    def own(cls) -> set[str]:
        return super().own() | {"audio_only", "visible", "second_of", "cover"}

    def __getattribute__(self, name: str) -> Any:
        if name in Clip.audio_only and self._is_dead is False and self.__dict__["is_midi_clip"]:
            raise RuntimeError("Only valid for audio clips.")
        if name in ("loop_start", "loop_end", "start_marker", "end_marker"):
            super().__getattribute__("looping")  # stale handles complain
            pair = self._brace if name.startswith("loop") and self.looping else self._markers
            return pair[name.endswith("_end") or name.startswith("end")]
        if name == "warp_markers":
            super().__getattribute__(name)
            *_, (s_0, b_0), (s_1, b_1) = [(0.0, 0.0), *self._warps]
            slope = (s_1 - s_0) / (b_1 - b_0) if b_1 > b_0 else 60.0 / self._song.tempo
            ghost = WarpMarker(s_1 + slope / 32, b_1 + 1 / 32)
            return [*(WarpMarker(*warp) for warp in self._warps), ghost]
        return super().__getattribute__(name)

    warp_markers = None

    def _set(self, name: str, value: Any) -> None:
        if name == "warping":
            # Live does it a little later; markers are new then.
            self._song.defer(lambda: self._warp(bool(value)))
        elif name in ("loop_start", "loop_end", "start_marker"):
            if name == "start_marker" and not self.looping:
                return  # silently ignored, as Live does
            is_brace = name.startswith("loop") and self.looping
            pair = self._brace if is_brace else self._markers
            new = [value, pair[1]] if name != "loop_end" else [pair[0], value]
            if new[0] >= new[1] and name != "start_marker":
                raise RuntimeError(f"{name} {value} puts the start behind the end")
            super()._set("_brace" if is_brace else "_markers", new)
        elif name == "looping" and value and not self.warping:
            raise RuntimeError("Unwarped audio clips cannot be looped.")
        else:
            super()._set(name, value)

    def _warp(self, is_on: bool) -> None:
        if is_on != self.warping:
            Handle._set(self, "warping", is_on)
            scale = self._song.tempo / 60.0
            new = [0.0, self._length_s * (scale if is_on else 1.0)]
            Handle._set(self, "_markers", new)
            Handle._set(self, "_brace", list(new))
            self._reset_markers()

    def _reset_markers(self) -> None:
        """Live's own guess: one marker, which the first sound needn't stand at."""
        self.__dict__["_warps"] = [self._song._first_marker]

    def add_warp_marker(self, marker: WarpMarker) -> None:
        if not isinstance(marker, WarpMarker) or not self.warping:
            raise RuntimeError("a WarpMarker for a warped clip, please")
        new = (marker.sample_time, marker.beat_time)
        if new in self._warps:
            return
        warps = sorted([*self._warps, new], key=lambda warp: warp[1])
        if not 0 <= new[0] <= self._length_s + 1e-9:
            raise RuntimeError("Warp marker sample time is out of range")
        for (s_0, b_0), (s_1, b_1) in pairwise(warps):
            if b_1 <= b_0 or s_1 <= s_0 or not 5 <= 60 * (b_1 - b_0) / (s_1 - s_0) <= 999:
                raise RuntimeError("Segment length out of range")
        super()._set("_warps", warps)

    def remove_warp_marker(self, beat_time: float) -> None:
        left = [warp for warp in self._warps if abs(warp[1] - beat_time) > 1e-9]
        if len(left) != len(self._warps) - 1 or not left:
            raise RuntimeError(f"no warp marker to be removed at beat {beat_time}")
        super()._set("_warps", left)

    # For the tests.

    def visible(self) -> list[tuple[float, float]]:
        """Beat and second of the markers the user sees."""
        return [(beat, second) for second, beat in self._warps]

    def second_of(self, beat: float) -> float:
        """Where in its file a beat lies (straight lines between markers; the last goes on)."""
        warps = [(b, s) for s, b in self._warps]
        if len(warps) == 1:
            return warps[0][1] + (beat - warps[0][0]) * 60.0 / self._song.tempo
        at = min(max(bisect_right([b for b, _ in warps], beat), 1), len(warps) - 1)
        (b_0, s_0), (b_1, s_1) = warps[at - 1 : at + 1]
        return s_0 + (beat - b_0) * (s_1 - s_0) / (b_1 - b_0)


class Slot(Handle):
    names: ClassVar[dict[str, tuple[int, int, int]]] = {
        **since(FIRST, "canonical_parent has_clip clip"),
        **since(V12, "create_audio_clip"),
    }

    def __init__(self, song: Song, track: Track) -> None:
        super().__init__(song)
        self.put(canonical_parent=track, clip=None)

    def __getattribute__(self, name: str) -> Any:
        if name == "has_clip":
            return super().__getattribute__("clip") is not None
        return super().__getattribute__(name)

    def create_audio_clip(self, path: str) -> Clip:
        self.canonical_parent._check_writable()
        if self.clip is not None:
            raise MisuseError("a clip was to be made where one is")
        clip = Clip(self._song, self, path, None)
        self._set("clip", clip)
        return clip


class Timeline(Handle):
    """What an arrangement's clips lie on."""

    def _lay(self, path: str, start: float) -> Clip:
        clip = Clip(self._song, self, path, float(start))
        for other in self.arrangement_clips:
            if other.start_time < clip.end_time and clip.start_time < other.end_time:
                raise MisuseError("a clip was laid over another, which loses its end")
        self._set("arrangement_clips", [*self.arrangement_clips, clip])
        return clip


class Lane(Timeline):
    names: ClassVar[dict[str, tuple[int, int, int]]] = {
        **since(LANES, "canonical_parent arrangement_clips name create_audio_clip"),
    }
    writable: ClassVar[set[str]] = {"name"}

    def __init__(self, song: Song, track: Track) -> None:
        super().__init__(song)
        self.put(canonical_parent=track, arrangement_clips=[], name="Take")

    def create_audio_clip(self, path: str, start_time: float) -> Clip:
        self.canonical_parent._check_writable()
        return self._lay(path, start_time)


class Track(Timeline):
    names: ClassVar[dict[str, tuple[int, int, int]]] = {
        **since(FIRST, "name clip_slots is_frozen has_audio_input canonical_parent is_foldable"),
        **since(V11, "arrangement_clips"),
        **since(V12, "create_audio_clip"),
        **since(LANES, "take_lanes create_take_lane"),
    }
    writable: ClassVar[set[str]] = {"name"}

    def __init__(self, song: Song, name: str, n_slots: int, is_audio: bool = True) -> None:
        super().__init__(song)
        self.put(
            name=name, is_frozen=False, has_audio_input=is_audio, arrangement_clips=[],
            take_lanes=[], canonical_parent=song, is_foldable=False, _is_recording=False,
        )  # fmt: skip
        self.put(clip_slots=[Slot(song, self) for _ in range(n_slots)])

    def _check_writable(self) -> None:
        if self.is_frozen or not self.has_audio_input or self._is_recording:
            raise RuntimeError("the track is frozen, recording, or no audio track")

    def create_audio_clip(self, path: str, start_time: float) -> Clip:
        self._check_writable()
        return self._lay(path, start_time)

    def create_take_lane(self) -> Lane:
        self._check_writable()
        lane = Lane(self._song, self)
        self._set("take_lanes", [*self.take_lanes, lane])
        return lane


class View(Handle):
    names: ClassVar[dict[str, tuple[int, int, int]]] = since(
        FIRST, "detail_clip selected_track selected_scene"
    )


class Scene(Handle):
    names: ClassVar[dict[str, tuple[int, int, int]]] = since(FIRST, "name")


class Song(Handle):
    """A set with one audio track and eight scenes."""

    names: ClassVar[dict[str, tuple[int, int, int]]] = {
        **since(FIRST, "tracks scenes view tempo begin_undo_step end_undo_step delete_track"),
        **since(FIRST, "create_audio_track current_song_time"),
        **since((12, 0, 0), "file_path"),
    }

    def __init__(self, version: tuple[int, int, int]) -> None:
        super().__init__(self)
        self.put(
            version=version, tempo=120.0, file_path="", open_steps=0, _undo=[], _deferred=[],
            _auto_warp=True, _first_marker=(0.0, 0.0), current_song_time=0.0,
        )  # fmt: skip
        self.put(scenes=[Scene(self) for _ in range(8)], view=View(self))
        self.put(tracks=[Track(self, "1-Audio", 8)])
        self.view.put(
            detail_clip=None, selected_track=self.tracks[0], selected_scene=self.scenes[0]
        )

    @classmethod
    def own(cls) -> set[str]:
        return super().own() | {
            "version", "open_steps", "undoable", "defer", "do_deferred", "undo", "n_undo",
        }  # fmt: skip

    def begin_undo_step(self) -> None:
        self.open_steps += 1
        if self.open_steps > 1:
            raise MisuseError("an undo step was begun within another")
        self._undo.append([])

    def end_undo_step(self) -> None:
        self.open_steps -= 1
        if self.open_steps < 0:
            raise MisuseError("an undo step was ended that never began")

    def create_audio_track(self, index: int) -> Track:
        track = Track(self, f"{index + 1}-Audio", len(self.scenes))
        self._set("tracks", [*self.tracks[:index], track, *self.tracks[index:]])
        return track

    def delete_track(self, index: int) -> None:
        self._set("tracks", [track for i, track in enumerate(self.tracks) if i != index])

    # For the tests.

    def undoable(self, back: Callable[[], Any]) -> None:
        """Note how a change is taken back: in the open undo step, else in one of its own."""
        if not self.open_steps:
            self._undo.append([])
        self._undo[-1].append(back)

    def defer(self, what: Callable[[], None]) -> None:
        self._deferred.append(what)

    def do_deferred(self) -> None:
        due, self._deferred = self._deferred, []
        for what in due:
            what()

    @property
    def n_undo(self) -> int:
        return len([step for step in self._undo if step])

    def undo(self) -> None:
        """Take the last step back."""
        while self._undo and not self._undo[-1]:
            self._undo.pop()
        for back in reversed(self._undo.pop()):
            back()
