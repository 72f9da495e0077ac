"""Jobs: their states as a table, and the SQLite store that keeps them.

Everything that changes a job's state is in this file. A job is on disk (WAL, synced) before anybody
is told that it is queued.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import RequestError

MAX_QUEUED = 10_000
MAX_ATTEMPTS = 3


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (State.DONE, State.FAILED, State.CANCELLED)

#: (state, what happens) -> the next state. What isn't here can't happen.
TRANSITIONS: dict[tuple[State, str], State] = {
    (State.QUEUED, "start"): State.RUNNING,
    (State.QUEUED, "cancel"): State.CANCELLED,
    (State.QUEUED, "fail"): State.FAILED,
    (State.RUNNING, "cancel"): State.CANCELLING,
    (State.RUNNING, "finish"): State.DONE,
    (State.RUNNING, "fail"): State.FAILED,
    (State.RUNNING, "lost"): State.QUEUED,  # the worker or the server died under it
    (State.CANCELLING, "cancel"): State.CANCELLING,
    (State.CANCELLING, "stop"): State.CANCELLED,
    (State.CANCELLING, "lost"): State.CANCELLED,
    (State.CANCELLING, "fail"): State.FAILED,
    (State.CANCELLING, "finish"): State.DONE,  # it was faster
}


@dataclass(frozen=True)
class TakeFile:
    """A take in the spool: what `/retake/take` says, in its order."""

    index: int
    path: str
    frames: int
    rate: int
    channels: int
    seed: int
    score: float | None


@dataclass(frozen=True)
class Job:
    """A job as the store has it."""

    name: str
    client: str
    state: State
    submission: str
    attempts: int = 0
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    takes: tuple[TakeFile, ...] = ()

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    client     TEXT NOT NULL,
    state      TEXT NOT NULL,
    is_front   INTEGER NOT NULL,
    submission TEXT NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    code       TEXT NOT NULL DEFAULT '',
    message    TEXT NOT NULL DEFAULT '',
    seconds    REAL NOT NULL DEFAULT 0,
    takes      TEXT NOT NULL DEFAULT '[]',
    changed_s  REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS job_state ON job (state);
CREATE TABLE IF NOT EXISTS turn (client TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""

#: Round-robin: within a priority the client who was served longest ago comes first.
_IN_TURN = """
SELECT job.* FROM job LEFT JOIN turn ON turn.client = job.client
WHERE state = 'queued' AND job.number = (
    SELECT min(other.number) FROM job AS other
    WHERE other.state = 'queued' AND other.client = job.client AND other.is_front = job.is_front)
