"""A store of jobs that is locked, damaged or slow, before the server starts and while it runs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import DEADLINE_S, Running, wait_for_a_step, wait_until

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.errors import FaultError
from engine.region import read
from server import store
from server.jobs import Jobs, State
from server.store import Store

KEYS = {"edit": "transfer", "prompt": "x"}


class Lock:
    """Holds a store as another program may."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._db.execute("ROLLBACK")
        self._db.close()


class TestStoreLocked:
    def test_at_the_start_it_is_said_and_nothing_moved(self, tmp_path: Path) -> None:
        folder = tmp_path / "state"
        folder.mkdir()
        Jobs(folder / "jobs.sqlite").close()
        holder = sqlite3.connect(folder / "jobs.sqlite", isolation_level=None)
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FaultError, match=r"database is locked; end the program that holds it"):
            Running(folder)
        holder.close()
        assert not list(folder.glob("*.bad-*"))
        Running(folder).stop()

    def test_while_it_runs_jobs_are_refused_and_those_that_end_wait(
        self, fresh: Running, clip_file: Path
    ) -> None:
        with Client.connect(fresh.folder, "tcp") as client:
            job = client.submit("through", edit="transfer", path=clip_file, prompt="short")
            wait_for_a_step(client, job)
            lock = Lock(fresh.folder / "jobs.sqlite")
            with pytest.raises(ServerError, match="another program holds") as caught:
                client.submit("refused", path=clip_file, **KEYS)
            assert caught.value.code == "internal"
            ended = ended_in_the_log(fresh, "short")
            wait_until(ended)
            assert client.status(job)[0] == "running"
            assert client.hello().model == "double"
            lock.release()
            assert len(client.wait(job)) == 1
            with pytest.raises(ServerError, match="no job is called"):
                client.status("refused")


class TestVersion:
    def test_a_file_from_before_versions_is_taken_over(self, tmp_path: Path) -> None:
        path = tmp_path / "jobs.sqlite"
        jobs = Jobs(path)
        jobs.submit("old", "me", "{}")
        jobs.close()
        assert version_of(path, 0) == 1
        jobs = Jobs(path)
        assert jobs.get("old").state == State.QUEUED
        jobs.close()
        assert version_of(path) == 1

    def test_a_newer_one_is_refused_and_left_as_it_is(self, tmp_path: Path) -> None:
        folder = tmp_path / "state"
        folder.mkdir()
        path = folder / "jobs.sqlite"
        Jobs(path).close()
        version_of(path, 2)
        checkpointed(path)
        before = path.read_bytes()
        with pytest.raises(FaultError, match=r"newer Retake \(version 2 .* --state-dir"):
            Running(folder)
        assert path.read_bytes() == before
        assert not list(folder.glob("*.bad-*"))


