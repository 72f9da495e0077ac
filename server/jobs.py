"""Jobs: their states as a table, and the store that keeps them.

Everything that changes a job's state is in this file. What is written here outlives a killed server
at once, and a power cut after the next `sync`: a job is synced before anybody is told that it is
queued.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import RequestError
from server.store import Row, Store

MAX_QUEUED = 10_000
MAX_ATTEMPTS = 3
#: Clients whose turns are remembered; one that was served longer ago is as good as new.
MAX_TURNS = 1000
#: Between a client's name and its connection's: see `Jobs.submit`.
OF = "\t"


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
    (State.RUNNING, "give_back"): State.QUEUED,  # the server was stopped: no fault of the job's
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
DROP INDEX IF EXISTS job_state;
CREATE INDEX IF NOT EXISTS job_turn ON job (state, is_front, client, number);
CREATE TABLE IF NOT EXISTS turn (client TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""

#: Round-robin: within a priority the client who was served longest ago comes first, and among
#: connections of one name, the one that was.
_IN_TURN = """
SELECT job.* FROM (
    SELECT min(number) AS first FROM job WHERE state = 'queued' GROUP BY is_front, client)
JOIN job ON job.number = first
LEFT JOIN turn AS own ON own.client = job.client
LEFT JOIN turn AS shared
    ON shared.client = substr(job.client, 1, instr(job.client || char(9), char(9)) - 1)