ORDER BY is_front DESC, coalesce(turn.number, 0), job.number LIMIT 1
"""

_FACTS = ("code", "message", "seconds", "takes")


class Jobs:
    """Every job there is, in one SQLite file.

    Parameters
    ----------
    path : path or ":memory:"
        A file that is no database (any more) is moved aside as `<name>.bad-<time>`.
    """

    def __init__(self, path: Path | str) -> None:
        self.moved_aside: Path | None = None
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked or unwritable: nothing is wrong with the file
            self.moved_aside = _move_aside(Path(path))
            self._db = _open(path)

    def close(self) -> None:
        """Give the file free."""
        self._db.close()

    def submit(
        self, name: str, client: str, submission: str, is_front: bool = False
    ) -> tuple[Job, bool]:
        """Keep a job; on disk when this returns.

        Returns
        -------
        job : Job
        is_new : bool
            False where the same job with the same content was there already.

        Raises
        ------
        RequestError
            `conflict`: the name stands for another content. `queue-full`.
        """
        known = self.find(name)
        if known:
            if known.submission != submission:
                raise RequestError(
                    "conflict",
                    f"job {name!r} is there already with other content; choose a new name",
                )
            return known, False
        n_queued = self.count_queued()
        if n_queued >= MAX_QUEUED:
            raise RequestError(
                "queue-full", f"{n_queued} jobs wait already; at most {MAX_QUEUED} may"
            )
        with self._db:
            self._db.execute(
                "INSERT INTO job (name, client, state, is_front, submission, changed_s)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (name, client, State.QUEUED, is_front, submission, time.time()),
            )
        return self.get(name), True

    def find(self, name: str) -> Job | None:
        """The job of that name, or None."""
        row = self._db.execute("SELECT * FROM job WHERE name = ?", (name,)).fetchone()
        return _job(row) if row else None

    def get(self, name: str) -> Job:
        """The job of that name, or a RequestError (`unknown-job`)."""
        job = self.find(name)
        if job is None:
            raise RequestError("unknown-job", f"no job is called {name!r}")
        return job

    def next(self) -> Job | None:
        """The job whose turn it is, or None when none waits."""
        row = self._db.execute(_IN_TURN).fetchone()
        return _job(row) if row else None

    def move(self, name: str, what: str, **facts: Any) -> Job:
        """Take a job through one row of TRANSITIONS, writing down what came of it.

        Parameters
        ----------
        name : str
        what : str
            "start", "cancel", "finish", "fail", "lost" or "stop".
        **facts
            `code`, `message`, `seconds`, `takes` (TakeFiles).
        """
        job = self.get(name)
        assert (job.state, what) in TRANSITIONS, f"{what} can't happen to a job that is {job.state}"
        assert set(facts) <= set(_FACTS), facts
        if "takes" in facts:
            facts["takes"] = json.dumps([vars(take) for take in facts["takes"]])
        facts |= {"state": TRANSITIONS[job.state, what], "changed_s": time.time()}
        facts["attempts"] = job.attempts + (what == "start")
        columns = ", ".join(f"{column} = ?" for column in facts)
        with self._db:
            self._db.execute(f"UPDATE job SET {columns} WHERE name = ?", (*facts.values(), name))
            if what == "start":
                self._db.execute(_TAKE_TURN, (job.client,))
        return self.get(name)

    def position(self, name: str) -> int:
        """How many queued jobs were there before this one (and any that stand in front of it)."""
        number, is_front = self._db.execute(
            "SELECT number, is_front FROM job WHERE name = ?", (name,)
        ).fetchone()
        before = "state = 'queued' AND (is_front > ? OR (is_front = ? AND number < ?))"
        return self._count(before, is_front, is_front, number)

    def latest(self, n_jobs: int = 200) -> list[Job]:
        """The latest jobs, the oldest of them first."""
        rows = self._db.execute("SELECT * FROM job ORDER BY number DESC LIMIT ?", (n_jobs,))
        return [_job(row) for row in rows][::-1]

    def live(self) -> list[Job]:
        """Every job that hasn't ended."""
        rows = self._db.execute(
            "SELECT * FROM job WHERE state IN ('queued', 'running', 'cancelling')"
        )
        return [_job(row) for row in rows]

    def ended(self) -> dict[str, float]:
        """When each ended job ended, in seconds since 1970."""
        rows = self._db.execute(
            "SELECT name, changed_s FROM job WHERE state IN ('done', 'failed', 'cancelled')"
        )
        return {name: float(changed_s) for name, changed_s in rows}

    def forget(self, names: Iterable[str]) -> None:
        """Drop ended jobs; others stay. Their names are free again."""
        with self._db:
            self._db.executemany(
                "DELETE FROM job WHERE name = ? AND state IN ('done', 'failed', 'cancelled')",
                [(name,) for name in names],
            )

    def count_queued(self) -> int:
        """How many jobs wait."""
        return self._count("state = 'queued'")

    def recover(self) -> list[Job]:
        """Put back what a killed server left running; the jobs so moved, in their new states."""
        rows = self._db.execute(
            "SELECT name FROM job WHERE state IN ('running', 'cancelling')"
        ).fetchall()
        return [self.lose(name) for (name,) in rows]

    def lose(self, name: str, why: str = "") -> Job:
        """The worker died under a job: back into the queue, or failed after three attempts."""
        job = self.get(name)
        if job.state == State.RUNNING and job.attempts >= MAX_ATTEMPTS:
            message = f"the worker died {job.attempts} times over this job; it is not tried again"
            message += f" ({why})" if why else ""
            return self.move(name, "fail", code="worker-died", message=message)
        return self.move(name, "lost")

    def _count(self, where: str, *values: Any) -> int:
        return int(
            self._db.execute(f"SELECT count(*) FROM job WHERE {where}", values).fetchone()[0]
        )


_TAKE_TURN = """
INSERT INTO turn VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM turn))
ON CONFLICT (client) DO UPDATE SET number = excluded.number
"""


def _open(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA)
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError(f"{path} is damaged")
    except BaseException:
        db.close()
        raise
    return db


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.bad-{time.time_ns()}")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return path.rename(aside)


def _job(row: Iterable[Any]) -> Job:
    _, name, client, state, _, submission, attempts, code, message, seconds, takes, _ = row
    files = tuple(TakeFile(**take) for take in json.loads(takes))
    return Job(name, client, State(state), submission, attempts, code, message, seconds, files)
