"""`retake watch FOLDER --preset NAME`: audio files dropped in, takes come out.

A file is taken up once it has stood still for two seconds, so that a copy or a bounce in progress
is waited for. Takes never replace anything: `door.wav` becomes `door.cathedral.wav`, or
`door.cathedral.2.wav` where that is taken. They go to `FOLDER - takes` beside the folder, or where
`-o` says. Beside them, `retake-done.txt` tells which files are done, so that a watch can be ended
and begun again; `retake-errors.txt` tells what failed and why: that is tried again when the file
changes, or when a watch begins.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import RequestError, RetakeError
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

#: Size and time of change: what tells whether a file is still being written.
State = tuple[int, int]


def run(options: argparse.Namespace) -> None:
    """Watch until Ctrl-C, or with `--once` until every file that is there is done."""
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
    print(f"watching {inbox} for {preset.name}; takes go to {outbox} (Ctrl-C ends)", flush=True)
    while True:
        for line in watch.look():
            print(line, flush=True)
        if options.once and not watch.is_waiting:
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
    _seen: dict[Path, tuple[State, int]] = field(default_factory=dict)
    _settled: dict[Path, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        preset = {key: value for key, value in self.preset.facts().items() if key != "path"}
        model = getattr(self.engine, "name", "")
        asked = json.dumps([preset, self.prompt, model], sort_keys=True, default=str)
        self._asked = hashlib.sha256(asked.encode()).hexdigest()[:12]
        done = self.outbox / DONE
        self._done = set(done.read_text("utf-8").splitlines()) if done.exists() else set()

    def look(self) -> Iterator[str]:
        """Do what is ready, a line for each file; `is_waiting` tells whether any is not yet."""
        self.is_waiting = False
        for path in self._files():
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
            if path.suffix.lower() in SUFFIXES and path.name[0] not in ".~" and path.is_file()
        )

    def _stands_still(self, path: Path, state: State) -> bool:
        before, looks = self._seen.get(path, (None, 0))
        looks = looks + 1 if before == state else 1
        self._seen[path] = state, looks
        return looks > STILL_LOOKS

    def _record(self, path: Path, state: State) -> str:
        """What stands in the list of done files: another text for a file that has changed, and for
        another preset, text or model."""
        return f"{state[0]} {state[1]} {self.preset.name} {self._asked} {path.name}"

    def _take_path(self, path: Path, number: int) -> Path:
        count = f".{number}" if number > 1 else ""
        return self.outbox / f"{path.stem}.{self.preset.name}{count}.wav"

    def _do(self, path: Path, state: State) -> str:
        try:
            written = self._render(path)
        except (RetakeError, OSError) as error:
            message = getattr(error, "message", None) or str(error)
            self._note(path, message)
            return f"{path.name}: failed: {message}"
        self._add_line(DONE, self._record(path, state))
        return f"{path.name}: {', '.join(take.name for take in written)}"

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
        self._add_line(ERRORS, f"{now}  {path.name}: {' '.join(message.split())}")

    def _add_line(self, name: str, line: str) -> None:
        with (self.outbox / name).open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")


def _state(path: Path) -> State:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
