"""An Ableton Live that runs a Remote Script without Live: a stage for it, ticks, undo steps.

It is a model, made from public documentation and what others saw of Live 12: what Live itself does
was not seen. It takes offence (MisuseError) at every name that Live's object model doesn't have, at
clips laid over others, at ticks that take too long and at undo steps left open.
"""

from __future__ import annotations

import importlib
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_live_objects import MisuseError, Song, WarpMarker
from host_time import without_collection

#: Live ticks ten times a second; tests needn't wait so long.
LIVES_TICK_S = 0.1
TICK_S = 0.02
#: CPU time of a tick: the bridge promises 20 ms; a slow processor gets half as much again.
MAX_TICK_S = 0.030


class ControlSurface:
    """Stands where `_Framework.ControlSurface` would."""

    def __init__(self, c_instance: FakeLive) -> None:
        self._c_instance = c_instance
        self.is_disconnected = False

    def update_display(self) -> None:
        assert not self.is_disconnected

    def disconnect(self) -> None:
        assert not self.is_disconnected
        self.is_disconnected = True

    def log_message(self, text: str) -> None:
        self._c_instance.log_message(text)


class FakeLive:
    """The application, and the handle (`c_instance`) that a control surface gets of it.

    Parameters
    ----------
    version : tuple of int
        (12, 2, 0) has take lanes; before (12, 0, 5) no clip can be made from a file.
    """

    def __init__(self, folder: Path, version: tuple[int, int, int] = (12, 2, 0)) -> None:
        self.folder, self.version = folder, version
        self._song = Song(version)
        self.messages: list[str] = []
        self.logged: list[str] = []
        self.ticks_s: list[float] = []
        self.script: Any = None
        self.tick_s = TICK_S

    # What a script may call.

    def song(self) -> Song:
        return self._song

    def show_message(self, text: str) -> None:
        assert isinstance(text, str)
        self.messages.append(text)

    def log_message(self, text: str) -> None:
        self.logged.append(text)

    # What the tests call.

    @property
    def model(self) -> Song:
        return self._song

    def choose_script(self, scripts: Path) -> None:
        """As if the user chose Retake as a control surface."""
        for name in [one for one in sys.modules if one.split(".")[0] == "Retake"]:
            del sys.modules[name]
        sys.path.insert(0, str(scripts))
        try:
            package = importlib.import_module("Retake")
            self.script = package.create_instance(self)
        finally:
            sys.path.remove(str(scripts))

    def tick(self) -> None:
        """One of Live's: what was put off happens, then the script has its turn."""
        self._song.do_deferred()
        with without_collection():
            began_s = time.thread_time()
            self.script.update_display()
            spent_s = time.thread_time() - began_s
        self.ticks_s.append(spent_s)
        assert not self.logged, self.logged
        if spent_s > MAX_TICK_S:
            raise MisuseError(f"a tick took {spent_s * 1000:.1f} ms of Live's own thread")

    def run_until(self, is_so: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Tick until something has come about."""
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, f"it never came about; last: {self.messages[-3:]}"
            self.tick()
            time.sleep(self.tick_s)

    def wait_for_message(self, part: str) -> str:
        """Until the status bar has shown something; gives it."""
        self.run_until(lambda: any(part in text for text in self.messages))
        return next(text for text in self.messages if part in text)

    def quit(self) -> None:
        """As Live ends, or another set is opened."""
        if self.script and not self.script.is_disconnected:
            self.script.disconnect()
        assert self._song.open_steps == 0, "an undo step was left open"


@contextmanager
def modules_of_live() -> Iterator[None]:
    """`Live` and `_Framework`, as Live's own Python has them."""
    live = types.ModuleType("Live")
    live.Clip = types.SimpleNamespace(WarpMarker=WarpMarker)  # type: ignore[attr-defined]
    framework = types.ModuleType("_Framework")
    surface = types.ModuleType("_Framework.ControlSurface")
    surface.ControlSurface = ControlSurface  # type: ignore[attr-defined]
    made = {"Live": live, "_Framework": framework, "_Framework.ControlSurface": surface}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in made.items():
            patch.setitem(sys.modules, name, module)
        yield
        for name in [one for one in sys.modules if one.split(".")[0] == "Retake"]:
            del sys.modules[name]
