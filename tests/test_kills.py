"""Jobs whose worker and server are killed under them: the short form of benchmarks/kills.py."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from running import DEADLINE_S, Running, wait_for_a_step, wait_until

from benchmarks.kills import kill_on
from benchmarks.serving import Served
from benchmarks.soak import Notes, _look_on
from daw_bridge.client import Client
from engine.region import read

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


@pytest.mark.slow
def test_every_job_ends_once_however_often_its_worker_and_server_die(tmp_path: Path) -> None:
    tally = kill_on(tmp_path, n_jobs=9, n_clients=3, every_s=0.4, n_servers=2)
    assert tally.faults == []
    assert tally.n_worker_kills >= 2
    assert tally.n_server_kills == 2
    assert sum(tally.endings.values()) == 9
    assert set(tally.endings) <= {"done", "worker-died"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next step is the last")
def test_a_killed_servers_worker_is_gone_at_once(tmp_path: Path, clip_file: Path) -> None:
    server = Served(tmp_path / "state").start()
    try:
        with server.client("tcp") as client:
            job = client.submit(edit="transfer", path=clip_file, prompt="hang")
            wait_until(lambda: client.status(job)[0] == "running" and bool(server.worker_pids()))
            [pid] = server.worker_pids()
        server.kill()
        wait_until(lambda: not is_running(pid))
    finally:
        server.stop()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1]
    except OSError:
        return False
    return state[0] not in "ZX"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked at in /proc")
def test_a_soak_whose_worker_dies_is_not_well() -> None:
    class Watched:
        pid = os.getpid()
        worker = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

        def worker_pids(self) -> list[int]:
            return [self.worker.pid]

    server, notes = Watched(), Notes()
    assert server.worker.stdout is not None
    server.worker.stdout.readline()  # before it runs Python, it has next to no memory to look at
    onlooker = threading.Thread(target=_look_on, args=(server, notes, threading.Event()))
    onlooker.start()
    wait_until(lambda: bool(notes.memory))
    server.worker.communicate(b"\n")
    onlooker.join(DEADLINE_S)
    assert not onlooker.is_alive()
    assert notes.memory[0][1] > 2**20
    assert "memory was looked at no longer" in notes.not_done[0]


def test_takes_of_an_attempt_that_died_do_not_stay(fresh: Running, clip_file: Path) -> None:
    """A worker that died between two takes left the first; the job is cancelled before the next."""
    with Client.connect(fresh.folder, "tcp") as client:
        job = client.submit(edit="transfer", path=clip_file, prompt="slow", takes=2)
        wait_for_a_step(client, job)
        left = fresh.folder / "spool" / f"{job}.1.wav"
        left.write_bytes(clip_file.read_bytes())
        assert client.cancel(job) == "cancelled"
    assert not left.exists()


def test_a_job_begun_again_writes_its_takes_anew(tmp_path: Path, clip_file: Path) -> None:
    server = Served(tmp_path / "state").start()
    try:
        with server.client("tcp") as client:
            job = client.submit("again", edit="transfer", path=clip_file, prompt="short")
            wait_for_a_step(client, job)
    finally:
        server.kill()
    left = server.folder / "spool" / "again.1.wav"
    left.write_bytes(b"half a take")
    again = Running(server.folder)
    try:
        with Client.connect(again.folder, "tcp") as client:
            [take] = client.wait("again")
        assert take.path == str(left)
        assert (read(left).samples == -read(clip_file).samples).all()
    finally:
        again.stop()