ORDER BY is_front DESC, coalesce(shared.number, 0), coalesce(own.number, 0), job.number LIMIT 1
"""

#: The plus keeps SQLite from going through every job that waits.
ASKED = """
SELECT number, name, submission FROM job
WHERE number > ? AND +state IN ('queued', 'running', 'cancelling') ORDER BY number
"""

_FACTS = ("code", "message", "seconds", "takes")


class Jobs:
    """Every job there is, in one SQLite file.

    Parameters
    ----------
    path : Path
        A file that is no database (any more) is moved aside as `<name>.bad-<time>`; what can still
        be read of it is taken over.
    """

    def __init__(self, path: Path) -> None:
        self._store = Store(path, _SCHEMA, "job", _is_sound)
        self.n_commits = 0

    @property
    def _db(self) -> sqlite3.Connection:
        return self._store.db

    @property
    def moved_aside(self) -> Path | None:
        """Where the last damaged file went."""
        return self._store.moved_aside

    @property
    def is_broken(self) -> bool:
        """Whether it was damaged and no new file begun yet; nothing but `mend` works."""
        return self._store.is_broken

    @property
    def n_saved(self) -> int:
        """How many jobs were taken over from it."""
        return self._store.n_saved

    def close(self) -> None:
        """Give the file free."""
        self._store.close()

    def sync(self) -> None:
        """Bring everything written so far to the disk; in any thread."""
        self._store.sync()

    def tidy(self) -> None:
        """Keep the store's log short; in any thread."""
        self._store.tidy()

    def mend(self) -> None:
        """Go on with a new file where the old one turned out damaged."""
        self._store.mend()

    def submit(
        self, name: str, client: str, submission: str, is_front: bool = False
    ) -> tuple[Job, bool]:
        """Keep a job; on disk once it is synced.

        Parameters
        ----------
        name : str
        client : str
            Whose turn it takes; `name OF connection` where several share the turns of a name.
        submission : str
        is_front : bool

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
        with self._commit():
            self._db.execute(
                "INSERT INTO job (name, client, state, is_front, submission, changed_s)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (name, client, State.QUEUED, is_front, submission, time.time()),
            )
            if OF in client:
                self._db.execute(_JOIN_TURNS, (client,))
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
            "start", "cancel", "finish", "fail", "lost", "give_back" or "stop".
        **facts
            `code`, `message`, `seconds`, `takes` (TakeFiles).
        """
        job = self.get(name)
        assert (job.state, what) in TRANSITIONS, f"{what} can't happen to a job that is {job.state}"
        assert set(facts) <= set(_FACTS), facts
        if "takes" in facts:
            facts["takes"] = json.dumps([vars(take) for take in facts["takes"]])
        facts |= {"state": TRANSITIONS[job.state, what], "changed_s": time.time()}
        facts["attempts"] = job.attempts + {"start": 1, "give_back": -1}.get(what, 0)
        columns = ", ".join(f"{column} = ?" for column in facts)
        with self._commit():
            self._db.execute(f"UPDATE job SET {columns} WHERE name = ?", (*facts.values(), name))
            if what == "start":
                for client in dict.fromkeys((job.client.split(OF)[0], job.client)):
                    self._db.execute(_TAKE_TURN, (client,))
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

    def asked(self, after: int = 0) -> list[tuple[int, str, str]]:
        """Number, name and submission of live jobs whose number is above `after`, in order."""
        return self._db.execute(ASKED, (after,)).fetchall()

    def ended(self) -> dict[str, float]:
        """When each ended job ended, in seconds since 1970."""
        rows = self._db.execute(
            "SELECT name, changed_s FROM job WHERE state IN ('done', 'failed', 'cancelled')"
        )
        return {name: float(changed_s) for name, changed_s in rows}

    def forget(self, names: Iterable[str]) -> None:
        """Drop ended jobs; others stay. Their names are free again."""
        with self._commit():
            self._db.executemany(
                "DELETE FROM job WHERE name = ? AND state IN ('done', 'failed', 'cancelled')",
                [(name,) for name in names],
            )
            self._db.execute(_FORGET_TURNS, (MAX_TURNS,))

    def count_queued(self) -> int:
        """How many jobs wait."""
        return self._count("state = 'queued'")

    def recover(self) -> list[Job]:
        """Put back what a killed server left running; the jobs so moved, in their new states."""
        rows = self._db.execute(
            "SELECT name FROM job WHERE state IN ('running', 'cancelling')"
        ).fetchall()
        return [self.lose(name) for (name,) in rows]

    def put_back(self, job: Job) -> None:
        """Make sure that a job which runs is in the store; a damaged one may have lost it, or know
        it from before it began."""
        known = self.find(job.name)
        if known and known.state == State.QUEUED:
            with self._commit():
                self._db.execute(
                    "UPDATE job SET state = ?, attempts = ? WHERE name = ?",
                    (job.state, job.attempts, job.name),
                )
        if known is None:
            with self._commit():
                self._db.execute(
                    "INSERT INTO job (name, client, state, is_front, submission, attempts,"
                    " changed_s) VALUES (?, ?, ?, 0, ?, ?, ?)",
                    (job.name, job.client, job.state, job.submission, job.attempts, time.time()),
                )

    def lose(self, name: str, why: str = "") -> Job:
        """Worker or server died under a job: back into the queue; after three attempts, failed."""
        job = self.get(name)
        if job.state == State.RUNNING and job.attempts >= MAX_ATTEMPTS:
            message = (
                f"worker or server died {job.attempts} times over this job; it is not tried again"
            )
            message += f" ({why})" if why else ""
            return self.move(name, "fail", code="worker-died", message=message)
        return self.move(name, "lost")

    @contextlib.contextmanager
    def _commit(self) -> Iterator[None]:
        with self._db:
            yield
        self.n_commits += 1

    def _count(self, where: str, *values: Any) -> int:
        return int(
            self._db.execute(f"SELECT count(*) FROM job WHERE {where}", values).fetchone()[0]
        )


#: A new connection comes after those that wait: else many short ones kept a lasting one waiting.
_JOIN_TURNS = """
INSERT OR IGNORE INTO turn VALUES (?, (SELECT coalesce(max(number), 0) FROM turn))
"""

_TAKE_TURN = """
INSERT INTO turn VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM turn))
ON CONFLICT (client) DO UPDATE SET number = excluded.number
"""


_FORGET_TURNS = "DELETE FROM turn WHERE number <= (SELECT max(number) FROM turn) - ?"


def _is_sound(row: Row) -> bool:
    """Whether a row of a damaged file still is a job."""
    try:
        return bool(_job(row).name)
    except (ValueError, TypeError):
        return False


def _job(row: Iterable[Any]) -> Job:
    _, name, client, state, _, submission, attempts, code, message, seconds, takes, _ = row
    files = tuple(TakeFile(**take) for take in json.loads(takes))
    return Job(name, client, State(state), submission, attempts, code, message, seconds, files)