def version_of(path: Path, new: int | None = None) -> int:
    """The file's version, before it is set to a new one."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if new is not None:
            db.execute(f"PRAGMA user_version = {new}")
        return int(found)


def half_done(step: Callable[..., Any]) -> Callable[..., None]:
    """A step of a mend that is done, and fails then."""

    def fail(*given: object) -> None:
        with contextlib.suppress(AttributeError):
            step(*given).close()  # a connection nobody else would close
        raise OSError(errno.ENOSPC, "No space left on device")

    return fail


def refusal(client: Client, clip: Path) -> str:
    with pytest.raises(ServerError) as caught:
        client.submit(path=clip, **KEYS)
    return caught.value.message


def ended_in_the_log(server: Running, prompt: str, n_steps: int = 40) -> Callable[[], bool]:
    """Whether the double has taken its last step."""

    def has_ended() -> bool:
        return server.steps.exists() and f"{prompt} {n_steps - 1}\n" in server.steps.read_text()

    return has_ended


def damage(path: Path, at: int, n_bytes: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * n_bytes)


def checkpointed(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


class TestStoreDamaged:
    def test_at_the_start_it_is_moved_aside_and_takes_are_kept(
        self, tmp_path: Path, clip_file: Path
    ) -> None:
        folder = tmp_path / "state"
        running = Running(folder)
        with Client.connect(folder, "tcp") as client:
            [take] = client.wait(client.submit("kept", path=clip_file, **KEYS))
        running.stop()
        (folder / "jobs.sqlite").write_bytes(b"no database at all" * 1000)
        again = Running(folder)
        try:
            [aside] = [p for p in folder.glob("jobs.sqlite.bad-*") if p.suffix[-3:].isdigit()]
            assert aside.read_bytes().startswith(b"no database")
            assert read(take.path).n_frames == take.frames
            with Client.connect(folder, "tcp") as client:
                with pytest.raises(ServerError, match="no job is called"):
                    client.status("kept")
                with pytest.raises(ServerError, match="takes of an older job"):
                    client.submit("kept", path=clip_file, **KEYS)
                assert len(client.wait(client.submit("new", path=clip_file, **KEYS))) == 1
        finally:
            again.stop()

    def test_jobs_that_can_still_be_read_are_taken_over(self, tmp_path: Path) -> None:
        path = tmp_path / "jobs.sqlite"
        jobs = Jobs(path)
        for number in range(400):
            jobs.submit(f"job-{number}", "me", json.dumps({"text": "x" * 200}))
        jobs.move("job-3", "start")
        jobs.close()
        checkpointed(path)
        size = path.stat().st_size
        damage(path, size // 2 - size // 2 % 4096, 8192)  # two pages in the middle
        again = Jobs(path)
        assert again.moved_aside
        assert again.moved_aside.exists()
        assert 100 < again.n_saved < 400
        assert again.get("job-3").state == State.RUNNING
        assert again.get("job-0").submission == json.dumps({"text": "x" * 200})
        again.submit("another", "me", "{}")
        assert again.next()

    def test_a_row_that_makes_no_sense_is_left_behind(self, tmp_path: Path) -> None:
        def is_sound(row: tuple[object, ...]) -> bool:
            return row[1] != "bad"

        schema = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, word TEXT NOT NULL);"
        store = Store(tmp_path / "s.sqlite", schema, "t", is_sound)
        with store.db:
            store.db.executemany("INSERT INTO t (word) VALUES (?)", [("a",), ("bad",), ("c",)])
        store.mend()
        assert store.moved_aside
        assert store.db.execute("SELECT word FROM t").fetchall() == [("a",), ("c",)]
        assert store.n_saved == 2
        store.close()

    @pytest.mark.parametrize("step", ["_move_aside", "_connect", "_insert", "_lay_out"])
    def test_a_mend_that_fails_is_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        """Whatever of it was done the first time, no job is lost and no other file touched."""
        jobs = Jobs(tmp_path / "jobs.sqlite")
        for number in range(5):
            jobs.submit(f"job-{number}", "me", "{}")
        with monkeypatch.context() as patch:
            patch.setattr(f"server.store.{step}", half_done(getattr(store, step)))
            with pytest.raises(OSError, match="No space left"):
                jobs.mend()
        assert jobs.is_broken
        with pytest.raises(sqlite3.ProgrammingError):
            jobs.find("job-0")
        others = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]  # numbers that came free
        with pytest.raises(OSError, match="no new one begun"):
            jobs.sync()
        jobs.mend()
        assert not jobs.is_broken
        for descriptor in others:
            os.close(descriptor)  # still open
        assert jobs.n_saved == 5
        assert jobs.get("job-4").state == State.QUEUED
        jobs.submit("another", "me", "{}")
        jobs.sync()
        jobs.close()
        assert len(Jobs(tmp_path / "jobs.sqlite").latest()) == 6
        assert len([p for p in tmp_path.glob("*.bad-*") if p.suffix[-3:].isdigit()]) == 1

    def test_a_server_whose_mend_failed_goes_on(
        self, fresh: Running, clip_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = fresh.folder / "jobs.sqlite"
        with Client.connect(fresh.folder, "tcp") as client:
            client.wait(client.submit("before", path=clip_file, **KEYS))
            with monkeypatch.context() as patch:
                patch.setattr("server.store._move_aside", half_done(store._move_aside))
                checkpointed(path)
                damage(path, 0, path.stat().st_size)
                refusals = [refusal(client, clip_file) for _ in range(3)]
            assert "no new one can be begun" in refusals[-1]
            assert len(client.wait(client.submit("after", path=clip_file, **KEYS))) == 1

    def test_while_it_runs_the_running_job_ends_all_the_same(
        self, fresh: Running, clip_file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = fresh.folder / "jobs.sqlite"
        with Client.connect(fresh.folder, "tcp") as client:
            for number in range(60):
                client.submit(f"old-{number}", edit="transfer", path=clip_file, prompt="y" * 1500)
            client.wait("old-59")
            job = client.submit("through", edit="transfer", path=clip_file, prompt="short")
            wait_for_a_step(client, job)
            checkpointed(path)
            damage(path, 0, path.stat().st_size)
            wait_until(lambda: _is_moved_aside(client, path, clip_file))
            assert len(client.wait(job)) == 1
            assert len(client.wait(client.submit("after", path=clip_file, **KEYS))) == 1
        assert "was damaged" in caplog.text
        assert len(list((fresh.folder / "spool").glob("old-*.1.wav"))) == 60


def _is_moved_aside(client: Client, path: Path, clip: Path) -> bool:
    """Ask for something that needs the file; the first to see the damage mends it."""
    client.items("jobs")
    return bool(list(path.parent.glob("jobs.sqlite.bad-*")))


def test_a_job_that_cannot_be_synced_is_no_job(
    fresh: Running, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Client.connect(fresh.folder, "tcp") as client:
        blocker = client.submit(edit="transfer", path=clip_file, prompt="slow")
        wait_for_a_step(client, blocker)
        monkeypatch.setattr("server.store.bring_to_disk", fail)
        with pytest.raises(ServerError, match="Input/output error") as caught:
            client.submit("unsafe", path=clip_file, **KEYS)
        assert caught.value.code == "out-of-disk"
        monkeypatch.undo()
        assert client.status("unsafe")[0] == "cancelled"
        client.cancel(blocker)
        assert len(client.wait(client.submit("safe", path=clip_file, **KEYS))) == 1
    assert not list((fresh.folder / "spool").glob("unsafe.*.wav"))


def test_jobs_that_come_at_once_wait_for_the_disk_together(
    fresh: Running, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync takes a tenth of a second; twenty jobs must not take two."""
    n_syncs = 0

    def slow(descriptor: int) -> None:
        nonlocal n_syncs
        assert threading.current_thread() is not fresh._thread, "the loop waits for the disk"
        n_syncs += 1
        time.sleep(0.1)

    monkeypatch.setattr("server.store.bring_to_disk", slow)
    clients = [Client.connect(fresh.folder, door) for door in ("udp", "tcp") * 10]
    try:
        threads = [
            threading.Thread(target=client.submit, kwargs={"path": clip_file, **KEYS})
            for client in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        with Client.connect(fresh.folder, "tcp") as client:
            assert len(client.items("jobs")) == 20
        n_while_submitting = n_syncs
    finally:
        for client in clients:
            client.close()
    assert n_while_submitting < 20
