"""Many jobs while their worker, and now and then the server, is killed under them.

    python -m benchmarks.kills [--jobs N] [--clients N] [--every SECONDS] [--servers N]
                               [--model double|tiny|NAME|FOLDER]

Clients queue all jobs at once. The worker gets SIGKILL every few seconds (counted from when it has
taken up work again), the server twice on the way. In the end every job has to have ended once, as
done with whole takes or as `worker-died` without any. With the double, which writes its steps down,
each client's jobs have to have begun in the order they were asked for, and no two may ever have run
at once. Exit status 1 where that isn't so.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.overhead import build_tiny
from benchmarks.serving import Served
from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.region import read, write

RATE, FRAMES, TAKES = 44100, 4410, 2
PATIENCE_S = 3600.0
ENDED = ("done", "failed", "cancelled")


@dataclass
class Tally:
    """What happened, and what shouldn't have."""

    n_jobs: int = 0
    n_worker_kills: int = 0
    n_server_kills: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def row(self) -> str:
        """A line of a table."""
        ends = ", ".join(f"{count} {name}" for name, count in sorted(self.endings.items()))
        kills = f"{self.n_worker_kills} | {self.n_server_kills}"
        return f"| {self.n_jobs} | {kills} | {self.attempts} | {ends} | {self.seconds:.0f} |"


def main(argv: list[str] | None = None) -> int:
    """Run it and print what happened."""
    parser = argparse.ArgumentParser(prog="benchmarks.kills", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--every", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--model", default="double")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="retake-") as place:
        model = build_tiny(Path(place)) if options.model == "tiny" else options.model
        tally = kill_on(
            *(Path(place), options.jobs, options.clients, options.every, options.servers, model)
        )
    print("| jobs | worker killed | server killed | attempts | endings | seconds |")
    print("|---|---|---|---|---|---|")
    print(tally.row())
    for fault in tally.faults:
        print(f"FAULT: {fault}")
    return 1 if tally.faults else 0


def kill_on(
    place: Path, n_jobs: int, n_clients: int, every_s: float, n_servers: int, model: str = "double"
) -> Tally:
    """Queue jobs, kill, wait until all have ended, and look at what came of them."""
    began_s = time.monotonic()
    server = Served(place / "state", model).start()
    tally = Tally(n_jobs)
    try:
        clip = place / "clip.wav"
        rng = np.random.default_rng(5)
        write(clip, (0.1 * rng.standard_normal((FRAMES, 2))).astype(np.float32), RATE)
        names = submit_all(server, clip, n_jobs, n_clients)
        killer = Killer(server, tally, every_s, names, n_servers)
        killer.run()
        check(server, clip, names, tally, model == "double")
    finally:
        server.stop()
    if traces := server.traces():
        tally.faults.append(f"tracebacks in the log: {traces[:2]}")
    tally.seconds = time.monotonic() - began_s
    return tally


def submit_all(server: Served, clip: Path, n_jobs: int, n_clients: int) -> list[list[str]]:
    """Each client's jobs, in the order it asked for them."""
    names = [[f"c{c}-{n}" for n in range(c, n_jobs, n_clients)] for c in range(n_clients)]

    def submit(jobs: list[str], door: str) -> None:
        with server.client(door) as client:
            for job in jobs:
                client.submit(job, **keys_of(job, clip))

    doors = ("udp", "tcp", "unix")
    threads = [
        threading.Thread(target=submit, args=(jobs, doors[number % len(doors)]))
        for number, jobs in enumerate(names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return names


def keys_of(job: str, clip: Path) -> dict[str, object]:
    """What a job asks for."""
    keys = {"edit": "vary", "path": clip, "prompt": f"task {job}"}
    return {**keys, "takes": TAKES, "seed": sum(map(ord, job)), "steps": 4}


class Killer:
    """Kills until every job has ended.

    Parameters
    ----------
    server : Served
    tally : Tally
    every_s : float
        Between a worker's first sign of work and its end.
    names : list of lists of str
    n_servers : int
        How often the server is killed, at even distances on the way.
    """

    def __init__(
        self, server: Served, tally: Tally, every_s: float, names: list[list[str]], n_servers: int
    ) -> None:
        self._server, self._tally, self._every_s = server, tally, every_s
        self._all = [job for jobs in names for job in jobs]
        self._marks = [(k + 1) / (n_servers + 1) for k in range(n_servers)]

    def run(self) -> None:
        """Until all have ended; each look is over a connection of its own."""
        deadline = time.monotonic() + PATIENCE_S
        while (n_ended := self._n_ended()) < len(self._all):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._all) - n_ended} jobs never ended")
            if self._marks and n_ended / len(self._all) >= self._marks[0]:
                self._marks.pop(0)
                self._server.kill()
                self._tally.n_server_kills += 1
                self._server.start()
            elif self._is_at_work():
                time.sleep(self._every_s)
                self._tally.n_worker_kills += self._server.kill_worker()

    def _n_ended(self) -> int:
        with self._server.client("tcp") as client:
            states = [client.status(job)[0] for job in self._all]
        return sum(state in ENDED for state in states)

    def _is_at_work(self) -> bool:
        """Wait a little for a worker that runs a job."""
        with self._server.client("tcp") as client:
            client.watch()
            until = time.monotonic() + 5.0
            while time.monotonic() < until:
                message = client._receive(0.5)
                if message and message[0] == "/retake/progress" and message[1][1] > 0:
                    return True
        return False


