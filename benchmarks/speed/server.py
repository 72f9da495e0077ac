"""The running server: from the command to ready, to the first progress, to the take; and idle."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.serving import Served
from benchmarks.speed.contenders import PROMPT
from benchmarks.speed.edits import RATE, noisy
from daw_bridge.client import Client
from engine.region import write

SECONDS, IDLE_S = 10.0, 20.0


def measure(repeats: int) -> dict[str, Any]:
    """Cold start, first progress, first and second text on a region, CPU when idle."""
    with tempfile.TemporaryDirectory() as place:
        colds = [_cold_s(Path(place) / f"cold-{index}") for index in range(min(repeats, 3))]
        server = Served(Path(place) / "state", "pocket").start()
        try:
            _wait_until_ready(server)
            firsts, seconds, waits = _edits(server, Path(place), repeats)
            idle = _idle_share(server)
        finally:
            server.stop()
    pairs = [1 - second / first for first, second in zip(firsts, seconds, strict=True)]
    figures = {
        "cold start to listening, s": median(cold[0] for cold in colds),
        "cold start to ready, s": median(cold[1] for cold in colds),
        "first progress, s": median(waits),
        "transfer of 10 s, s": median(firsts),
        "of real time": median(firsts) / SECONDS,
        "second text, s": median(seconds),
        "second text saves": median(pairs),
        "idle CPU": idle,
    }
    print("\npocket through the running server")
    for name, value in figures.items():
        print(f"  {name:<28} {value:8.3f}")
    return figures


def _cold_s(folder: Path) -> tuple[float, float]:
    """Seconds from the command to an answer, and to a loaded and warmed model."""
    start_s = time.perf_counter()
    server = Served(folder, "pocket").start()
    try:
        listening_s = time.perf_counter() - start_s
        _wait_until_ready(server)
        return listening_s, time.perf_counter() - start_s
    finally:
        server.stop()


def _wait_until_ready(server: Served) -> None:
    while "ready on" not in server.text():
        if not server.is_alive:
            raise RuntimeError(f"the server ended:\n{server.text()[-2000:]}")
        time.sleep(0.02)


def _edits(
    server: Served, folder: Path, repeats: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of first texts, of second texts, and to the first progress."""
    firsts, seconds, waits = [], [], []
    with server.client("tcp") as client:
        for index in range(-1, repeats):
            clip = folder / f"clip-{index}.wav"
            write(clip, noisy(SECONDS + index / 1000).samples, RATE)
            first_s, wait_s = _edit(client, clip, f"{PROMPT} {index}")
            second_s, _ = _edit(client, clip, f"a creaking door {index}")
            if index >= 0:
                firsts.append(first_s)
                seconds.append(second_s)
                waits.append(wait_s)
    return firsts, seconds, waits


def _edit(client: Client, clip: Path, prompt: str) -> tuple[float, float]:
    """Seconds of a default transfer, and until anything was heard of it."""
    heard: list[float] = []
    start_s = time.perf_counter()
    job = client.submit(edit="transfer", path=str(clip), prompt=prompt)
    client.wait(job, lambda *_: heard.append(time.perf_counter() - start_s))
    whole_s = time.perf_counter() - start_s
    return whole_s, heard[0] if heard else whole_s


def _idle_share(server: Served) -> float:
    """Processor time the server and its worker take a second when nothing is asked of them."""
    time.sleep(1.0)
    pids = [server.pid, *server.worker_pids()]
    before, start_s = sum(map(_cpu_s, pids)), time.perf_counter()
    time.sleep(IDLE_S)
    return (sum(map(_cpu_s, pids)) - before) / (time.perf_counter() - start_s)


def _cpu_s(pid: int) -> float:
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return 0.0
    user, system = path.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / float(os.sysconf("SC_CLK_TCK"))
