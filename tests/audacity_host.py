"""A real Audacity with Retake's plug-ins and its script pipe switched on, for the tests."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from desktop import Desktop
from PIL import Image
from running import DEADLINE_S, wait_until

from daw_bridge.audacity import files
from daw_bridge.audacity.pipe import ScriptPipe, pipe_paths
from daw_bridge.install import target_folder
from engine.region import read

PIPE_MODULE = Path("/usr/lib/audacity/modules/mod-script-pipe.so")
CONFIG = """PrefsVersion=1.1.1r1
[GUI]
ShowSplashScreen=0
[Locale]
Language=en
[Module]
mod-script-pipe={on}
[ModulePath]
mod-script-pipe={path}
[ModuleDateTime]
mod-script-pipe={changed}
[Directories]
TempDir={temporary}
[Quality]
DitherAlgorithmChoice=None
HQDitherAlgorithmChoice=None
[SamplingRate]
DefaultProjectSampleRate=48000
DefaultProjectSampleFormatChoice=Format32BitFloat
[FileFormats/ExportFormat_SF1_Type]
wav_10000=6
[AudioFiles]
ShowId3Dialog=0
[Warnings]
FirstProjectSave=0
{version}"""
PORTRAIT = (1120, 560)
MENU_KEYS = {"Effect": "alt+c", "Generate": "alt+g"}


class Audacity:
    """One that runs, with a home of its own."""

    def __init__(
        self, desktop: Desktop, home: Path, state: Path, presets: list[Any], command: str
    ) -> None:
        self.desktop, self._home, self._state = desktop, home, state
        self._dialog = ""
        plug_ins = target_folder("audacity", platform="linux", env={}, home=home)
        plug_ins.mkdir(parents=True)
        for name, text in files(presets, command=command).items():
            (plug_ins / name).write_text(text, encoding="utf-8")
        self._warm_up()
        self._clear_pipes()
        self._write_config(is_scripted=True)
        self.process = self._start()
        self.pipe = ScriptPipe.connect(DEADLINE_S)

    def close(self) -> None:
        """End it, saving nothing."""
        self.pipe.close()
        self.process.kill()
        self.process.wait(60)
        self._clear_pipes()

    def do(self, *commands: str) -> None:
        """Commands over the script pipe."""
        for command in commands:
            self.pipe.do(command, DEADLINE_S)

    def open(self, path: Path, rate: int) -> None:
        """A project of this rate with one track, and nothing to undo but its import."""
        self.do("SelectAll:", "RemoveTracks:", f"SetProject: Rate={rate}")
        self.do(f'Import2: Filename="{path}"')

    def select(self, start_frames: int, frames: int, rate: int, track: int = 0) -> None:
        """Select frames of one track."""
        start_s, end_s = start_frames / rate, (start_frames + frames) / rate
        self.do(f"SelectTracks: Track={track} TrackCount=1")
        self.do(f"SelectTime: Start={start_s!r} End={end_s!r}")

    def samples(self, frames: int, rate: int, channels: int, folder: Path) -> np.ndarray:
        """All of the first track, as Audacity exports it."""
        path = folder / "exported.wav"
        path.unlink(missing_ok=True)
        self.select(0, frames, rate)
        self.do(f'Export2: Filename="{path}" NumChannels={channels}')
        return read(path, context_s=0.0).samples

    def choose(self, effect: str, at_menu: Callable[[], object] = lambda: None) -> None:
        """The effect's dialog, from its real menu; `at_menu` is called while that is open."""
        main = self.desktop.wait_for(r"^(Audacity|exported|clip.*)$")
        for _ in range(5):
            self.desktop.activate(main)
            self._walk(effect)
            at_menu()
            self.desktop.key("Return")
            with contextlib.suppress(AssertionError):
                self._dialog = self.desktop.wait_for(f"^{effect}$", 5.0)
                self.desktop.focus(self._dialog)
                return
            self.desktop.key("Escape", "Escape", "Escape")
        raise AssertionError(f"the dialog of {effect} didn't open")

    def tab_to(self, control: int, buttons: int = 3) -> None:
        """The focus on a control of an open dialog, 0 the first; the buttons above it come first.

        Presets & settings, Apply and Debug; Preview too where an effect has one.
        """
        self.desktop.key(*["Tab"] * (buttons + control))

    def portrait(self) -> Image.Image:
        """The main window and what lies over it."""
        return self.desktop.settle().crop((0, 0, *PORTRAIT))

    def fill(self, preset: int, text: str) -> None:
        """A preset (0: none) and a text in an open dialog; it offers the last ones again."""
        self.tab_to(0)
        self.desktop.key(*["Up"] * 4, *["Down"] * preset, "Tab", "ctrl+a")
        self.desktop.type(text)

    def answer_message(self, title: str, at_message: Callable[[], object] = lambda: None) -> None:
        """OK to a message box: the last opened of those titles, over the progress window."""
        windows: list[str] = []

        def is_open() -> bool:
            windows[:] = self._after_dialog(title)
            return len(windows) == 2

        wait_until(is_open, every_s=0.1)
        message = max(windows, key=int)
        at_message()
        while message in self.desktop.windows(f"^{title}$"):
            # Not twice: a second one would go to the main window, and there unselect the track.
            self.desktop.focus(message)
            self.desktop.key("Return")
            with contextlib.suppress(AssertionError):
                wait_until(
                    lambda: message not in self.desktop.windows(f"^{title}$"),
                    timeout_s=10.0,
                    every_s=0.1,
                )
        self.desktop.wait_gone(f"^{title}$")

    def _after_dialog(self, title: str) -> list[str]:
        """Windows of that title but the effect's dialog, which may not be gone yet."""
        return [one for one in self.desktop.windows(f"^{title}$") if one != self._dialog]

    def _walk(self, effect: str) -> None:
        """Through the menu to an effect, by its keys."""
        items = self.pipe.info("Menus")
        at = next(i for i, item in enumerate(items) if item["label"] == f"{effect}...")
        ups: list[int] = []
        while items[at]["depth"]:
            parent, brothers = _brothers(items, at)
            ups.insert(0, len(brothers) - brothers.index(at))
            at = parent
        self.desktop.key(MENU_KEYS[items[at]["label"]])
        time.sleep(0.5)
        for level, n in enumerate(ups):
            if level:
                self.desktop.key("Right")
                time.sleep(0.3)
            self.desktop.key(*["Up"] * n)
        time.sleep(0.3)

    def _warm_up(self) -> None:
        """The first start of a home looks for plug-ins; the pipe would wait behind a question."""
        self._write_config(is_scripted=False)
        process = self._start()
        registry = self._home / ".config/audacity/pluginregistry.cfg"
        wait_until(lambda: registry.exists() and "takes.ny" in registry.read_text())
        self.desktop.wait_for("^Audacity$")
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def _start(self) -> subprocess.Popen[bytes]:
        env = self.desktop.env(HOME=str(self._home), RETAKE_STATE_DIR=str(self._state))
        with open(self._home / "audacity.log", "ab") as log:
            return subprocess.Popen(
                ["audacity"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _write_config(self, is_scripted: bool) -> None:
        folder = self._home / ".config/audacity"
        folder.mkdir(parents=True, exist_ok=True)
        # Or it offers to recover what it had open when it was ended.
        shutil.rmtree(self._home / "tmp", ignore_errors=True)
        (self._home / "tmp").mkdir()
        changed = datetime.datetime.fromtimestamp(int(PIPE_MODULE.stat().st_mtime))
        (folder / "audacity.cfg").write_text(
            CONFIG.format(
                on=int(is_scripted),
                path=PIPE_MODULE,
                changed=changed.strftime("%Y-%m-%dT%H:%M:%S"),
                temporary=self._home / "tmp",
                version=_version_lines(),
            )
        )

    def _clear_pipes(self) -> None:
        for path in pipe_paths():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _brothers(items: list[Any], at: int) -> tuple[int, list[int]]:
    """An item's parent, and the items beside it that the keys stop at."""
    depth = items[at]["depth"]
    first = at
    while items[first]["depth"] >= depth:
        first -= 1
    last = at
    while last < len(items) and items[last]["depth"] >= depth:
        last += 1
    inside = range(first + 1, last)
    return first, [
        i for i in inside if items[i]["depth"] == depth and not items[i]["label"].startswith("--")
    ]


def _version_lines() -> str:
    """The version Audacity would write: without it, it asks what to do with old settings."""
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "audacity"], capture_output=True)
    found = re.match(rb"(\d+)\.(\d+)\.(\d+)", text.stdout)
    numbers = found.groups() if found else (b"3", b"2", b"4")
    names = ("Major", "Minor", "Micro")
    lines = [f"{name}={n.decode()}" for name, n in zip(names, numbers, strict=True)]
    return "\n".join(["[Version]", *lines, ""])
