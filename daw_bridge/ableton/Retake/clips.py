"""What is taken from a clip: its file, the stretch of it, and all that its take must have too.

Live's handles go stale, so everything is read at once and nothing but the track is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .warp import WarpMap

NO_CLIP = "No clip is chosen. Click an audio clip, so that the clip view shows it."
MIDI = "MIDI clips hold no sound to change. Choose an audio clip, or freeze and flatten the track."
FROZEN = "The clip's track is frozen. Unfreeze it (Edit menu), or choose another clip."
RECORDING = "The clip is still being recorded. Stop the recording first."
NO_FILE = "The clip's sample is missing. Locate it first (File > Manage Files)."
EMPTY = "Nothing of the clip's sample lies between its markers."
NO_HOLE = (
    "Inpaint fills the loop brace: turn Warp and Loop on and put the brace over what is to go."
)
NOTHING_TO_FILL = (
    "Nothing of the loop brace can be filled: it lies outside the sample, or before the "
    "arrangement's start. Move the brace."
)


class RefusalError(Exception):
    """Nothing is done; the text tells the user why, and what would do."""


@dataclass(frozen=True)
class Source:
    """A stretch of a file, and the clip that plays it.

    Parameters
    ----------
    track : Live track or None
    track_name, clip_name : str
    slot_index : int or None
        Its scene, of a session clip.
    start_beats : float
        Where in the arrangement the take is to begin.
    skip_beats : float
        How much of the take's start is not to be played: what would lie before the arrangement's.
    file_path : str
        Empty: nothing is edited, a sound is made.
    start_frames : int
    frames : int or None
        None: to the file's end.
    hole : tuple of int or None
        Start and length in frames, counted from the stretch's start.
    start_s, length_s : float
    warp : WarpMap or None
        None: not warped.
    start_beat : float
        Where on the clip's own beats the stretch begins.
    loop : tuple of float or None
        Start marker, loop start and loop end in the take's own beats, of a looping clip.
    looks : tuple of (str, value)
        Properties that the take's clip gets too: gain, pitch, warp mode.
    """

    track: Any = None
    track_name: str = ""
    clip_name: str = ""
    slot_index: int | None = None
    start_beats: float = 0.0
    skip_beats: float = 0.0
    file_path: str = ""
    start_frames: int = 0
    frames: int | None = None
    hole: tuple[int, int] | None = None
    start_s: float = 0.0
    length_s: float = 0.0
    warp: WarpMap | None = None
    start_beat: float = 0.0
    loop: tuple[float, float, float] | None = None
    looks: tuple[tuple[str, Any], ...] = ()


#: What Live raises where something isn't there (TypeError: a dead handle where a live one must be).
LIVES_ERRORS = (AttributeError, RuntimeError, TypeError)
LOOKS = ("gain", "pitch_coarse", "pitch_fine")


def is_alive(handle: Any) -> bool:
    """Whether a handle still stands for something: a stale one equals None."""
    return handle is not None and handle != None  # noqa: E711 (Live overloads it)


def look(handle: Any, name: str, default: Any = None) -> Any:
    """A property that not every version or object has; Live raises RuntimeError where not."""
    try:
        return getattr(handle, name)
    except LIVES_ERRORS:
        return default


def read(song: Any, wants_hole: bool = False) -> Source:
    """What the clip in the clip view plays.

    Parameters
    ----------
    song : Live.Song.Song
    wants_hole : bool
        For inpaint: the stretch is all between the markers, the loop brace its hole.

    Raises
    ------
    RefusalError
        No clip, a MIDI clip, a frozen track, a recording, a missing sample, empty markers.
    """
    clip = song.view.detail_clip
    if not is_alive(clip):
        raise RefusalError(NO_CLIP)
    if clip.is_midi_clip:
        raise RefusalError(MIDI)
    track, slot_index = place_of(clip)
    if track.is_frozen:
        raise RefusalError(FROZEN)
    if clip.is_recording:
        raise RefusalError(RECORDING)
    if not clip.file_path:
        raise RefusalError(NO_FILE)
    return _stretch(song, clip, track, slot_index, wants_hole)


def place_of(clip: Any) -> tuple[Any, int | None]:
    """A clip's track, and its scene where it is a session clip."""
    if not clip.is_arrangement_clip:
        slot = clip.canonical_parent
        track = slot.canonical_parent
        slots = track.clip_slots
        return track, next(i for i in range(len(slots)) if slots[i] == slot)
    parent = clip.canonical_parent
    while look(parent, "is_frozen") is None:  # a take lane lies between
        parent = parent.canonical_parent
    return parent, None


