"""Ableton Live sets: gzipped XML, read only."""

from __future__ import annotations

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from engine.errors import RequestError

MAX_BYTES = 512 * 2**20
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class AlsClip:
    """An audio clip of a set.

    Parameters
    ----------
    track, name : str
    place : str
        "session slot 3" or "arrangement beat 16".
    file : str
        The sample, as the set names it.
    start_s, end_s : float
        The stretch of the file the clip plays, its loop aside.
    is_warped : bool
    trouble : str
        Why its take could not simply be put in its place; empty where it could.
    """

    track: str
    name: str
    place: str
    file: str
    start_s: float
    end_s: float
    is_warped: bool
    trouble: str


def read_clips(path: Path) -> list[AlsClip]:
    """Every audio clip of a set, in the order of its tracks.

    Raises
    ------
    RequestError
        `no-such-file`, `too-long`; `unreadable-audio`: no Live set.
    """
    root = _parse(_unpack(path), path)
    tracks = root.findall("./LiveSet/Tracks/AudioTrack")
    return [clip for track in tracks for clip in _clips(track, path.parent)]


def _unpack(path: Path) -> bytes:
    """The set's XML, never more than MAX_BYTES of it, whatever the file says of itself."""
    parts, n_bytes = [], 0
    try:
        with gzip.open(path) as file:
            while part := file.read(CHUNK_BYTES):
                parts.append(part)
                n_bytes += len(part)
                if n_bytes > MAX_BYTES:
                    raise RequestError("too-long", f"{path} holds over {MAX_BYTES // 2**20} MiB")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RequestError("unreadable-audio", f"{path} is no Live set: {error}") from error
    except OSError as error:
        raise RequestError("no-such-file", f"{path} can't be read: {error.strerror}") from error
    return b"".join(parts)


def _parse(data: bytes, path: Path) -> ElementTree.Element:
    if b"<!DOCTYPE" in data[:4096]:  # sets have none; entities could be anything
        raise RequestError("unreadable-audio", f"{path} is no Live set: it has a DOCTYPE")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise RequestError("unreadable-audio", f"{path} is no Live set: {error}") from error
    if root.tag != "Ableton":
        raise RequestError("unreadable-audio", f"{path} is no Live set: it holds <{root.tag}>")
    return root


def _clips(track: ElementTree.Element, folder: Path) -> Iterator[AlsClip]:
    name = _value(track, "./Name/EffectiveName") or _value(track, "./Name/UserName")
    trouble = "its track is frozen" if _value(track, "./Freeze") == "true" else ""
    sequencer = "./DeviceChain/MainSequencer"
    slots = track.findall(f"{sequencer}/ClipSlotList/ClipSlot")
    for number, slot in enumerate(slots, 1):
        for clip in slot.iter("AudioClip"):
            yield _clip(clip, name, f"session slot {number}", trouble, folder)
    for clip in track.findall(f"{sequencer}/Sample/ArrangerAutomation/Events/AudioClip"):
        beat = _number(clip, "./CurrentStart") or float(clip.get("Time", 0))
        yield _clip(clip, name, f"arrangement beat {beat:g}", trouble, folder)


def _clip(clip: ElementTree.Element, track: str, place: str, trouble: str, folder: Path) -> AlsClip:
    is_warped = _value(clip, "./IsWarped") == "true"
    start, end = _number(clip, "./Loop/LoopStart"), _number(clip, "./Loop/LoopEnd")
    if is_warped:
        start, end = _seconds(clip, start), _seconds(clip, end)
    file = _file(clip, folder)
    if not trouble and not Path(file).is_file():
        trouble = "its sample isn't there"
    return AlsClip(track, _value(clip, "./Name"), place, file, start, end, is_warped, trouble)


def _seconds(clip: ElementTree.Element, beat: float) -> float:
    """Where in the sample a beat of the clip lies: its warp markers joined by straight lines."""
    markers = sorted(
        (float(marker.get("BeatTime", 0)), float(marker.get("SecTime", 0)))
        for marker in clip.iter("WarpMarker")
    )
    if len(markers) < 2:
        return beat
    index = min(max(bisect_right(markers, (beat, float("inf"))), 1), len(markers) - 1)
    (beat_0, second_0), (beat_1, second_1) = markers[index - 1 : index + 1]
    return second_0 + (beat - beat_0) * (second_1 - second_0) / max(beat_1 - beat_0, 1e-12)


def _file(clip: ElementTree.Element, folder: Path) -> str:
    """The sample's path: as it is, else beside the set (projects move)."""
    path = _value(clip, "./SampleRef/FileRef/Path")
    relative = _value(clip, "./SampleRef/FileRef/RelativePath")
    if relative and not Path(path).is_file() and (folder / relative).is_file():
        return str(folder / relative)
    return path or relative


def _value(element: ElementTree.Element, path: str) -> str:
    found = element.find(path)
    return found.get("Value", "") if found is not None else ""


def _number(element: ElementTree.Element, path: str) -> float:
    try:
        return float(_value(element, path) or 0)
    except ValueError:
        return 0.0
