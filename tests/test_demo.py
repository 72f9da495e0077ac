"""The demo as a newcomer runs it: its five lines, its files, and an end of its server anywhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import DEADLINE_S

from engine.region import read
from server import demo

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_demo_does_what_its_five_lines_say(tmp_path: Path) -> None:
    before_s = computed_s()
    # One thread: others would count the time they wait for each other.
    more = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "server.demo"],
        cwd=tmp_path,
        env={**os.environ, **more},
        capture_output=True,
        encoding="utf-8",
        timeout=4 * DEADLINE_S,
    )
    assert ended.returncode == 0, ended.stderr
    assert computed_s() - before_s < DEADLINE_S / 2
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["clip", "asked", "got", "changed", "look"]
    assert lines[3].endswith(", 0 of those outside it")
    named = re.fullmatch(r"look at  (\S+\.png); listen to (\S+\.wav)", lines[4])
    assert named
    assert all((tmp_path / path).is_file() for path in named.groups())
    folder = (tmp_path / named[1]).parent
    takes = sorted(folder.glob("take-*.wav"))
    assert [path.name for path in takes] == re.findall(r"take-\d\.wav", lines[2])
    assert len(takes) == demo.EDIT.takes
    for path in takes:
        only_the_region_is_new(path)


def computed_s() -> float:
    """What ended children have computed so far: a machine with much else to do counts less."""
    times = os.times()
    return times.children_user + times.children_system


def only_the_region_is_new(path: Path) -> None:
    clip, take = (read(name, context_s=0.0) for name in (demo.CLIP, path))
    assert (take.rate, take.samples.shape) == (clip.rate, clip.samples.shape)
    start, frames = (round(seconds * clip.rate) for seconds in (demo.START_S, demo.LENGTH_S))
    inside = slice(start, start + frames)
    assert not np.array_equal(take.samples[inside], clip.samples[inside])
    for outside in (slice(0, start), slice(start + frames, None)):
        assert np.array_equal(take.samples[outside], clip.samples[outside])


class ProcessOnWindows:
    """What a Popen can do there: of all signals it sends SIGTERM, by ending the process."""

    def __init__(self, heeds: bool) -> None:
        self.heeds, self.has_ended = heeds, False

    def send_signal(self, number: int) -> None:
        if number != signal.SIGTERM:
            raise ValueError(f"Unsupported signal: {number}")
        self.terminate()

    def terminate(self) -> None:
        self.has_ended = self.heeds

    def kill(self) -> None:
        self.has_ended = True

    def wait(self, timeout_s: float | None = None) -> int:
        if not self.has_ended:
            raise subprocess.TimeoutExpired("retake serve", timeout_s or 0.0)
        return 1


@pytest.mark.parametrize("heeds", [True, False])
def test_the_server_is_ended_on_windows_too(heeds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    process = ProcessOnWindows(heeds)
    with monkeypatch.context() as patch:
        patch.setattr("os.name", "nt")
        demo.stop(process)  # type: ignore[arg-type]
    assert process.has_ended
