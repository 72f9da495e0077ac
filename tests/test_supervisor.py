"""Workers that hang, freeze, eat the memory or fill the disk; and the one that is warm in time."""

from __future__ import annotations

import io
import json
import mmap
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import DEADLINE_S, RATE, Running

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.edits import Edit
from engine.progress import Listener, Progress
from engine.region import Region, Take, write
from server.jobs import MAX_ATTEMPTS
from server.submission import parse_pairs
from server.watchdog import GIB, Limits, Watchdog, own_memory_bytes
from server.worker import Worker


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    write(path, np.full((RATE // 10, 1), 0.1, np.float32), RATE)
    return path


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class TestWatchdog:
    def test_progress_counts_and_not_time(self) -> None:
        clock = Clock()
        dog = Watchdog(Limits(stall_s=10, silent_s=0), clock)
        for step in range(1000):  # nearly three hours
            clock.now_s += 9.9
            dog.note_progress(step / 1000, "denoising")
            assert dog.verdict() is None
        clock.now_s += 10.1
        verdict = dog.verdict()
        assert verdict
        assert (verdict.what, verdict.code) == ("lost", "worker-died")
        assert verdict.message == "no progress for 10 s in stage 'denoising'"

    def test_the_same_word_again_is_no_progress(self) -> None:
        clock = Clock()
        dog = Watchdog(Limits(stall_s=10), clock)
        for _ in range(11):
            clock.now_s += 1
            dog.note_progress(0.5, "denoising")
        assert dog.verdict() is None
        clock.now_s += 0.1
        assert dog.verdict()

    def test_a_heart_that_beats_is_slow_and_not_dead(self) -> None:
        clock = Clock()
        dog = Watchdog(Limits(stall_s=0, silent_s=5), clock)
        for _ in range(100):
            clock.now_s += 4.9
            dog.note_beat(0)
            assert dog.verdict() is None
        clock.now_s += 5.1
        verdict = dog.verdict()
        assert verdict
        assert verdict.message == "no sign of life for 5 s"

    def test_a_process_that_starts_slowly_is_given_its_time(self) -> None:
        clock = Clock()
        dog = Watchdog(Limits(stall_s=10, silent_s=120), clock)
        clock.now_s += 9
        dog.note_beat(0)
        for _ in range(10):
            clock.now_s += 1
            dog.note_beat(0)
        assert dog.verdict() is None
        clock.now_s += 0.1
        assert dog.verdict()

    def test_too_much_memory_fails_the_job_and_names_both_numbers(self) -> None:
        dog = Watchdog(Limits(memory_bytes=2 * GIB), Clock())
        dog.note_beat(2 * GIB)
        assert dog.verdict() is None
        dog.note_beat(3 * GIB)
        verdict = dog.verdict()
        assert verdict
        assert (verdict.what, verdict.code) == ("fail", "out-of-memory")
        assert "3.00 GiB" in verdict.message
        assert "2.00 GiB" in verdict.message

    def test_zero_switches_off(self) -> None:
        clock = Clock()
        dog = Watchdog(Limits(0, 0, 0), clock)
        clock.now_s += 1e9
        dog.note_beat(2**60)
        assert dog.verdict() is None

    @pytest.mark.skipif(sys.platform == "win32", reason="it can't be told there")
    def test_own_memory_is_that_of_this_process(self) -> None:
        before = own_memory_bytes()
        # Fresh pages from the system: an array could get memory this process freed before.
        with mmap.mmap(-1, 2**26) as ballast:
            ballast.write(b"x" * 2**26)
            assert 2**25 < own_memory_bytes() - before < 2**28


def fail_with(folder: Path, clip: Path, prompt: str, limits: Limits) -> ServerError:
    """How a job ends that is no good; the next one must be well."""
    running = Running(folder, limits=limits)
    try:
        with Client.connect(folder, "tcp") as client:
            job = client.submit(edit="transfer", path=clip, prompt=prompt)
            with pytest.raises(ServerError) as caught:
                client.wait(job)
            assert len(client.wait(client.submit(edit="transfer", path=clip, prompt="fine"))) == 1
            return caught.value
    finally:
        running.stop()


# The limits stand well above what a loaded machine needs to start a worker and take its steps.
def test_a_job_that_makes_no_progress_is_tried_three_times(tmp_path: Path, clip: Path) -> None:
    error = fail_with(tmp_path / "state", clip, "hang", Limits(stall_s=4.0))
    assert error.code == "worker-died"
    assert f"{MAX_ATTEMPTS} times" in error.message
    assert "no progress for 4 s" in error.message


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
def test_a_frozen_worker_is_noticed_by_its_heart(tmp_path: Path, clip: Path) -> None:
    error = fail_with(tmp_path / "state", clip, "freeze", Limits(stall_s=0, silent_s=6.0))
    assert error.code == "worker-died"
    assert "no sign of life for 6 s" in error.message


@pytest.mark.skipif(sys.platform == "win32", reason="memory can't be told there")
def test_a_job_that_eats_the_memory_fails_and_is_not_tried_again(
    tmp_path: Path, clip: Path
) -> None:
    limits = Limits(memory_bytes=own_memory_bytes() + 2**28)
    error = fail_with(tmp_path / "state", clip, "eat", limits)
    assert error.code == "out-of-memory"
    assert "--memory-limit" in error.message


def test_no_job_is_taken_where_the_disk_is_full(tmp_path: Path, clip: Path) -> None:
    running = Running(tmp_path / "state", limits=Limits(spare_bytes=2**60))
    try:
        with Client.connect(running.folder, "tcp") as client:
            with pytest.raises(ServerError, match="stay free; make room") as caught:
                client.submit("big", edit="transfer", path=clip)
            assert caught.value.code == "out-of-disk"
            with pytest.raises(ServerError, match="make room"):
                client.put(b"\0" * 8, RATE, 1)
            assert client.items("jobs") == []
    finally:
        running.stop()


class Recorder:
    """An engine that writes down what it is asked; `wait` may hold it up in mid-edit."""

    name, device = "recorder", "nowhere"

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self.edits: list[Edit] = []
        self.is_asked = threading.Event()
        self._wait = wait

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        assert region
        assert progress
        self.edits.append(edit)
        self._wait()
        self.is_asked.set()
        progress(Progress(0.5, "denoising", 1, 2))
        return [Take(region.samples, region.rate, edit.seed, None)]


def assert_came(event: threading.Event) -> None:
    assert event.wait(DEADLINE_S)


class Later(io.StringIO):
    """No orders, and an end only once the engine was asked something: an end calls all off."""

    def __init__(self, engine: Recorder) -> None:
        super().__init__()
        self._engine = engine

    def __iter__(self) -> Any:
        self._engine.is_asked.wait(DEADLINE_S)
        return iter(())


def warm_up(engine: Recorder) -> list[str]:
    """What a worker in this process says until its orders end, heartbeats aside."""
    sink = io.StringIO()
    Worker(lambda name: engine, "recorder", Later(engine), sink).serve()
    events = [json.loads(line)["event"] for line in sink.getvalue().splitlines()]
    return [event for event in events if event != "beat"]


def test_the_engine_is_warm_before_it_is_ready() -> None:
    engine = Recorder()
    assert warm_up(engine) == ["ready"]
    assert [edit.steps for edit in engine.edits] == [1]


def test_an_engine_that_does_not_get_warm_is_ready_all_the_same() -> None:
    def stumble() -> None:
        engine.is_asked.set()
        raise ZeroDivisionError

    engine = Recorder(stumble)
    assert warm_up(engine) == ["ready"]


def test_a_job_does_not_wait_for_the_warm_up(tmp_path: Path, clip: Path) -> None:
    submission = parse_pairs(("edit", "vary", "path", str(clip), "steps", 7)).to_json()
    order = {"do": "run", "job": "a", "submission": submission, "path": str(clip)}
    order |= {"spool": str(tmp_path)}
    came = threading.Event()

    class Orders(io.StringIO):
        def __iter__(self) -> Any:
            yield json.dumps(order)
            came.set()
            over.wait(DEADLINE_S)

    over = threading.Event()
    engine = Recorder(lambda: assert_came(came))
    sink = io.StringIO()
    worker = Worker(lambda name: engine, "recorder", Orders(), sink)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    try:
        while "finish" not in sink.getvalue() and thread.is_alive():
            thread.join(0.02)
    finally:
        over.set()
        thread.join(DEADLINE_S)
    events = [json.loads(line)["event"] for line in sink.getvalue().splitlines()]
    assert [edit.steps for edit in engine.edits] == [1, 7]
    assert [event for event in events if event in ("ready", "finish", "fail")] == [
        "ready",
        "finish",
    ]


def test_takes_that_do_not_fit_fail_before_one_is_written(tmp_path: Path, clip: Path) -> None:
    submission = parse_pairs(("edit", "vary", "path", str(clip))).to_json()
    spool = tmp_path / "spool"
    spool.mkdir()
    order = {"do": "run", "job": "a", "submission": submission, "path": str(clip)}
    order |= {"spool": str(spool), "spare_bytes": 2**60}
    sink = io.StringIO()
    worker = Worker(lambda name: Recorder(), "recorder", io.StringIO(), sink, is_warming=False)
    worker._run(order)
    last = json.loads(sink.getvalue().splitlines()[-1])
    assert (last["event"], last["code"]) == ("fail", "out-of-disk")
    assert not list(spool.iterdir())
