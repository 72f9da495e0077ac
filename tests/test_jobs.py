"""The jobs' states, their order, and their store on disk."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import pytest

from engine.errors import RequestError
from server import spool, spool_files
from server.jobs import ENDED, MAX_ATTEMPTS, TRANSITIONS, Jobs, State, TakeFile

EVENTS = ("start", "cancel", "finish", "fail", "lost", "stop")
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