def _stretch(song: Any, clip: Any, track: Any, slot_index: int | None, wants_hole: bool) -> Source:
    rate = float(clip.sample_rate)
    warp = warp_map(clip) if clip.warping else None
    start, end, loop = _bounds(clip, wants_hole)
    start_frames, end_frames = _frames(clip, warp, start, rate), _frames(clip, warp, end, rate)
    if end_frames <= start_frames:
        raise RefusalError(EMPTY)
    first = warp.beats(start_frames / rate) if warp else start_frames / rate
    hole = None
    if wants_hole and loop:
        brace = [_frames(clip, warp, point, rate) for point in loop[1:]]
        hole = (max(brace[0] - start_frames, 0), brace[1] - max(brace[0], start_frames))
        if hole[1] <= 0:
            raise RefusalError(NOTHING_TO_FILL)
        loop = None
    # A warped clip may begin before its file does; its take begins with the file.
    lead = first - start if first > start + 1.0 / rate else 0.0
    if clip.looping:  # what is read may begin before what is played: in the middle of the loop
        lead -= clip.start_marker - start
    lead_beats = lead if warp else lead * song.tempo / 60.0
    return Source(
        track=track,
        track_name=track.name,
        clip_name=clip.name,
        slot_index=slot_index,
        start_beats=max(clip.start_time + lead_beats, 0.0) if clip.is_arrangement_clip else 0.0,
        file_path=clip.file_path,
        start_frames=start_frames,
        frames=None if end_frames >= clip.sample_length else end_frames - start_frames,
        hole=hole,
        start_s=start_frames / rate,
        length_s=(end_frames - start_frames) / rate,
        warp=warp,
        start_beat=first,
        loop=tuple(point - first for point in loop) if loop else None,  # type: ignore[arg-type]
        looks=_looks(clip, warp),
    )


def _looks(clip: Any, warp: WarpMap | None) -> tuple[tuple[str, Any], ...]:
    names = (*LOOKS, "warp_mode") if warp else LOOKS
    return tuple((name, getattr(clip, name)) for name in names)


def warp_map(clip: Any) -> WarpMap:
    """A warped clip's map. Live counts a marker's `sample_time` in seconds."""
    markers = clip.warp_markers
    return WarpMap((marker.beat_time, marker.sample_time) for marker in markers)


def _frames(clip: Any, warp: WarpMap | None, point: float, rate: float) -> int:
    """A point of the clip (beats, or seconds where not warped) as a frame inside its file."""
    second = warp.seconds(point) if warp else point
    return min(max(round(second * rate), 0), int(clip.sample_length))


def _bounds(clip: Any, wants_hole: bool) -> tuple[float, float, tuple[float, float, float] | None]:
    """Where the stretch begins and ends, in the clip's own time, and its loop."""
    if not clip.looping:
        if wants_hole:
            raise RefusalError(NO_HOLE)
        return clip.loop_start, clip.loop_end, None  # without a loop these are the markers
    marker, brace = clip.start_marker, (clip.loop_start, clip.loop_end)
    if wants_hole:
        start = min(marker, brace[0])
        if clip.is_arrangement_clip:  # before the arrangement's start no take can begin
            start = max(start, marker - clip.start_time)
        return start, max(clip.end_marker, brace[1]), (marker, *brace)
    if clip.is_arrangement_clip:
        # A take in the arrangement can't be made to repeat: it holds the first pass.
        end = brace[1] if brace[1] > marker else clip.end_marker
        return marker, min(end, marker + clip.end_time - clip.start_time), None
    if marker >= brace[1]:
        return marker, clip.end_marker, None  # it never comes to its loop
    return min(marker, brace[0]), brace[1], (marker, *brace)


def begun_earlier(source: Source, added_s: float, tempo: float) -> Source:
    """The same for takes that begin earlier, so that what was read stays where it plays.

    Parameters
    ----------
    source : Source
    added_s : float
        What a take has before that.
    tempo : float
        The song's, for what is not warped.
    """
    warp, first = source.warp, source.start_beat - added_s
    if warp:
        first = warp.beats(warp.seconds(source.start_beat) - added_s)
    added = source.start_beat - first
    start_beats = source.start_beats - (added if warp else added * tempo / 60.0)
    loop = source.loop
    if loop:  # from the new start, then round and round as before
        loop = (0.0, loop[1] + added, loop[2] + added)
    return replace(
        source,
        start_beat=first,
        start_beats=max(start_beats, 0.0),
        skip_beats=max(-start_beats, 0.0) if source.slot_index is None else 0.0,
        loop=loop,
    )


def nowhere(song: Any) -> Source:
    """For sounds that are made from nothing: the selected track and scene."""
    track = song.view.selected_track
    is_audio = is_alive(track) and look(track, "has_audio_input") and look(track, "clip_slots")
    scenes: list[Any] = list(song.scenes)
    chosen = song.view.selected_scene
    index = next((i for i, scene in enumerate(scenes) if scene == chosen), 0)
    if not is_audio:
        return Source(slot_index=index - 1)
    return Source(track=track, track_name=track.name, slot_index=index - 1)
