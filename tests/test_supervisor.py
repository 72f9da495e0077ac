"""Workers that hang, freeze, eat the memory or fill the disk; and the one that is warm in time."""

from __future__ import annotations

import asyncio
import io
import json
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import DEADLINE_S, DOUBLE, RATE, Running, wait_until

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.edits import Edit
from engine.errors import RequestError
from engine.progress import Listener, Progress
from engine.region import Region, Take, write
from server import executor_process
from server.executor import Outcome
from server.jobs import MAX_ATTEMPTS
from server.submission import parse_pairs
from server.supervisor import LocalExecutor
from server.watchdog import GIB, STARTING_S, Limits, Watchdog, own_memory_bytes
from server.worker import MAX_MESSAGE_CHARACTERS, NICENESS, Worker


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
        dog = Watchdog(Limits(stall_s=10, silent_s=5), clock)
        clock.now_s += STARTING_S - 1
        assert dog.verdict() is None
        clock.now_s += 2
        assert dog.verdict()

    def test_imports_are_no_stall(self) -> None:
        clock = Clock()
        dog = Watchdog(Limits(stall_s=10, silent_s=120), clock)
        clock.now_s += 90
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

    @pytest.mark.skipif(sys.platform != "linux", reason="it can't be told there")
    def test_memory_of_a_child_counts(self) -> None:
        """Such as a preset's plug-in, which runs in a process of its own."""
        before = own_memory_bytes()
        code = "large = b'x' * 2**27; print(flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            assert 2**26 < own_memory_bytes() - before < 2**29
            child.communicate(b"\n")
        assert own_memory_bytes() - before < 2**26


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


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is POSIX's")
def test_the_worker_lets_the_host_and_the_server_go_first(tmp_path: Path) -> None:
    command = [sys.executable, str(DOUBLE), str(tmp_path / "steps")]

    def niceness_of(pid: int) -> set[int]:
        tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").glob("*")] or [pid]
        return {os.getpriority(os.PRIO_PROCESS, task) for task in tasks}

    async def niceness() -> set[int]:
        executor = LocalExecutor(command, "double", tmp_path)
        await executor.start()
        try:
            async with asyncio.timeout(DEADLINE_S):
                while executor.device != "nowhere":
                    await asyncio.sleep(0.01)
            assert executor._process
            return niceness_of(executor._process.pid)
        finally:
            await executor.stop()

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert asyncio.run(niceness()) == {min(own + NICENESS, 19)}


def test_a_worker_that_dies_idle_is_ready_again_before_a_job_comes(tmp_path: Path) -> None:
    command = [sys.executable, str(DOUBLE), str(tmp_path / "steps")]

    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                await asyncio.sleep(0.01)

    async def kill_it() -> set[int]:
        executor = LocalExecutor(command, "double", tmp_path)
        await executor.start()
        pids = set()
        try:
            for _ in range(2):
                await until(lambda: executor.device == "nowhere")
                assert executor._process
                pids.add(executor._process.pid)
                executor._process.kill()
                await until(lambda: executor.device == "starting")
            return pids
        finally:
            await executor.stop()

    assert len(asyncio.run(kill_it())) == 2


#: Says a long line, then one that is no JSON; a second process works as it should.
RAVING = """
import json, sys
from pathlib import Path
is_first = not Path(sys.argv[1]).exists()
Path(sys.argv[1]).touch()
for line in sys.stdin:
    job = json.loads(line)["job"]
    if is_first and job == "long":
        print(json.dumps({"event": "fail", "job": job, "code": "x", "message": "y" * 100_000}))
    elif is_first:
        print(Path(sys.argv[2]).read_text(), flush=True)
        sys.stdin.read()
    else:
        print(json.dumps({"event": "finish", "job": job, "takes": []}))
    sys.stdout.flush()
"""


@pytest.mark.parametrize("line", ["no JSON", "[]", "{}", "x" * 2**25], ids=lambda line: line[:8])
def test_a_worker_that_raves_is_ended_and_the_next_job_is_well(tmp_path: Path, line: str) -> None:
    said = tmp_path / "said"
    said.write_text(line)  # a command line holds no 32 MiB
    command = [sys.executable, "-c", RAVING, str(tmp_path / "first"), str(said)]

    async def run_three() -> list[Outcome]:
        executor = LocalExecutor(command, "double", tmp_path)
        try:
            return [
                await asyncio.wait_for(executor.run(job, "", "", lambda *_: None), DEADLINE_S)
                for job in ("long", "raving", "next")
            ]
        finally:
            await executor.stop()

    long, raving, following = asyncio.run(run_three())
    assert (long.what, len(long.message)) == ("fail", 100_000)
    assert (raving.what, following.what) == ("lost", "finish")


def test_what_is_said_of_a_failure_has_an_end(tmp_path: Path) -> None:
    submission = parse_pairs(("edit", "vary", "path", "/c.wav")).to_json()
    order = {"job": "a", "submission": submission, "path": "", "spool": str(tmp_path)}
    sink = io.StringIO()

    def fail(name: str) -> Recorder:
        raise RequestError("bad-value", "x" * 10**6)

    worker = Worker(fail, "recorder", io.StringIO(), sink, is_warming=False)
    worker._run(order)
    last = json.loads(sink.getvalue().splitlines()[-1])
    assert (last["code"], last["message"]) == ("bad-value", "x" * MAX_MESSAGE_CHARACTERS)


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


def test_a_worker_that_cannot_be_started_is_waited_for(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes without memory or processes to be had cost no job."""
    monkeypatch.setattr(executor_process, "GRACE_S", 0.05)
    running = Running(tmp_path / "state")
    try:
        with Client.connect(running.folder, "tcp") as client:
            client.wait(client.submit(edit="transfer", path=clip, prompt="fine"))
            refused: list[int] = []

            async def refuse(*given: object, **more: object) -> None:
                refused.append(1)
                raise BlockingIOError(11, "Resource temporarily unavailable")

            with monkeypatch.context() as patch:
                patch.setattr(executor_process.asyncio, "create_subprocess_exec", refuse)
                dying = client.submit(edit="transfer", path=clip, prompt="die")
                waiting = client.submit(edit="transfer", path=clip, prompt="fine")
                wait_until(lambda: len(refused) > 5)
                assert "can't be started" in client.status(dying)[2]
                assert client.cancel(dying) == "cancelled"
                wait_until(lambda: client.status(waiting)[0] == "running")
            assert len(client.wait(waiting)) == 1
    finally:
        running.stop()


def test_an_ending_that_makes_no_sense_loses_the_job_and_not_the_server(tmp_path: Path) -> None:
    """A worker of another version says it, after an update under a running server."""
    said = tmp_path / "said"
    said.write_text(json.dumps({"event": "finish", "job": "odd", "takes": [{"place": "/t.wav"}]}))
    command = [sys.executable, "-c", RAVING, str(tmp_path / "first"), str(said)]

    async def run_two() -> list[Outcome]:
        executor = LocalExecutor(command, "double", tmp_path)
        try:
            return [
                await asyncio.wait_for(executor.run(job, "", "", lambda *_: None), DEADLINE_S)
                for job in ("odd", "next")
            ]
        finally:
            await executor.stop()

    odd, following = asyncio.run(run_two())
    assert (odd.what, following.what) == ("lost", "finish")
