"""`retake live`, the terminal panel, against the Remote Script in the fake Live."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_live_studio import Studio, studio, upside_down
from running import Running

from engine.errors import RequestError
from server import live_panel

RETAKE = [sys.executable, "-m", "server.cli", "live"]
ROOT = Path(__file__).parent.parent


@pytest.fixture
def live(tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(tmp_path, server.folder) as made:
        yield made


def panel(live: Studio, *arguments: str, typed: str = "", until: str = "") -> tuple[int, str]:
    """Run the panel while Live ticks; its status and what it printed."""
    process = subprocess.Popen(
        [*RETAKE, *arguments, "--state-dir", str(live.state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or []))
    reader.start()
    try:
        assert process.stdin is not None
        with process.stdin as stdin:
            for line in typed.splitlines(keepends=True):
                before = len(said)
                stdin.write(line)
                stdin.flush()
                # Each line's answer is waited for, as a person would.
                live.wait_until(lambda n=before: len(said) > n or process.poll() is not None)
            live.wait_until(lambda: until in "".join(said) or process.poll() is not None)
        live.wait_until(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait(30)
        reader.join(30)
        assert process.stdout is not None
        process.stdout.close()
    return process.returncode, "".join(said)


def test_one_command_makes_a_take(live: Studio) -> None:
    clip = live.session_clip(warping=False)
    status, said = panel(live, "rain", "--strength", "0.4", "--takes", "2", "--set", "seed=7")
    assert status == 0, said
    assert said.splitlines() == [
        "Retake: rain (seed 7): 1-Audio, slot 2",
        "Retake: rain (seed 8): 1-Audio, slot 3",
        "Retake: rain is done.",
    ]
    upside_down(live.track.clip_slots[1].clip, clip.file_path, 0.0, 4.0)


def test_refusal_is_the_callers_mistake(live: Studio) -> None:
    status, said = panel(live, "rain")
    assert status == 2
    assert "No clip is chosen" in said


def test_failure_is_told(live: Studio) -> None:
    live.session_clip()
    status, said = panel(live, "break")
    assert status == 1
    assert "ZeroDivisionError" in said


def test_panel_stays_and_does_what_is_typed(live: Studio) -> None:
    live.session_clip(warping=False, name="door")
    typed = "/clip\n/takes 2\n/strength 0.3\n/text hail\n/go\n/cancel\n/help\n/presets\n"
    status, said = panel(live, typed=typed, until=" presets\n")
    assert status == 0, said
    assert "The server answers." in said
    assert "door: 0.00 s + 4.00 s" in said
    assert "takes=2  strength=0.3" in said
    assert "telephone" in said


def test_typed_lines_become_messages() -> None:
    sent: list[tuple[object, ...]] = []
    said: list[str] = []
    for line in ("rain on tin", "", "/go", "/strength 0.5", "/takes 3", "/preset x", "/text 808",
                 "/strength", "/again", "/help"):  # fmt: skip
        live_panel.obey(line, lambda *values: sent.append(values), said.append)
    assert sent == [
        ("go", "rain on tin"),
        ("go",),
        ("set", "strength", 0.5),
        ("set", "takes", 3),
        ("set", "preset", "x"),
        ("set", "prompt", "808"),
        ("set", "strength", ""),
        ("again",),
    ]
    assert said == [live_panel.HELP]


def test_progress_is_for_terminals_only() -> None:
    stream = io.StringIO()
    screen = live_panel.Screen(stream)
    screen.show("progress", ("job", 0.5, "denoising", 3.0))
    assert stream.getvalue() == ""
    screen.show("ended", ("job", "placed", "Retake: rain is done."))
    screen.show("a word of a later version", ())
    assert stream.getvalue() == "Retake: rain is done.\n"


@pytest.mark.parametrize("note", [None, "", "port=many\n", "port=1\npid=7\n"])
def test_no_live_is_said_with_what_would_do(tmp_path: Path, note: str | None) -> None:
    if note is not None:
        (tmp_path / "live.conf").write_text(note)
    done = subprocess.run(
        [*RETAKE, "rain", "--state-dir", str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode in (1, 2)
    assert "choose Retake" in done.stderr or "Live has gone" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_note_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    (tmp_path / live_panel.CONF_NAME).write_bytes(b"port=9\xff\n")
    with pytest.raises(RequestError, match="Live doesn't run Retake"):
        live_panel.Wire(tmp_path)
