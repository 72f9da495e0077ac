"""REAPER's project files: read by the `rpp` package, changed by inserting lines of text.

The package's own writer loses quotes and backticks of what it has read, so a new project is the
old one's text with a take's lines put in: everything else stays as it was, byte for byte.
"""

from __future__ import annotations

import contextlib
import re
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import FaultError, RequestError
from engine.sources import open_source
from engine.units import seconds_to_frames

MAX_BYTES = 256 * 2**20
#: Sources whose frames are those of a file that Retake reads.
PLAIN_SOURCES = ("WAVE", "FLAC", "AIFF", "MP3", "VORBIS", "OPUS")


@dataclass(frozen=True)
class ProjectItem:
    """An item of a project, as its active take plays.

    Parameters
    ----------
    number : int
        From 1, in the file's order.
    track, name : str
    position_s, length_s, offset_s : float
    file : Path or None
    trouble : str
        Why Retake can't read it offline; empty where it can.
    last_line : int
        The line that closes it, from 0.
    selected_line : int or None
        The `TAKE SEL` line, where there is one.
    volume_pan : str
        Pan, volume and pan law of the take, as a `TAKEVOLPAN` line has them.
    """

    number: int
    track: str
    name: str
    position_s: float
    length_s: float
    offset_s: float
    file: Path | None
    trouble: str
    last_line: int
    selected_line: int | None
    volume_pan: str


@dataclass(frozen=True)
class NewTake:
    """A take to be put in: the item's number, its name and its file."""

    item: int
    name: str
    file: str


