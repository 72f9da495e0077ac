"""`retake watch FOLDER --preset NAME`: audio files dropped in, takes come out.

A file is taken up once it has stood still for two seconds, so that a copy or a bounce in progress
is waited for. Takes never replace anything: `door.wav` becomes `door.cathedral.wav`, or
`door.cathedral.2.wav` where that is taken. They go to `FOLDER - takes` beside the folder, or where
`-o` says. Beside them, `retake-done.txt` tells which files are done, so that a watch can be ended
and begun again; `retake-errors.txt` tells what failed and why: that is tried again when the file
changes, or when a watch begins. A folder that goes away, with its drive perhaps, is waited for, and
what failed is tried again when it is back.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FaultError, RequestError
from engine.region import read, write
from engine.samples import Samples
from presets import Preset, Shelf
from server.editing import DEFAULT_MODEL, progress_bar

if TYPE_CHECKING:
    from presets.finishing import Editor

DONE, ERRORS = "retake-done.txt", "retake-errors.txt"
SUFFIXES = (".wav", ".wave", ".flac", ".aif", ".aiff", ".ogg", ".opus", ".mp3", ".caf", ".w64")
LOOK_EVERY_S = 1.0
#: Looks at which a file must not have changed.
STILL_LOOKS = 2
#: In a file's name: what would end a line, or isn't UTF-8.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: Size and time of change: what tells whether a file is still being written.
State = tuple[int, int]


def run(options: argparse.Namespace) -> None:
    """Watch until Ctrl-C, or with `--once` until every file that is there is done.

    With `--once`: FaultError (`internal`) where files failed, RequestError (`no-such-file`) where
    the folder went away.
    """
    inbox, outbox = _folders(options)
    preset = Shelf().get(options.preset)
    if preset.edit == "generate":
        raise RequestError(
            "bad-value", f"preset {preset.name} makes sound from nothing; it takes no files"
        )
    preset.make_edit({"prompt": options.prompt or ""}, 1)  # refused now and not at every file
    from engine import Engine

    engine = Engine.load(options.model or DEFAULT_MODEL, device=options.device or "auto")
    outbox.mkdir(parents=True, exist_ok=True)
    watch = FolderWatch(inbox, outbox, preset, engine, options.prompt or "")
    begun = f"watching {inbox} for {preset.name}; takes go to {outbox} (Ctrl-C ends)"
    print(in_a_line(begun), flush=True)
    while True:
        for line in watch.look():
            print(line, flush=True)
        if options.once and not watch.is_waiting:
            watch.check()
            return
        time.sleep(LOOK_EVERY_S)


def _folders(options: argparse.Namespace) -> tuple[Path, Path]:
    if not (options.job and options.preset):
        raise RequestError(
            "bad-request", "a folder is watched with: retake watch FOLDER --preset NAME [-o OUT]"
        )
    inbox = Path(os.path.abspath(options.job))  # `.` and `..` have names then
    beside = inbox.parent / f"{inbox.name} - takes"
    outbox = Path(options.output).absolute() if options.output else beside
    if not inbox.is_dir():
        raise RequestError("no-such-file", f"{inbox} is no folder; make it first")
    if inbox.resolve() == outbox.resolve():
        raise RequestError("bad-value", "takes can't go into the folder that is watched")
    return inbox, outbox


@dataclass(eq=False)
class FolderWatch:
    """A folder's audio files, and what has become of them.

    Parameters
    ----------
    inbox, outbox : Path
        Both exist, and are not the same.
    preset : Preset
        Not of generate.
    engine : Engine
    prompt : str
        The user's words, for all files.
    """

    inbox: Path
    outbox: Path
    preset: Preset
    engine: Editor
    prompt: str = ""
    is_waiting: bool = False
    _is_gone: bool = False
    _outcomes: dict[Path, bool] = field(default_factory=dict)
    _seen: dict[Path, tuple[State, int]] = field(default_factory=dict)
    _settled: dict[Path, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        preset = {key: value for key, value in self.preset.facts().items() if key != "path"}
        model = getattr(self.engine, "name", "")
        asked = json.dumps([preset, self.prompt, model], sort_keys=True, default=str)
        self._asked = hashlib.sha256(asked.encode()).hexdigest()[:12]
        done = self.outbox / DONE
        self._done = set(done.read_text("utf-8").split("\n")) if done.exists() else set()

    def look(self) -> Iterator[str]:
        """Do what is ready, a line for each file; `is_waiting` tells whether any is not yet."""
        self.is_waiting = False
        try:
            paths = self._files()
        except OSError:
            yield from self._miss()
            return
        yield from self._welcome_back()
        for path in paths:
            try:
                state = _state(path)
            except OSError:  # gone again
                continue
            is_empty = not state[0]  # somebody has just begun it
            if (
                is_empty
                or self._settled.get(path) == state
                or self._record(path, state) in self._done
            ):
                continue
            if self._stands_still(path, state):
                self._settled[path] = state
                yield self._do(path, state)
            else:
                self.is_waiting = True

    def _files(self) -> list[Path]:
        """The audio files there are, in order; what a program is still making begins with a dot."""
        return sorted(
            path
            for path in self.inbox.iterdir()
            if path.suffix.lower() in SUFFIXES
            if path.name[0] not in ".~" and os.path.isfile(path)  # Path's own may raise
        )

    def _miss(self) -> Iterator[str]:
        if not self._is_gone:
            self._is_gone = True
            yield in_a_line(f"{self.inbox} can't be reached; waiting until it is back")

    def _welcome_back(self) -> Iterator[str]:
        if self._is_gone:
            self._is_gone = False
            self._settled.clear()  # what failed may have failed because of that
            yield in_a_line(f"{self.inbox} is back")

    def check(self) -> None:
        """Raise for files that failed, or for a folder that isn't there; see `run`."""
        if self._is_gone:
            raise RequestError("no-such-file", f"{self.inbox} can't be reached any more")
        n_failed = list(self._outcomes.values()).count(False)
        if n_failed:
            n_files = len(self._outcomes)
            message = f"{n_failed} of {n_files} files failed; {self.outbox / ERRORS} says why"
            raise FaultError("internal", message)

    def _stands_still(self, path: Path, state: State) -> bool:
        before, looks = self._seen.get(path, (None, 0))
        looks = looks + 1 if before == state else 1
        self._seen[path] = state, looks
        return looks > STILL_LOOKS

    def _record(self, path: Path, state: State) -> str:
        """What stands in the list of done files: another text for a file that has changed, and for
        another preset, text or model."""
        return f"{state[0]} {state[1]} {self.preset.name} {self._asked} {in_a_line(path.name)}"

    def _take_path(self, path: Path, number: int) -> Path:
        count = f".{number}" if number > 1 else ""
        return self.outbox / f"{path.stem}.{self.preset.name}{count}.wav"

    def _do(self, path: Path, state: State) -> str:
        """A file's takes, and the line that tells of them; whatever goes wrong is that file's."""
        record = self._record(path, state)
        self._outcomes[path] = False
        try:
            written = self._render(path)
            self._add_line(DONE, record)
        except Exception as error:
            message = _reason(error)
            self._note(path, message)
            return in_a_line(f"{path.name}: failed: {message}")
        self._outcomes[path] = True
        self._done.add(record)
        return in_a_line(f"{path.name}: {', '.join(take.name for take in written)}")

    def _render(self, path: Path) -> list[Path]:
        region = read(path, context_s=0.0)
        edit = self.preset.make_edit({"prompt": self.prompt}, region.n_frames)
        from presets.finishing import finished_takes

        with progress_bar(path.name) as listen:
            takes = finished_takes(
                self.engine,
                region,
                edit,
                self.preset.finish,
                lambda point: listen(point.fraction, point.stage),
            )
        return [self._keep(path, take.samples, take.rate) for take in takes]

    def _keep(self, path: Path, samples: Samples, rate: int) -> Path:
        """Write a take under the first name that is free."""
        number = 1
        while True:
            take = self._take_path(path, number)
            try:
                write(take, samples, rate)
            except RequestError as error:
                if error.code != "conflict":
                    raise
                number += 1
            else:
                return take

    def _note(self, path: Path, message: str) -> None:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        with contextlib.suppress(OSError):  # the line on the screen tells it too
            self._add_line(ERRORS, in_a_line(f"{now}  {path.name}: {message}"))

    def _add_line(self, name: str, line: str) -> None:
        with (self.outbox / name).open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")


def in_a_line(text: str) -> str:
    """A text that names files as one line of UTF-8: what can't stand there becomes an escape."""
    return _UNWRITABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _reason(error: Exception) -> str:
    """What went wrong, on one line."""
    known = getattr(error, "message", None) or (str(error) if isinstance(error, OSError) else "")
    return " ".join((known or f"{type(error).__name__}: {str(error) or 'no message'}").split())


def _state(path: Path) -> State:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
