"""A screen nobody sees, with a window manager, for the tests that drive a real host as a person."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from PIL import Image, ImageGrab
from running import DEADLINE_S

PROGRAMS = ("Xvfb", "openbox", "xdotool")
SIZE = (1280, 800)
#: Pictures of a test go into the docs if this is set to their folder, else they are thrown away.
PICTURES = "RETAKE_PICTURES"
MAX_PICTURE_BYTES = 150_000
#: Set where the hosts were installed for the tests: then none of them may be left out.
NEEDED = "RETAKE_NEEDS_HOSTS"


def missing(*programs: str) -> str:
    """The programs that aren't installed, of these and of a desktop's own.

    Raises
    ------
    RuntimeError
        Some aren't, on a machine that is to have them all: a skipped test would look like a passed
        one there.
    """
    absent = ", ".join(name for name in (*PROGRAMS, *programs) if not shutil.which(name))
    if absent and os.environ.get(NEEDED):
        raise RuntimeError(f"${NEEDED} is set, but these aren't installed: {absent}")
    return absent


class Desktop:
    """An X server of its own, closed with everything that runs on it."""

    def __init__(self) -> None:
        ready, wants = os.pipe()
        width, height = SIZE
        self._screen = subprocess.Popen(
            f"Xvfb -displayfd {wants} -nolisten tcp -noreset -screen 0 {width}x{height}x24".split(),
            pass_fds=[wants],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(wants)
        with os.fdopen(ready) as file:
            self.display = ":" + file.readline().strip()
        assert self.display != ":", "Xvfb didn't start"
        self._manager = self._managed()

    def _managed(self) -> subprocess.Popen[bytes]:
        """The window manager, ready: it loses windows that are opened while it starts."""
        with tempfile.TemporaryDirectory() as folder:
            ready = Path(folder) / "ready"
            manager = subprocess.Popen(
                ["openbox", "--sm-disable", "--startup", f"touch {ready}"],
                env=self.env(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            deadline = time.monotonic() + DEADLINE_S
            while not ready.exists():
                assert time.monotonic() < deadline, "openbox didn't start"
                time.sleep(0.02)
        return manager

    def __enter__(self) -> Desktop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in (self._manager, self._screen):
            process.terminate()
            process.wait(30)

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a program that is to open its windows here."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
        return {**kept, "DISPLAY": self.display, "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1", **more}

    def ask(self, *words: str) -> str:
        """What xdotool answers; empty where it finds nothing."""
        return self._asked(*words).stdout

    def windows(self, title: str) -> list[str]:
        """Windows that can be seen, by a regular expression of their title.

        xdotool's search dies of a window that closes in the middle of it: it is asked again then.
        """
        search = ("search", "--onlyvisible", "--name", title)
        for _ in range(20):
            answer = self._asked(*search)
            if "X Error" not in answer.stderr:
                return answer.stdout.split()
        raise AssertionError(f"xdotool can't search: {answer.stderr}")

    def _asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["xdotool", *words], env=self.env(), capture_output=True, text=True, timeout=60
        )

    def wait_for(self, title: str, timeout_s: float = DEADLINE_S) -> str:
        """The window of that title, once it can be seen."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.windows(title)):
            assert time.monotonic() < deadline, f"no window was called {title!r}"
            time.sleep(0.05)
        return found[-1]

    def wait_gone(self, title: str, timeout_s: float = DEADLINE_S) -> None:
        """Until no window has that title."""
        deadline = time.monotonic() + timeout_s
        while self.windows(title):
            assert time.monotonic() < deadline, f"the window {title!r} stayed"
            time.sleep(0.05)

    def activate(self, window: str) -> None:
        """Bring a window to the front."""
        self.ask("windowactivate", "--sync", window)

    def focus(self, window: str, timeout_s: float = 5.0) -> None:
        """Bring a window to the front, and wait until keys go to it."""
        deadline = time.monotonic() + timeout_s
        self.activate(window)
        while self.ask("getactivewindow").strip() != window:
            assert time.monotonic() < deadline, f"window {window} doesn't get the focus"
            time.sleep(0.05)

    def move(self, window: str, x: int, y: int) -> None:
        """Put a window where a picture is to show it: the manager lays each elsewhere."""
        self.ask("windowmove", window, str(x), str(y))

    def key(self, *keys: str) -> None:
        """Press keys, one after another."""
        self.ask("key", "--delay", "40", *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self.ask("type", "--delay", "15", text)

    def click_in(self, window: str, x: int, y: int) -> None:
        """Click at a point of a window."""
        self.ask("mousemove", "--window", window, str(x), str(y), "click", "1")

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Draw with the mouse's first button held."""
        (x, y), (to_x, to_y) = start, end
        self.ask("mousemove", str(x), str(y), "mousedown", "1")
        for part in (0.3, 0.6, 1.0):
            at = (round(x + part * (to_x - x)), round(y + part * (to_y - y)))
            self.ask("mousemove", "--sync", str(at[0]), str(at[1]))
            time.sleep(0.1)
        self.ask("mouseup", "1")

    def picture(self) -> Image.Image:
        """What is to be seen."""
        return ImageGrab.grab(xdisplay=self.display)

    def settle(self, timeout_s: float = DEADLINE_S) -> Image.Image:
        """What is to be seen, once it has stayed the same for half a second."""
        deadline = time.monotonic() + timeout_s
        before = self.picture()
        while True:
            time.sleep(0.5)
            after = self.picture()
            if before.tobytes() == after.tobytes() or time.monotonic() > deadline:
                return after
            before = after

    def keep(self, name: str, image: Image.Image, folder: Path) -> Path:
        """Keep a picture, reduced to a palette: in the docs where that is asked for."""
        path = Path(os.environ.get(PICTURES) or folder) / name
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True)
        assert 2000 < path.stat().st_size < MAX_PICTURE_BYTES, f"{name}: {path.stat().st_size}"
        return path