class RppProject:
    """A project file's text, and what is in it.

    Raises
    ------
    RequestError
        `no-such-file`, `too-long`; `unreadable-audio`: no REAPER project.
    FaultError
        `model-unavailable`: the `rpp` package isn't installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = _read(path)
        self._lines = self.text.splitlines(keepends=True)
        root = _parse(self.text, path)
        spans = _item_spans(self._lines)
        found = [(track, item) for track in root.findall("TRACK") for item in track.findall("ITEM")]
        if len(found) != len(spans):
            raise RequestError("unreadable-audio", f"{path} is no whole REAPER project")
        self.items = [
            _item(number, track, item, span, self._lines, path.parent)
            for number, ((track, item), span) in enumerate(zip(found, spans, strict=True), 1)
        ]
        self.media_folder = _media_folder(root, path.parent)

    def item(self, number: int) -> ProjectItem:
        """An item by its number.

        Raises
        ------
        RequestError
            `bad-value`: there is none, or it can't be read offline.
        """
        if not 1 <= number <= len(self.items):
            raise RequestError(
                "bad-value", f"--item is {number}; the project has items 1 to {len(self.items)}"
            )
        item = self.items[number - 1]
        if item.trouble:
            raise RequestError("bad-value", f"item {number} can't be done offline: {item.trouble}")
        return item

    def with_takes(self, takes: list[NewTake]) -> str:
        """The project's text with takes at the end of their items, the first of each active."""
        lines = list(self._lines)
        newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
        for item in sorted({take.item for take in takes}, reverse=True):  # from the end: lines move
            there = self.items[item - 1]
            own = [take for take in takes if take.item == item]
            indent = lines[there.last_line][: -len(lines[there.last_line].lstrip())] + "  "
            new = [
                line
                for index, take in enumerate(own)
                for line in _take_lines(take, there.volume_pan, index == 0)
            ]
            lines[there.last_line : there.last_line] = [f"{indent}{line}{newline}" for line in new]
            if there.selected_line is not None:
                lines[there.selected_line] = lines[there.selected_line].replace(" SEL", "", 1)
        return "".join(lines)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RequestError("too-long", f"{path} is larger than {MAX_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise RequestError("no-such-file", f"{path} can't be read: {error.strerror}") from error
    return data.decode("utf-8", "surrogateescape")  # old projects hold other encodings' names


def _parse(text: str, path: Path) -> Any:
    try:
        import rpp  # type: ignore[import-untyped]
    except ImportError:
        raise FaultError(
            "model-unavailable",
            f"project files need the rpp package: {sys.executable} -m pip install rpp",
        ) from None
    if not text.lstrip().startswith("<REAPER_PROJECT"):
        raise RequestError("unreadable-audio", f"{path} is no REAPER project")
    try:
        return rpp.loads(text)
    except Exception as error:  # the package raises whatever its scanner trips over
        raise RequestError("unreadable-audio", f"{path} can't be parsed: {error}") from error


def _item_spans(lines: list[str]) -> list[tuple[int, int]]:
    """First and last line of every item: `<ITEM` directly inside `<TRACK`, to its own `>`."""
    spans, open_at = [], list[tuple[str, int]]()
    for number, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith("<"):
            open_at.append((stripped[1:].split(maxsplit=1)[0], number))
        elif stripped == ">" and open_at:
            tag, first = open_at.pop()
            if tag == "ITEM" and [name for name, _ in open_at] == ["REAPER_PROJECT", "TRACK"]:
                spans.append((first, number))
    return spans


def _item(
    number: int, track: Any, item: Any, span: tuple[int, int], lines: list[str], folder: Path
) -> ProjectItem:
    takes = _takes(item)
    active = next((take for take in takes if take["is_active"]), takes[0])
    values, item_values = active["values"], takes[0]["values"]
    file = _file(active["source"], folder)
    length_s, offset_s = _number(item_values, "LENGTH", 0, 0.0), _number(values, "SOFFS", 0, 0.0)
    trouble = _trouble(values, active["source"], file)
    if file and not trouble:
        goes_on = "loops" if _number(item_values, "LOOP", 0, 0.0) else "goes on"
        trouble = _beyond(file, offset_s, length_s, goes_on)
    selected = [
        at for at in range(*span) if lines[at].split()[:2] == ["TAKE", "SEL"]
    ]  # in a nested block there is none
    return ProjectItem(
        number,
        _first(track, "NAME", ""),
        "".join(values.get("NAME", [])[:1]),
        _number(item_values, "POSITION", 0, 0.0),
        length_s,
        offset_s,
        file,
        trouble,
        span[1],
        selected[0] if selected else None,
        _volume_pan(values),
    )


def _takes(item: Any) -> list[dict[str, Any]]:
    """An item's takes: values by key, the source; the first take's stand before any TAKE line."""
    takes: list[dict[str, Any]] = [{"values": {}, "source": None, "is_active": False}]
    for child in item:
        line = [child] if isinstance(child, str) else child  # rpp leaves a lone word a text
        if not isinstance(line, list):
            if line.tag == "SOURCE":
                takes[-1]["source"] = line
        elif line[0] == "TAKE":
            takes.append({"values": {}, "source": None, "is_active": "SEL" in line[1:]})
        else:
            takes[-1]["values"].setdefault(line[0], line[1:])
    return takes


def _trouble(values: dict[str, list[str]], source: Any, file: Path | None) -> str:
    """Why a take doesn't play its file frame for frame; empty where it does."""
    if source is None:
        return "it is empty"
    kind = source.attrib[0] if source.attrib else "unknown"
    rate, pitch = _number(values, "PLAYRATE", 0, 1.0), _number(values, "PLAYRATE", 2, 0.0)
    not_plain = {
        f"its source is {kind}": kind not in PLAIN_SOURCES,
        f"its rate is {rate:g}": rate != 1,
        f"it is pitched by {pitch:g} semitones": pitch != 0,
        "it has stretch markers": "SM" in values,
        "its channel mode isn't normal": _number(values, "CHANMODE", 0, 0.0) != 0,
    }
    for trouble, is_so in not_plain.items():
        if is_so:
            return f"{trouble}; do it in REAPER"
    return "" if file and file.is_file() else f"there is no {file}"


def _beyond(file: Path, offset_s: float, length_s: float, goes_on: str) -> str:
    """Why an item plays what its file doesn't hold; empty where it doesn't."""
    try:
        with contextlib.ExitStack() as stack:
            source = open_source(file, stack)
            start_frames = seconds_to_frames(offset_s, source.rate)
            stop_frames = start_frames + max(1, seconds_to_frames(length_s, source.rate))
            n_frames = source.frames
    except RequestError as error:
        return error.message
    if start_frames < 0:
        return "it begins before its file does; do it in REAPER"
    return f"it {goes_on} past its file's end; do it in REAPER" if stop_frames > n_frames else ""


def _volume_pan(values: dict[str, list[str]]) -> str:
    """Pan, volume and pan law of a take: the first one's stand behind the item's own volume."""
    line = values.get("TAKEVOLPAN") or values.get("VOLPAN", [])[1:]
    given = [word for word in line[:3] if re.fullmatch(r"-?[\d.]+(e-?\d+)?", word)]
    return " ".join(given if len(given) == 3 else ("0", "1", "-1"))


def _number(values: dict[str, list[str]], key: str, index: int, default: float) -> float:
    """A number of a line; the default where it isn't there or is none."""
    try:
        return float(values[key][index])
    except (KeyError, IndexError, ValueError):
        return default


def _file(source: Any, folder: Path) -> Path | None:
    line = source.find("FILE") if source is not None else None
    if not line or len(line) < 2:
        return None
    path = Path(line[1].replace("\\", "/"))
    return path if path.is_absolute() else folder / path


def _first(element: Any, key: str, default: str) -> str:
    line = element.find(key)
    return str(line[1]) if line and len(line) > 1 else default


def _media_folder(root: Any, folder: Path) -> Path:
    """Where the project keeps its media: its recording path, else its own folder."""
    path = Path(_first(root, "RECORD_PATH", "").replace("\\", "/"))
    return path if path.is_absolute() else folder / path


def _take_lines(take: NewTake, volume_pan: str, is_active: bool) -> list[str]:
    guid = "{" + str(uuid.uuid4()).upper() + "}"
    return [
        "TAKE SEL" if is_active else "TAKE",
        f"NAME {quoted(take.name)}",
        f"TAKEVOLPAN {volume_pan}",
        "SOFFS 0",
        "PLAYRATE 1 1 0 -1 0 0.0025",
        "CHANMODE 0",
        f"GUID {guid}",
        "<SOURCE WAVE",
        f"  FILE {quoted(take.file)}",
        ">",
    ]


def quoted(text: str) -> str:
    """A text as project files carry it: in a quote it doesn't hold itself."""
    for mark in "\"'`":
        if mark not in text:
            return f"{mark}{text}{mark}"
    return "`" + text.replace("`", "'") + "`"
