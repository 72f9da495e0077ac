"""The jobs' states, their order, and their store on disk."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import RequestError
from server import spool, spool_files
from server.jobs import _IN_TURN, ENDED, MAX_ATTEMPTS, OF, TRANSITIONS, Jobs, State, TakeFile
from server.store import LOG_BYTES

EVENTS = ("start", "cancel", "finish", "fail", "lost", "give_back", "stop")
TAKE = TakeFile(1, "/spool/a.1.wav", 100, 44100, 2, 7, None)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs.sqlite")


def bring(jobs: Jobs, name: str, state: State) -> None:
    """A job in a state, by the shortest way."""
    way = {
        State.QUEUED: (),
        State.RUNNING: ("start",),
        State.CANCELLING: ("start", "cancel"),
        State.DONE: ("start", "finish"),
        State.FAILED: ("fail",),
        State.CANCELLED: ("cancel",),
    }[state]
    jobs.submit(name, "me", "{}")
    for what in way:
        jobs.move(name, what)
    assert jobs.get(name).state == state


@pytest.mark.parametrize(("state", "what"), list(itertools.product(State, EVENTS)))
def test_the_table_decides_every_move(jobs: Jobs, state: State, what: str) -> None:
    bring(jobs, "a", state)
    if (state, what) in TRANSITIONS:
        assert jobs.move("a", what).state == TRANSITIONS[state, what]
    else:
        with pytest.raises(AssertionError):
            jobs.move("a", what)
        assert jobs.get("a").state == state


def test_ended_states_have_no_way_out_and_others_do() -> None:
    leaving = {state for state, _ in TRANSITIONS}
    assert leaving == set(State) - set(ENDED)
    assert set(TRANSITIONS.values()) == set(State)


def test_a_job_and_what_came_of_it_are_read_back(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs.sqlite")
    jobs.submit("a", "me", '{"x": 1}')
    jobs.move("a", "start")
    jobs.move("a", "finish", takes=(TAKE,), seconds=1.5)
    jobs.close()
    job = Jobs(tmp_path / "jobs.sqlite").get("a")
    assert (job.state, job.submission, job.takes) == (State.DONE, '{"x": 1}', (TAKE,))
    assert (job.seconds, job.attempts, job.client) == (1.5, 1, "me")


def test_submit_twice_is_once_and_otherwise_a_conflict(jobs: Jobs) -> None:
    first, is_new = jobs.submit("a", "me", "{}")
    assert is_new
    assert jobs.submit("a", "you", "{}") == (first, False)
    with pytest.raises(RequestError) as caught:
        jobs.submit("a", "me", "{ }")
    assert caught.value.code == "conflict"
    with pytest.raises(RequestError) as caught:
        jobs.get("b")
    assert caught.value.code == "unknown-job"


def test_the_queue_has_an_end(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.jobs.MAX_QUEUED", 2)
    jobs.submit("a", "me", "{}")
    jobs.submit("b", "me", "{}")
    with pytest.raises(RequestError) as caught:
        jobs.submit("c", "me", "{}")
    assert caught.value.code == "queue-full"
    jobs.move("a", "start")
    jobs.submit("c", "me", "{}")


def drain(jobs: Jobs) -> list[str]:
    order = []
    while job := jobs.next():
        jobs.move(job.name, "start")
        jobs.move(job.name, "finish")
        order.append(job.name)
    return order


def test_clients_take_turns(jobs: Jobs) -> None:
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        jobs.submit(name, name[0], "{}")
    assert drain(jobs) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_front_goes_before_back_and_takes_turns_too(jobs: Jobs) -> None:
    for name in ("a1", "a2", "b1"):
        jobs.submit(name, name[0], "{}")
    for name in ("a8", "a9", "b9"):
        jobs.submit(name, name[0], "{}", is_front=True)
    assert drain(jobs) == ["a8", "b9", "a9", "b1", "a1", "a2"]


def test_a_name_has_one_turn_however_many_connections_it_has(jobs: Jobs) -> None:
    jobs.submit("studio 1", f"studio{OF}tcp #1", "{}")
    jobs.submit("studio 2", f"studio{OF}tcp #1", "{}")
    for number in range(10):
        jobs.submit(f"flood {number}", f"script{OF}udp {number}", "{}")
    jobs.submit("studio 3", f"studio{OF}tcp #1", "{}")
    order = drain(jobs)
    assert order[:6] == ["studio 1", "flood 0", "studio 2", "flood 1", "studio 3", "flood 2"]


def test_connections_of_a_name_take_turns_and_a_new_one_comes_last(jobs: Jobs) -> None:
    for number in range(3):
        jobs.submit(f"long {number}", f"script{OF}tcp #1", "{}")
    assert jobs.next() == jobs.get("long 0")
    jobs.move("long 0", "start")
    for number in range(10):
        jobs.submit(f"new {number}", f"script{OF}udp {number}", "{}")
    jobs.move("long 0", "finish")
    order = drain(jobs)
    assert order[:2] == ["long 1", "new 0"]  # served once, it isn't put behind every new one
    jobs.submit("a", f"script{OF}tcp #2", "{}")
    jobs.submit("b", f"script{OF}tcp #2", "{}")
    jobs.submit("c", f"script{OF}tcp #3", "{}")
    assert drain(jobs) == ["a", "c", "b"]


def test_turns_of_long_ago_are_forgotten(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.jobs.MAX_TURNS", 3)
    for number in range(8):
        jobs.submit(f"j{number}", f"client {number}", "{}")
    drain(jobs)
    jobs.forget([])
    kept = {client for (client,) in jobs._db.execute("SELECT client FROM turn")}
    assert kept == {"client 5", "client 6", "client 7"}


def test_a_long_queue_is_asked_fast(jobs: Jobs) -> None:
    with jobs._db:
        jobs._db.executemany(
            "INSERT INTO job (name, client, state, is_front, submission, changed_s)"
            " VALUES (?, ?, 'queued', 0, '{}', 0)",
            [(f"j{number}", f"c{number % 20}") for number in range(5000)],
        )
    # A plan that looks at each job for each other job would be the end of a full queue.
    plan = " ".join(str(row) for row in jobs._db.execute(f"EXPLAIN QUERY PLAN {_IN_TURN}"))
    assert "CORRELATED" not in plan
    assert "job_turn" in plan
    job = jobs.next()
    assert job
    assert job.name == "j0"


def test_the_log_stays_short_and_nothing_in_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    jobs = Jobs(path)
    sizes = []
    for number in range(600):
        jobs.submit(f"j{number}", "me", json.dumps({"text": "x" * 3000}))
        if number % 100 == 99:
            jobs.tidy()
            sizes.append(path.with_name("jobs.sqlite-wal").stat().st_size)
    assert max(sizes) <= LOG_BYTES
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM job").fetchone() == (600,)
    jobs.sync()
    jobs.close()
    assert len(Jobs(path).latest(1000)) == 600


def test_what_a_killed_process_committed_is_there(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from server.jobs import Jobs\n"
        "jobs = Jobs(Path(sys.argv[1]))\n"
        "for n in range(50): jobs.submit(f'j{n}', 'me', '{}')\n"
        "jobs.move('j0', 'start'); os._exit(9)"
    )
    path = tmp_path / "jobs.sqlite"
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    jobs = Jobs(path)
    assert jobs.moved_aside is None
    assert [job.name for job in jobs.recover()] == ["j0"]
    assert jobs.count_queued() == 50


def test_position_counts_who_waits_before(jobs: Jobs) -> None:
    for name in ("a", "b", "c"):
        jobs.submit(name, "me", "{}")
    jobs.submit("first", "me", "{}", is_front=True)
    assert [jobs.position(name) for name in ("first", "a", "b", "c")] == [0, 1, 2, 3]
    jobs.move("a", "start")
    assert jobs.position("c") == 2


def test_a_lost_job_is_tried_again_but_not_for_ever(jobs: Jobs) -> None:
    jobs.submit("a", "me", "{}")
    for _ in range(MAX_ATTEMPTS - 1):
        jobs.move("a", "start")
        assert jobs.lose("a").state == State.QUEUED
    jobs.move("a", "start")
    job = jobs.lose("a")
    assert (job.state, job.code) == (State.FAILED, "worker-died")
    assert "3 times" in job.message


def test_a_job_that_is_given_back_has_not_begun(jobs: Jobs) -> None:
    jobs.submit("a", "me", "{}")
    for _ in range(2 * MAX_ATTEMPTS):
        assert jobs.move("a", "start").attempts == 1
        assert jobs.move("a", "give_back").attempts == 0
    jobs.move("a", "start")
    jobs.lose("a")
    jobs.move("a", "start")
    assert jobs.move("a", "give_back").attempts == 1  # the one that was lost


def test_what_a_killed_server_left_is_put_back(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs.sqlite")
    for name, state in zip("abcd", State, strict=False):
        bring(jobs, name, state)
    jobs.close()
    again = Jobs(tmp_path / "jobs.sqlite")
    assert {job.name: job.state for job in again.recover()} == {
        "b": State.QUEUED,
        "c": State.CANCELLED,
    }
    assert [job.state for job in again.latest()] == ["queued", "queued", "cancelled", "done"]


def test_a_store_that_knows_a_job_from_before_it_began_is_put_right(tmp_path: Path) -> None:
    """What was saved of a damaged store may be older than what runs."""
    jobs = Jobs(tmp_path / "jobs.sqlite")
    jobs.submit("a", "me", "{}")
    running = jobs.move("a", "start")
    older = Jobs(tmp_path / "older.sqlite")
    older.submit("a", "me", "{}")
    older.put_back(running)
    assert (older.get("a").state, older.get("a").attempts) == (State.RUNNING, 1)
    assert older.lose("a").state == State.QUEUED
    ended = jobs.move("a", "finish")
    jobs.put_back(running)
    assert jobs.get("a") == ended


def test_a_damaged_store_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"this is no database" * 100)
    jobs = Jobs(path)
    assert jobs.moved_aside is not None
    assert jobs.moved_aside.read_bytes().startswith(b"this is no database")
    jobs.submit("a", "me", "{}")
    assert jobs.get("a").state == State.QUEUED


def test_a_locked_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    Jobs(path).close()
    holder = sqlite3.connect(path)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Jobs(path)
    holder.close()
    assert path.exists()


def test_status_text_reads_back(jobs: Jobs) -> None:
    jobs.submit("a", "me", "{}")
    jobs.move("a", "start")
    running = spool.read_lines(spool.status_text(jobs.get("a"), (0.25, "denoising", 3.0)))
    assert ("state", "running") in running
    assert ("fraction", "0.2500") in running
    job = jobs.move("a", "finish", takes=(TAKE,))
    assert ("take", "1 100 44100 2 7 nan /spool/a.1.wav") in spool.read_lines(
        spool.status_text(job)
    )


def test_a_status_value_stays_on_its_line(jobs: Jobs) -> None:
    jobs.submit("a", "me", "{}")
    job = jobs.move("a", "fail", code="internal", message="two\nlines\r\nstate=done")
    lines = spool.read_lines(spool.status_text(job))
    assert ("message", "two lines state=done") in lines
    assert [value for key, value in lines if key == "state"] == ["failed"]


def test_take_files_are_told_from_others(tmp_path: Path) -> None:
    for name in ("a.1.wav", "a.2.wav", "a.b.1.wav", "a.wav", "ab.1.wav", "a.x.wav"):
        (tmp_path / name).touch()
    assert [path.name for path in spool_files.take_paths(tmp_path, "a")] == ["a.1.wav", "a.2.wav"]
