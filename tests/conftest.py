"""Fixtures that several test files share."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny as tiny_checkpoint
from running import RATE, Running

from engine.region import write

if TYPE_CHECKING:
    from engine import Region
    from engine.engine import Engine


#: Whether an item's own part failed, for fixtures that must know.
FAILED = pytest.StashKey[bool]()
#: Real hosts on a shared machine: a window manager, a disk, another process has its hiccup now and
#: then, and a test that fails is tried again, twice. With more tries than this the run has failed.
MAX_TRIED_AGAIN = 5


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


def tried_again(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("rerun", []) if reporter else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    if len(tried_again(session.config)) > MAX_TRIED_AGAIN:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was tried again is no secret: why it failed before."""
    reports = tried_again(terminalreporter.config)
    if len(reports) > MAX_TRIED_AGAIN:
        terminalreporter.section("failed: too many tests had to be tried again", red=True)
    for report in reports:
        terminalreporter.section(f"tried again: {report.nodeid}")
        terminalreporter.line(report.longreprtext)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with random weights and all parts. Copy it before changing it."""
    return tiny_checkpoint.build(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Engine:
    """An engine on the tiny checkpoint, in fp32."""
    from engine import Engine

    return Engine.load(tiny_folder, device="cpu", dtype="fp32")


@pytest.fixture(scope="session")
def pocket() -> Engine:
    """An engine on the embedded checkpoint."""
    from engine import Engine

    return Engine.load("pocket", device="cpu")


@pytest.fixture
def a_second_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training's clock, which it looks at twice a step, goes a second meanwhile: a budget is so
    many steps on every machine."""
    looks = count()
    clock = SimpleNamespace(monotonic=lambda: 0.5 * next(looks))
    monkeypatch.setattr("engine.training.loop.time", clock)


@pytest.fixture
def clip() -> Region:
    """1.5 s of stereo at 44.1 kHz: a gliding tone, clicks, a little noise; the sides differ."""
    from engine import Region

    rate = 44100
    time_s = np.arange(rate * 3 // 2) / rate
    tone = 0.3 * np.sin(2 * np.pi * (300 + 400 * time_s) * time_s)
    clicks = 0.5 * (np.arange(len(time_s)) % (rate // 4) < 40)
    noise = 0.02 * np.random.default_rng(7).standard_normal((len(time_s), 2))
    return Region((np.stack((tone, 0.6 * tone + clicks), 1) + noise).astype(np.float32), rate)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of a file that leave it as it was."""
    running = Running(tmp_path_factory.mktemp("shared") / "state")
    yield running
    running.stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """A server of the test's own."""
    running = Running(tmp_path / "state")
    yield running
    running.stop()


@pytest.fixture
def name() -> str:
    """A job's name nobody used before."""
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    """A tenth of a second of stereo noise at 44.1 kHz, in a file."""
    path = tmp_path / "clip.wav"
    noise = np.random.default_rng(1).standard_normal((RATE // 10, 2)).astype(np.float32) * 0.1
    write(path, noise, RATE)
    return path
