"""Takes become clips: in a take lane, an empty slot or a new track; never over another clip."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple

import Live  # type: ignore[import-not-found]  # Live's own module

from .clips import LIVES_ERRORS, Source, is_alive, look

LANE_NAME = "Retake"
TOO_OLD = "This Live can't make audio clips from files (12.0.5 and later can)"


class Take(NamedTuple):
    """A take that lies in the set's folder."""

    path: str
    title: str
    length_s: float


class PlacingError(Exception):
    """A take found no place; the text says why."""


def place(song: Any, source: Source, takes: list[Take]) -> Iterator[str]:
    """Make a clip of each take, all in one undo step; gives where each went, "" for a pause.

    It is to be gone on with once a tick: what Live is told about `warping` holds from the next one
    on. Closing it, too, ends the undo step.
    """
    song.begin_undo_step()
    try:
        for take in takes:
            clip, where = create(song, source, take)
            clip.name = take.title
            for name, value in source.looks:
                if name != "warp_mode":
                    setattr(clip, name, value)
            if bool(clip.warping) != (source.warp is not None):
                clip.warping = source.warp is not None
                yield ""
            yield where + _settle(clip, source, take, song.tempo)
    finally:
        song.end_undo_step()


def create(song: Any, source: Source, take: Take) -> tuple[Any, str]:
    """A clip of a file, and in words where it is.

    Raises
    ------
    PlacingError
        Live took it nowhere.
    """
    track = track_again(song, source)
    last: Exception = PlacingError(TOO_OLD)
    for way in (_in_lane, _in_slot, _in_new_track):
        try:
            made = way(song, track, source, take.path)
        except LIVES_ERRORS as error:  # an older Live; or it is recording
            last = error
            continue
        if made is not None:
            clip, where = made
            return clip, where
    if isinstance(last, AttributeError):
        raise PlacingError(TOO_OLD)
    raise PlacingError(str(last))


def track_again(song: Any, source: Source) -> Any:
    """The source's track, found again by its name where undo made its handle stale; else None."""
    track = source.track
    if not is_alive(track):
        named = [one for one in song.tracks if one.name == source.track_name]
        track = named[0] if len(named) == 1 and source.track_name else None
    if track is None or look(track, "is_frozen") or not look(track, "has_audio_input"):
        return None
    return track


def _in_lane(song: Any, track: Any, source: Source, path: str) -> Any:
    if track is None or source.slot_index is not None:
        return None
    create_lane = track.create_take_lane  # Live 12.2 and later
    lane = next((lane for lane in track.take_lanes if _is_free(lane, source.start_beats)), None)
    if lane is None:
        lane = create_lane() or track.take_lanes[-1]
        lane.name = LANE_NAME
    clip = lane.create_audio_clip(path, source.start_beats)
    return clip or lane.arrangement_clips[-1], "take lane of " + track.name


def _is_free(lane: Any, start_beats: float) -> bool:
    """One of ours with nothing from there on: how long Live makes a clip isn't known before."""
    return lane.name == LANE_NAME and all(
        clip.end_time <= start_beats for clip in lane.arrangement_clips
    )


def _in_slot(song: Any, track: Any, source: Source, path: str) -> Any:
    if track is None:
        return None
    slots = track.clip_slots
    first = 0 if source.slot_index is None else source.slot_index + 1
    for index in range(first, len(slots)):
        if not slots[index].has_clip:
            clip = slots[index].create_audio_clip(path)
            return clip or slots[index].clip, f"{track.name}, slot {index + 1}"
    return None


def _in_new_track(song: Any, track: Any, source: Source, path: str) -> Any:
    tracks = list(song.tracks)
    index = next((i + 1 for i, one in enumerate(tracks) if one == track), len(tracks))
    song.create_audio_track(index)
    try:
        return _in_empty_track(song.tracks[index], source, path), f"new track {index + 1}"
    except LIVES_ERRORS:
        song.delete_track(index)
        raise


def _in_empty_track(track: Any, source: Source, path: str) -> Any:
    if source.slot_index is None:
        return track.create_audio_clip(path, source.start_beats) or track.arrangement_clips[0]
    slot = track.clip_slots[min(max(source.slot_index, 0), len(track.clip_slots) - 1)]
    return slot.create_audio_clip(path) or slot.clip


def _settle(clip: Any, source: Source, take: Take, tempo: float) -> str:
    """Give the clip its source's warp map and loop; what could not be done, in words."""
    if source.warp is None:
        return _skip(clip, source, take, tempo)
    try:
        for name, value in source.looks:
            if name == "warp_mode":
                clip.warp_mode = value
        lay_markers(clip, source.warp.part(source.start_beat, take.length_s))
        _loop(clip, source, take)
    except LIVES_ERRORS as error:
        return f"; its warp markers are Live's own ({error})"
    return ""


def _skip(clip: Any, source: Source, take: Take, tempo: float) -> str:
    """Leave the start of a clip that isn't warped unplayed; what could not be done, in words."""
    skip_s = source.skip_beats * 60.0 / tempo
    try:
        if skip_s > 0.0:
            _set_span(clip, skip_s, take.length_s)
    except LIVES_ERRORS as error:
        return f"; it plays {skip_s:.2f} s late ({error})"
    return ""


def lay_markers(clip: Any, markers: list[tuple[float, float]]) -> None:
    """Replace a clip's warp markers; the last one Live shows none of stays.

    Parameters
    ----------
    clip : Live.Clip.Clip
    markers : list of (float, float)
        Beat and second of each.
    """
    first, *others = [marker.beat_time for marker in clip.warp_markers][:-1]
    for beat in others:
        clip.remove_warp_marker(beat)
    # The far end comes before the near one goes, so that there is a marker at all times, and no
    # tempo between two of them that Live refuses.
    last_beat, last_s = markers[-1]
    clip.add_warp_marker(Live.Clip.WarpMarker(last_s, last_beat))
    clip.remove_warp_marker(first)
    for beat, second in markers[:-1]:
        clip.add_warp_marker(Live.Clip.WarpMarker(second, beat))


def _loop(clip: Any, source: Source, take: Take) -> None:
    assert source.warp is not None
    if source.loop is None:
        end_beat = source.warp.beats(source.warp.seconds(source.start_beat) + take.length_s)
        if clip.looping:
            clip.looping = False
        _set_span(clip, source.skip_beats, end_beat - source.start_beat)
        return
    marker, start, end = source.loop
    clip.looping = True
    _set_span(clip, start, end)
    clip.start_marker = marker


def _set_span(clip: Any, start: float, end: float) -> None:
    """Set loop start and end in the order that never puts the start behind the end."""
    if start >= clip.loop_end:
        clip.loop_end, clip.loop_start = end, start
    else:
        clip.loop_start, clip.loop_end = start, end
