"""A fake REAPER with Retake installed, beside a server: what the tests of the bridge stand in."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import lupa.lua53
import lupa.lua54
import numpy as np
import soundfile
from fake_reaper import FakeReaper, Script
from fake_reaper_media import Item, Project, Source

from daw_bridge.install import Kit, install

LUAS = {"Lua 5.3": lupa.lua53, "Lua 5.4": lupa.lua54}
SERVE_DOUBLE = Path(__file__).with_name("serve_double.py")
PRESETS = (
    {"name": "cathedral", "family_title": "Spaces", "edit": "transfer", "default": "a hall",
     "description": "far away", "parameters": {"strength": 0.35}},
    {"name": "fill", "family_title": "Repair", "edit": "inpaint", "parameters": {}},
    {"name": "lead-in", "family_title": "Loops", "edit": "continue",
     "parameters": {"seconds": 2, "direction": "before"}},
    {"name": "longer-bed", "family_title": "Loops", "edit": "continue",
     "parameters": {"seconds": 5}},
)  # fmt: skip


def tone(path: Path, n_channels: int = 2, length_s: float = 1.0, rate: int = 44100) -> Path:
    """A sound that is different at each moment and in each channel."""
    time_s = np.arange(round(length_s * rate)) / rate
    channels = [
        (0.5 - 0.05 * c) * np.sin(2 * np.pi * (200 + 90 * c + 150 * time_s) * time_s)
        for c in range(n_channels)
    ]
    is_flac = path.suffix == ".flac"
    soundfile.write(path, np.stack(channels, 1), rate, subtype="PCM_24" if is_flac else "FLOAT")
    return path


class Studio:
    """REAPER, its scripts, and the state folder of a server that may run."""

    def __init__(self, lua: str, folder: Path, state: Path, command: str = "false") -> None:
        self.folder, self.state = folder, state
        self.scripts = folder / "Scripts" / "Retake"
        install("reaper", Kit(command, str(state), PRESETS), self.scripts)
        self.reaper = FakeReaper(LUAS[lua], folder)

    @property
    def project(self) -> Project:
        return self.reaper.project

    @property
    def panel(self) -> Script:
        """The panel that runs."""
        running = [s for s in self.reaper.scripts if "panel" in s.path.name and not s.is_ended]
        assert running, "no panel runs"
        return running[-1]

    def act(self, name: str, *answers: str | None) -> Script:
        """Run an action; `answers` are what the user types into its dialogs."""
        self.reaper.dialogs.extend(answers)
        return self.reaper.run_script(self.scripts / f"Retake - {name}.lua")

    def item(self, n_channels: int = 2, length_s: float = 1.0, **more: Any) -> Item:
        """An item of a new file, selected."""
        number = len(list(self.folder.glob("*.wav")))
        path = tone(self.folder / f"clip {number}.wav", n_channels, length_s)
        return self.project.add(Source(path), **more)

    def shown(self) -> str:
        """Everything the panel says."""
        return "\n".join(self.panel.window.texts())

    def wait_for_takes(self, item: Item, n: int = 2) -> None:
        """Until an item has so many takes, or a job has failed."""
        self.reaper.run_until(lambda: len(self.find(item).takes) >= n)

    def wait_for_text(self, text: str) -> None:
        """Until the panel says so."""
        self.reaper.run_until(lambda: text in self.shown())

    def find(self, item: Item) -> Item:
        """The item as it is now: undo makes new ones."""
        return next(found for found in self.project.items if found.guid == item.guid)

    def submissions(self) -> list[dict[str, Any]]:
        """What the server was asked for, in order."""
        with closing(sqlite3.connect(f"file:{self.state}/jobs.sqlite?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT submission FROM job ORDER BY rowid").fetchall()
        return [json.loads(row[0]) for row in rows]

    def history(self) -> list[dict[str, Any]]:
        """The recipes that lie in the project, the oldest first."""
        ext = self.project.ext
        count = int(ext.get(("retake", "recipes"), "0"))
        numbers = range(max(0, count - 50), count)
        return [json.loads(ext["retake", f"recipe {n % 50 + 1:02}"]) for n in numbers]

    def pending(self, project: Project | None = None) -> list[str]:
        """The jobs a project waits for."""
        ext = (project or self.project).ext
        return [key.lower() for section, key in ext if section == "retake-pending"]

    def run_until_asked(self) -> None:
        """Until the server has been asked for every job the project waits for."""

        def is_asked() -> bool:
            entries = [self.project.ext["retake-pending", name] for name in self.pending()]
            return bool(entries) and not any("is_unasked" in entry for entry in entries)

        self.reaper.run_until(is_asked)

    def click(self, text: str) -> None:
        """Click what the panel calls so."""
        self.click_at(*self.panel.window.place_of(text))

    def click_at(self, x: float, y: float, n_ticks: int = 2) -> None:
        """Press and release the left button."""
        gfx = self.panel.gfx
        gfx["mouse_x"], gfx["mouse_y"], gfx["mouse_cap"] = x, y, 1.0
        self.reaper.tick()
        gfx["mouse_cap"] = 0.0
        for _ in range(n_ticks - 1):
            self.reaper.tick()

    def type(self, text: str) -> None:
        """Type into the panel."""
        codes = [ord(c) if ord(c) < 256 else 0x75000000 + ord(c) for c in text]
        self.panel.window.keys += codes

    def close(self) -> None:
        """Quit, and look at what is left."""
        self.reaper.close()
        assert self.reaper.offences == []
        assert self.reaper.refresh_locks == 0
        assert all(project.open_block is None for project in self.reaper.projects)
        assert not list(self.folder.rglob("*.part")), "something half written was left"


@contextmanager
def studio(lua: str, folder: Path, state: Path, command: str = "false") -> Iterator[Studio]:
    """A studio that is closed whatever comes."""
    made = Studio(lua, folder, state, command)
    try:
        yield made
    except BaseException:
        made.reaper.close()
        raise
    made.close()


def double_command(state: Path) -> str:
    """A command line that starts a server with the double."""
    return f"{sys.executable} {SERVE_DOUBLE} {state}"
