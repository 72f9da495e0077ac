"""All presets there are: the library's, and the user's own, which come before them.

The library is `presets/library/*.toml`; the user's own lie in `presets` in the user's config folder
(Linux `~/.config/retake/presets`), or where `$RETAKE_PRESETS` says.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from engine.errors import RequestError
from presets.mistakes import KeyPath, Mistake, PresetError, shown
from presets.preset import Finish, Link, Preset
from presets.schema import TOO_WIDE, check_own, check_whole, mask_path
from presets.toml_lines import key_lines

FOLDER_VARIABLE = "RETAKE_PRESETS"
LIBRARY = Path(__file__).with_name("library")
MAX_FILE_BYTES = 2**18
#: Tables and lists within each other; a preset needs four.
MAX_DEPTH = 16

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def user_folder() -> Path:
    """Where the user's own presets lie. It need not exist; `~nobody` is a folder of that name."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    return Path(platformdirs.user_config_dir("retake", appauthor=False)) / "presets"


@dataclass(frozen=True, eq=False)
class Sheet:
    """One preset's file as it was read.

    Parameters
    ----------
    path : Path
    is_own : bool
        The user's and not the library's.
    raw : mapping
        Its keys, those with mistakes left out.
    text : str
        As it stands in the file; empty where that is no TOML.
    mistakes : tuple of Mistake
        What is wrong with it, whatever it extends.
    """

    path: Path
    is_own: bool
    raw: Mapping[str, Any]
    text: str
    mistakes: tuple[Mistake, ...] = ()

    @cached_property
    def lines(self) -> dict[KeyPath, int]:
        """On which line each of its keys stands; found only when there is a mistake to tell."""
        return key_lines(self.text)

    @property
    def name(self) -> str:
        """The preset's name; the file's, where it tells none."""
        return str(self.raw.get("name", self.path.stem))

    def mistake(self, keys: KeyPath, message: str) -> Mistake:
        """A mistake of this file, at the line of the nearest key that has one."""
        near = keys
        while near and near not in self.lines:
            near = near[:-1]
        return Mistake(self.path, self.lines.get(near, 0), shown(keys), message)