def check(
    server: Served, clip: Path, names: list[list[str]], tally: Tally, is_double: bool
) -> None:
    """Hold what is left against what was asked for."""
    source = read(clip).samples
    spool = server.folder / "spool"
    with server.client("tcp") as client:
        for job in (job for jobs in names for job in jobs):
            tally.endings[_ending(client, job, clip, source, tally, is_double)] += 1
    tally.faults += [
        f"a take of nobody: {path.name}"
        for path in spool.glob("*.wav")
        if path.name.split(".")[0] not in {job for jobs in names for job in jobs}
    ]
    tally.faults += list(told_twice(server))
    with closing(sqlite3.connect(server.folder / "jobs.sqlite")) as db:
        tally.attempts = int(db.execute("SELECT sum(attempts) FROM job").fetchone()[0])
    if is_double:
        tally.faults += list(out_of_order(server.steps, names))


def _ending(
    client: Client, job: str, clip: Path, source: np.ndarray, tally: Tally, is_double: bool
) -> str:
    """How a job ended; the same request again must answer with that very ending."""
    client.submit(job, **keys_of(job, clip))
    found = sorted(path.name for path in (clip.parent / "state" / "spool").glob(f"{job}.*.wav"))
    try:
        takes = client.wait(job)
    except ServerError as error:
        if error.code != "worker-died" or found:
            tally.faults.append(f"{job} failed with {error.code}; takes there: {found}")
        return error.code
    if found != [f"{job}.{index}.wav" for index in range(1, TAKES + 1)] or len(takes) != TAKES:
        tally.faults.append(f"{job} is done with {found}")
    for take in takes:
        made = read(take.path).samples
        is_whole = made.shape == source.shape
        if is_double:
            is_whole = is_whole and np.array_equal(made, -source / take.index)
        if not is_whole:
            tally.faults.append(f"{take.path} is not what it should be")
    return "done"


def told_twice(server: Served) -> Iterable[str]:
    """Jobs whose end stands in the log more than once."""
    ends: Counter[str] = Counter()
    for line in server.lines():
        job, _, what = line["message"].removeprefix("job ").partition(": ")
        ends[job] += line["message"].startswith("job ") and what.split(" ")[0] in ENDED
    return [f"{job} ended {count} times" for job, count in ends.items() if count > 1]


def out_of_order(steps: Path, names: list[list[str]]) -> Iterable[str]:
    """Jobs that began before an earlier one of their client, or while another ran."""
    begun: dict[str, None] = {}
    last_job, last_step = "", -1
    for line in steps.read_text().splitlines():
        with suppress(ValueError):  # a line cut off by a kill
            _, job, number = line.split(" ")
            step = int(number)
            if step and (job, step) != (last_job, last_step + 1):
                yield f"step {step} of {job} follows step {last_step} of {last_job}"
            begun.setdefault(job)
            last_job, last_step = job, step
    order = list(begun)
    for jobs in names:
        mine = [job for job in order if job in set(jobs)]
        if mine != [job for job in jobs if job in begun]:
            yield f"begun in the order {mine}"


if __name__ == "__main__":
    sys.exit(main())
