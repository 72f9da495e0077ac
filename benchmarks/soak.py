"""Twenty clients at all doors keep a server busy: how soon are they answered, what does it eat?

    python -m benchmarks.soak [--jobs N] [--clients N] [--model tiny|double|pocket|FOLDER]
                              [--seconds S] [--steps N] [--json FILE]

Each client asks for a job, notes how long it took until that was acknowledged (durable, `queued`
back; at the spool door: until its status file was there), waits for its end, and asks for the next.
So about as many jobs wait as there are clients, and the worker is never idle. Memory of server and
worker is looked at twice a second; what counts is how much more the last quarter takes than the
second. Exit status 1 where 1 of 100 acknowledgements takes 20 ms or more, memory grows by over
5 %, or a job is not done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, quantiles

import numpy as np

from benchmarks.overhead import build_tiny
from benchmarks.serving import Served, memory_bytes, served
from engine.region import write

RATE = 44100
DOORS = ("udp", "tcp", "unix", "spool", "udp", "tcp")
MOST_ACK_MS, MOST_GROWTH = 20.0, 0.05
LOOK_S, GLANCE_S = 0.5, 0.002


@dataclass
class Notes:
    """What the clients and the onlooker wrote down."""

    acks_ms: dict[str, list[float]] = field(default_factory=dict)
    not_done: list[str] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)  # bytes of server and worker
    seconds: float = 0.0


def main(argv: list[str] | None = None) -> int:
    """Run it, print the table, and say whether it is well."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="retake-") as place:
        folder = Path(place)
        model = build_tiny(folder) if options.model == "tiny" else options.model
        clip = folder / "clip.wav"
        noise = np.random.default_rng(8).standard_normal((round(options.seconds * RATE), 2))
        write(clip, (0.1 * noise).astype(np.float32), RATE)
        with served(model) as server:
            notes = soak(server, clip, options.jobs, options.clients, options.steps)
            n_traces = len(server.traces())
    figures = summary(notes, options.jobs, n_traces)
    for name, value in figures.items():
        print(f"| {name} | {value:.2f} |")
    for fault in notes.not_done[:10]:
        print(f"FAULT: {fault}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if is_well(figures) else 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of the clip")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(argv)


def soak(server: Served, clip: Path, n_jobs: int, n_clients: int, n_steps: int) -> Notes:
    """Run the clients to their end."""
    wait_until_ready(server)
    notes = Notes({door: [] for door in DOORS})
    is_over = threading.Event()
    onlooker = threading.Thread(target=_look_on, args=(server, notes, is_over))
    clients = []
    for number in range(n_clients):
        door = DOORS[number % len(DOORS)]
        ask = _ask_spool if door == "spool" else _ask
        names = [f"soak-{number}-{n}" for n in range(number, n_jobs, n_clients)]
        keys = {"edit": "vary", "path": str(clip), "steps": n_steps, "prompt": "rain"}
        arguments = (server, door, names, keys, notes)
        clients.append(threading.Thread(target=ask, args=arguments))
    began_s = time.monotonic()
    for thread in (onlooker, *clients):
        thread.start()
    for thread in clients:
        thread.join()
    notes.seconds = time.monotonic() - began_s
    is_over.set()
    onlooker.join()
    return notes


def wait_until_ready(server: Served) -> None:
    """Until the model is loaded."""
    with server.client("tcp") as client:
        while client.hello().device == "starting":
            time.sleep(0.1)


def _ask(
    server: Served, door: str, names: list[str], keys: dict[str, object], notes: Notes
) -> None:
    with server.client(door) as client:
        for name in names:
            began_s = time.perf_counter()
            client.submit(name, **keys)
            notes.acks_ms[door].append(1e3 * (time.perf_counter() - began_s))
            try:
                client.wait(name)
            except Exception as error:
                notes.not_done.append(f"{name}: {error}")


def _ask_spool(
    server: Served, door: str, names: list[str], keys: dict[str, object], notes: Notes
) -> None:
    folder = server.folder / "spool"
    text = "".join(f"{key}={value}\n" for key, value in keys.items())
    for name in names:
        half = folder / f".{name}"
        half.write_text(f"client={name.rsplit('-', 1)[0]}\n{text}")
        status = folder / f"{name}.status"
        began_s = time.perf_counter()
        half.rename(folder / f"{name}.request")
        _glance_until(status.exists, GLANCE_S)
        notes.acks_ms[door].append(1e3 * (time.perf_counter() - began_s))
        _glance_until(lambda path=status: "\nstate=queued" not in _state(path), 0.05)
        _glance_until(lambda path=status: "\nstate=running" not in _state(path), 0.05)
        if "\nstate=done" not in _state(status):
            notes.not_done.append(f"{name}: {_state(status)}")


def _state(path: Path) -> str:
    return "\n" + path.read_text(encoding="utf-8")


def _glance_until(is_so: Callable[[], bool], every_s: float) -> None:
    while not is_so():
        time.sleep(every_s)


def _look_on(server: Served, notes: Notes, is_over: threading.Event) -> None:
    """Until the soak is over; that a process was gone meanwhile is written down, too."""
    try:
        [worker] = server.worker_pids()
        while True:
            notes.memory.append((memory_bytes(server.pid), memory_bytes(worker)))
            if is_over.wait(LOOK_S):
                return
    except (OSError, ValueError) as error:
        notes.not_done.append(f"memory was looked at no longer: {error}")


def summary(notes: Notes, n_jobs: int, n_traces: int) -> dict[str, float]:
    """The table's rows."""
    everything = [ms for acks in notes.acks_ms.values() for ms in acks]
    figures: dict[str, float] = {
        "jobs": n_jobs,
        "not done": len(notes.not_done),
        "tracebacks": n_traces,
        "seconds": notes.seconds,
    }
    for door, acks in (("all doors", everything), *notes.acks_ms.items()):
        cuts = quantiles(acks, n=100)
        figures[f"{door}: ack, half within, ms"] = cuts[49]
        figures[f"{door}: ack, 99 of 100 within, ms"] = cuts[98]
        figures[f"{door}: ack, longest, ms"] = max(acks)
    for place, who in enumerate(("server", "worker")):
        second, last = _quarters([bytes_[place] for bytes_ in notes.memory])
        figures[f"{who}: memory in the last quarter, MiB"] = last / 2**20
        figures[f"{who}: more than in the second, %"] = 100 * (last / second - 1)
    figures["load at the end"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
    return figures


def _quarters(values: list[int]) -> tuple[float, float]:
    """Means of the second and the last quarter."""
    quarter = max(1, len(values) // 4)
    return fmean(values[quarter : 2 * quarter] or values), fmean(values[-quarter:])


def is_well(figures: dict[str, float]) -> bool:
    """Whether every limit is kept."""
    grown = max(figures[f"{who}: more than in the second, %"] for who in ("server", "worker"))
    late = figures["all doors: ack, 99 of 100 within, ms"] >= MOST_ACK_MS
    return not (figures["not done"] or figures["tracebacks"] or late or grown > 100 * MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
