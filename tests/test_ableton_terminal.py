"""`retake live` in a real terminal (xterm under Xvfb), against the Remote Script in the fake Live.

With RETAKE_PICTURES the embedded checkpoint makes the takes and the picture goes into the docs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from desktop import PICTURES, Desktop, missing
from fake_live_studio import Studio, studio
from running import Running
from servers import real_server

ROOT = Path(__file__).parent.parent
NEEDED = missing("xterm")
#: A terminal on a busy machine.
AGAIN_S, SLOW_S = 10.0, 180.0
CALLED = "import sys; from server.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Studio]:
    state = tmp_path / "state"
    if os.environ.get(PICTURES):
        with real_server(state), studio(tmp_path, state) as made:
            yield made
        return
    double = Running(state)
    try:
        with studio(tmp_path, state) as made:
            yield made
    finally:
        double.stop()


def set_in(live: Studio, desktop: Desktop, line: str, key: str) -> None:
    """Type a setting, again where the terminal wasn't ready for it, until Live has it."""
    said_s = -AGAIN_S

    def is_set() -> bool:
        nonlocal said_s
        if any(key in form for form in live.surface.heard("form")):
            return True
        if time.monotonic() - said_s > AGAIN_S:
            desktop.type(line)
            desktop.key("Return")
            said_s = time.monotonic()
        return False

    live.live.run_until(is_set, SLOW_S)


@pytest.mark.skipif(bool(NEEDED), reason=NEEDED)
def test_a_take_is_made_and_chosen_from_a_terminal(live: Studio, tmp_path: Path) -> None:
    live.session_clip(warping=False, name="door")
    with Desktop() as desktop:
        terminal = subprocess.Popen(
            ["xterm", "-title", "retake live", "-fa", "DejaVu Sans Mono", "-fs", "11",
             "-geometry", "84x18+0+0", "-e", sys.executable, "-c", CALLED,
             "live", "--state-dir", str(live.state)],
            cwd=ROOT,
            env=desktop.env(),
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            desktop.activate(desktop.wait_for("^retake live$", SLOW_S))
            live.surface.send("watch", 1, live.surface.port)
            for line, heard in (("/takes 2", "takes"), ("/strength 0.7", "strength")):
                set_in(live, desktop, line, heard)
            desktop.type("heavy rain on a tin roof")
            desktop.key("Return")
            ended = live.wait_for("ended")
            assert ended[1] == "placed", ended
            desktop.keep("ableton-panel.png", desktop.settle().crop((0, 0, 762, 372)), tmp_path)
            desktop.type("/quit")
            desktop.key("Return")
            live.wait_until(lambda: terminal.poll() is not None)
        finally:
            terminal.kill()
            terminal.wait(30)
    assert terminal.returncode == 0
    titles = [slot.clip.name for slot in live.track.clip_slots[1:3]]
    assert all(title.startswith("Retake: heavy rain on a tin roof (seed ") for title in titles)