def read_sheet(path: Path, is_own: bool = True) -> Sheet:
    """A preset's file, with what is wrong with it on its own.

    Raises
    ------
    RequestError
        `no-such-file`.
    """
    try:
        status = path.stat()
        return _read_sheet(path, is_own, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise RequestError(
            "no-such-file", f"{path} can't be read: {error.strerror or error}"
        ) from error


@lru_cache(maxsize=1024)
def _read_sheet(path: Path, is_own: bool, mtime_ns: int, n_bytes: int) -> Sheet:
    """Kept while the file is what it was: a server asks for presets at every job."""
    try:
        raw, text = _parsed(path, n_bytes)
    except _UnreadableError as error:
        mistake = Mistake(path, error.line, "", error.message)
        return Sheet(path, is_own, {}, "", (mistake,))
    sheet = Sheet(path, is_own, raw, text)
    found = check_own(raw, is_library=not is_own)
    mistakes = tuple(sorted(sheet.mistake(keys, message) for keys, message in found))
    bad = {keys[0] for keys, _ in found}
    kept = {key: value for key, value in raw.items() if key not in bad}
    return Sheet(path, is_own, kept, text, mistakes)


class _UnreadableError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def _parsed(path: Path, n_bytes: int) -> tuple[dict[str, Any], str]:
    if n_bytes > MAX_FILE_BYTES:
        raise _UnreadableError(0, f"it has {n_bytes} bytes; a preset has at most {MAX_FILE_BYTES}")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _UnreadableError(line, "it isn't UTF-8 text; save it as UTF-8") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        column = f" at column {place[2]}" if place and place[2] else " at the end"
        reason = _PLACE.sub("", str(error))
        raise _UnreadableError(line, f"it is no TOML{column}: {reason}") from None
    except ValueError:  # thousands of digits, which Python won't read
        raise _UnreadableError(0, f"it holds {TOO_WIDE}") from None
    except RecursionError:
        raise _UnreadableError(0, _TOO_DEEP) from None
    if _is_deep(raw):
        raise _UnreadableError(0, _TOO_DEEP)
    return raw, text


_TOO_DEEP = f"its lists or tables lie over {MAX_DEPTH} deep in each other"


def _is_deep(raw: dict[str, Any]) -> bool:
    """Whether what walks through a preset's values could lose its way in these."""
    layer: list[Any] = [raw]
    for _ in range(MAX_DEPTH):
        layer = [inner for outer in layer for inner in _within(outer)]
    return bool(layer)


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class Shelf:
    """Presets by name; the user's own hide the library's of the same name.

    Parameters
    ----------
    own : Path, optional
        The folder of the user's own; see `user_folder`.
    library : Path
    """

    def __init__(self, own: Path | None = None, library: Path = LIBRARY) -> None:
        own = user_folder() if own is None else own
        self._library, self._doubles = _by_name(library, is_own=False)
        self._own, own_doubles = _by_name(own, is_own=True)
        self._doubles += own_doubles

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, those with mistakes too, in order."""
        return tuple(sorted({*self._library, *self._own}))

    def get(self, name: str) -> Preset:
        """A preset, what it extends being part of it.

        Raises
        ------
        RequestError
            `unknown-preset`, naming what is near.
        PresetError
            Its file, or one it extends, has mistakes.
        """
        sheet = self._sheet(name)
        if sheet is None:
            near = difflib.get_close_matches(name, self.names, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else "retake presets lists them"
            raise RequestError("unknown-preset", f"no preset is called {name[:60]!r}; {hint}")
        return self.complete(sheet)

    def complete(self, sheet: Sheet) -> Preset:
        """The preset of a file; PresetError where it, or one it extends, has mistakes."""
        raw, mistakes = self._merged(sheet, ())
        if not mistakes:
            mistakes = _whole_mistakes(sheet, raw)
        if mistakes:
            raise PresetError(mistakes)
        return _preset(sheet, raw)

    def presets(self) -> Iterator[Preset]:
        """Every preset without mistakes, in the order of their names."""
        for name in self.names:
            try:
                yield self.get(name)
            except PresetError:
                continue

    def mistakes(self, sheet: Sheet | None = None) -> list[Mistake]:
        """What is wrong with a file, or with all of them."""
        if sheet is None:
            sheets = [*self._library.values(), *self._own.values()]
            found = [mistake for each in sheets for mistake in self.mistakes(each)]
            return sorted(set(found) | set(self._doubles))
        try:
            self.complete(sheet)
        except PresetError as error:
            doubles = [d for d in self._doubles if d.path == sheet.path]
            return sorted({*error.mistakes, *doubles})
        return [d for d in self._doubles if d.path == sheet.path]

    def sheet(self, name: str) -> Sheet | None:
        """The file a name stands for; None where there is none."""
        return self._sheet(name)

    def _sheet(self, name: str, is_own: bool = True) -> Sheet | None:
        return (self._own.get(name) if is_own else None) or self._library.get(name)

    def _merged(
        self, sheet: Sheet, above: tuple[Path, ...]
    ) -> tuple[dict[str, Any], list[Mistake]]:
        """A file's keys over those of what it extends, and all mistakes on the way."""
        mistakes, base = list(sheet.mistakes), str(sheet.raw.get("extends", ""))
        if not base:
            return dict(sheet.raw), mistakes
        # A preset of the user's may vary the library's of the same name.
        parent = self._sheet(base, is_own=base != sheet.name)
        here = ("extends",)
        if parent is None:
            near = difflib.get_close_matches(base, self.names, 1)
            hint = f"did you mean {near[0]}?" if near else "retake presets lists them"
            mistakes.append(sheet.mistake(here, f"no preset is called {base!r}; {hint}"))
            return dict(sheet.raw), mistakes
        if parent.path in (*above, sheet.path):
            names = [path.stem for path in (*above, sheet.path, parent.path)]
            loop = " -> ".join(names[names.index(parent.path.stem) :])
            mistakes.append(sheet.mistake(here, f"it goes in a loop: {loop}"))
            return dict(sheet.raw), mistakes
        raw, inherited = self._merged(parent, (*above, sheet.path))
        return _over(raw, sheet.raw), [*mistakes, *inherited]


def _by_name(folder: Path, is_own: bool) -> tuple[dict[str, Sheet], list[Mistake]]:
    """The presets of a folder; of two with one name the first, and a mistake for the other."""
    sheets: dict[str, Sheet] = {}
    doubles = []
    paths = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    for path in paths:
        try:
            sheet = read_sheet(path, is_own)
        except RequestError as error:  # a link to nothing, a folder, another user's file
            sheet = Sheet(path, is_own, {}, "", (Mistake(path, 0, "", error.message),))
        first = sheets.setdefault(sheet.name, sheet)
        if first is not sheet:
            message = f"{sheet.name} is the name of {first.path.name} too; choose another"
            doubles.append(sheet.mistake(("name",), message))
    return sheets, doubles


def _over(raw: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a preset over those of what it extends; parameters are merged one by one.

    A name is each preset's own.
    """
    parameters = {**raw.get("parameters", {}), **own.get("parameters", {})}
    merged = {**{key: value for key, value in raw.items() if key != "name"}, **own}
    return {**merged, "parameters": parameters} if parameters else merged


def _whole_mistakes(sheet: Sheet, raw: Mapping[str, Any]) -> list[Mistake]:
    found = check_whole(raw)
    # What is inherited has no line here: it is the key that brought it that is told.
    inherited: KeyPath = ("extends",) if "extends" in sheet.raw else ()
    mistakes = []
    for keys, message in found:
        mistake = sheet.mistake(keys, message)
        if keys and not mistake.line:
            line = sheet.lines.get(inherited, 0)
            mistake = Mistake(sheet.path, line, mistake.key, message)
        mistakes.append(mistake)
    return sorted(mistakes)


def _preset(sheet: Sheet, raw: Mapping[str, Any]) -> Preset:
    finish = Finish(
        preset=sheet.name,
        chain=tuple(_link(link, sheet) for link in raw.get("chain", [])),
        loudness=raw.get("loudness", "free" if raw["edit"] == "generate" else "source"),
        tail=raw.get("tail", "fade"),
        tail_seconds=float(raw.get("tail_seconds", 0.0)),
    )
    return Preset(
        name=sheet.name,
        family=raw["family"],
        description=raw["description"],
        edit=raw["edit"],
        parameters=_parameters(raw, sheet),
        text=raw.get("text", ""),
        default=raw.get("default", ""),
        negative=raw.get("negative", ""),
        tags=tuple(raw.get("tags", ())),
        finish=finish,
        path=sheet.path,
        is_own=sheet.is_own,
        extends=str(sheet.raw.get("extends", "")),
    )


def _parameters(raw: Mapping[str, Any], sheet: Sheet) -> Mapping[str, Any]:
    """The edit's parameters as the file tells them, a mask's path counted from the file."""
    parameters = raw.get("parameters", {})
    path = mask_path(parameters.get("mask"))
    return {**parameters, "mask": _beside(sheet, path)} if path else parameters


def _beside(sheet: Sheet, path: str) -> str:
    """A path that a file names, counted from that file."""
    return str(sheet.path.parent / Path(path).expanduser())


def _link(link: Mapping[str, Any], sheet: Sheet) -> Link:
    """An effect as the file tells it; relative paths are counted from the file."""
    settings = {key: value for key, value in link.items() if key != "effect"}
    for key in ("plugin", "impulse_response_filename"):
        if key in settings:
            settings[key] = _beside(sheet, settings[key])
    return Link("plugin" if "plugin" in link else link["effect"], settings)
