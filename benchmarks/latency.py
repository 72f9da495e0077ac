"""How long a job takes in the worker, and how much less once its region is known.

    python -m benchmarks.latency [--checkpoint pocket] [--regions N] [--seconds S] [--steps N ...]
                                 [--device auto] [--json FILE]

A worker process is started as the server starts it. For each of N regions that were never edited
(stereo, 48 kHz) it gets a transfer with one text, then one with another: the second skips encoding
the region. Both are timed from the order to the last line, as wall time and as the worker's own
processor time; medians are printed, and what each stage takes. `first progress` is the wait until
the worker says anything of the job. On a busy machine compare the processor times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from engine.region import write
from server.executor_process import worker_environment
from server.submission import parse_pairs
from server.supervisor import worker_command

RATE = 48000
#: Of what takes less than this no percentage is printed.
SHOWN_S = 0.05


@dataclass
class Run:
    """What one job took."""

    wall_s: float
    cpu_s: float
    first_progress_s: float
    stages_s: dict[str, float] = field(default_factory=dict)


class Worker:
    """A worker process, told jobs one after the other."""

    def __init__(self, model: str, device: str, spool: Path) -> None:
        self._spool, self._n_jobs = spool, 0
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            worker_command(model, device), stdin=pipe, stdout=pipe, env=worker_environment()
        )
        self.ready = next(event for event in self._events() if event["event"] == "ready")

    def _events(self) -> Any:
        assert self._process.stdout
        for line in self._process.stdout:
            yield json.loads(line)

    def run(self, clip: Path, **keys: Any) -> Run:
        """One job, start to end."""
        self._n_jobs += 1
        order: dict[str, Any] = {"do": "run", "job": f"job-{self._n_jobs}", "path": str(clip)}
        pairs = [value for pair in ({"path": str(clip)} | keys).items() for value in pair]
        order |= {"submission": parse_pairs(tuple(pairs)).to_json(), "spool": str(self._spool)}
        assert self._process.stdin
        before_s = self._cpu_s()
        began_s = last_s = time.perf_counter()
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        stages_s: dict[str, float] = defaultdict(float)
        stage, first_s = "", 0.0
        for event in self._events():
            now_s = time.perf_counter()
            if event["event"] == "beat":
                continue
            first_s = first_s or now_s - began_s
            stages_s[stage or event.get("stage", "")] += now_s - last_s
            stage, last_s = event.get("stage", ""), now_s
            if event["event"] == "finish":
                return Run(now_s - began_s, self._cpu_s() - before_s, first_s, dict(stages_s))
            if event["event"] != "progress":
                sys.exit(f"latency: the job ended with {event}")
        sys.exit("latency: the worker died")

    def _cpu_s(self) -> float:
        """Processor time of the worker so far; 0 where it can't be told."""
        path = Path(f"/proc/{self._process.pid}/stat")
        if not path.exists():
            return 0.0
        user, system = path.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / 100.0

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def noisy_tone(seed: int, seconds: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A stereo region that no other seed gives, shape = (n_frames, 2)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    tone = 0.2 * np.sin(2 * np.pi * (200 + 30 * seed) * time_s)[:, np.newaxis]
    return (tone + 0.05 * rng.standard_normal((len(time_s), 2))).astype(np.float32)


def measure(
    worker: Worker, folder: Path, n_regions: int, seconds: float, steps: int
) -> tuple[list[Run], list[Run]]:
    """First and second edits of regions, in pairs; one more pair before them counts for nothing."""
    firsts, seconds_ = [], []
    for index in range(-1, n_regions):
        clip = folder / f"clip-{steps}-{index}.wav"
        write(clip, noisy_tone(1000 * steps + index + 1, seconds), RATE)
        first = worker.run(clip, edit="transfer", prompt=f"rain on a roof {index}", steps=steps)
        second = worker.run(clip, edit="transfer", prompt=f"a creaking door {index}", steps=steps)
        clip.unlink()
        if index >= 0:
            firsts.append(first)
            seconds_.append(second)
    return firsts, seconds_


def report(steps: int, firsts: list[Run], seconds: list[Run]) -> dict[str, Any]:
    """Print a table and give its figures."""
    figures: dict[str, Any] = {"steps": steps}
    print(f"\n{steps} steps")
    rows = {
        "wall, s": lambda run: run.wall_s,
        "processor, s": lambda run: run.cpu_s,
        "first progress, s": lambda run: run.first_progress_s,
    }
    for stage in firsts[0].stages_s:
        rows[f"  {stage}, s"] = lambda run, stage=stage: run.stages_s.get(stage, 0.0)
    print(f"{'':24} {'first':>8} {'second':>8} {'less':>7}")
    for name, figure in rows.items():
        first, second = (median(figure(run) for run in runs) for runs in (firsts, seconds))
        figures[name.strip()] = {"first": first, "second": second}
        less = f"{1 - second / first:7.1%}" if first >= SHOWN_S else ""
        print(f"{name:24} {first:8.3f} {second:8.3f} {less}".rstrip())
    pairs = [1 - b.wall_s / a.wall_s for a, b in zip(firsts, seconds, strict=True)]
    print(f"second text, pair by pair: {min(pairs):.1%} to {max(pairs):.1%} less wall time")
    figures["pairs"] = pairs
    return figures


def main() -> None:
    """Measure, print, and write figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--checkpoint", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--regions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--steps", type=int, nargs="+", default=[20])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        worker = Worker(options.checkpoint, options.device, folder)
        print(f"{worker.ready['model']} on {worker.ready['device']}, {options.seconds:g} s stereo")
        tables = [
            report(steps, *measure(worker, folder, options.regions, options.seconds, steps))
            for steps in options.steps
        ]
        worker.close()
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1))


if __name__ == "__main__":
    main()
