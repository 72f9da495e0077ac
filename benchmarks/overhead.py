"""What the server adds to a job and to audio, against calling the engine in the same process.

    python -m benchmarks.overhead [--model double|NAME|FOLDER] [--jobs N] [--door udp|tcp|unix]
                                  [--json FILE]

A job in process: read the region, edit it, write the take. Over the server: submit, wait for the
last event. They are run by turns, medians are compared. With the double, an engine that costs
nothing, all that is seen is the server's own; with a checkpoint (the tests' `tiny` is built with
`--model tiny`) the same figure stands against real jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks.serving import ROOT, Served, served
from engine.edits import make_edit
from engine.region import read, write

RATE = 48000
CLIP_S, AUDIO_S = 0.5, 10.0
PAUSE_S = 0.1  # till the disk has what was sent before
MOST_JOB_MS, MOST_AUDIO_MS = 15.0, 10.0


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and fail where a limit is passed."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="retake-") as place:
        folder = Path(place)
        model = build_tiny(folder) if options.model == "tiny" else options.model
        clip = folder / "clip.wav"
        write(clip, _noise(CLIP_S), RATE)
        with served(model) as server:
            figures = measure_jobs(server, model, clip, options.jobs, options.door)
            figures |= measure_audio(server, clip, options.jobs)
    figures["load at the end"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
    _print(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    is_well = figures["server adds, ms"] <= MOST_JOB_MS and all(
        figures[f"{way} {AUDIO_S:.0f} s stereo, ms"] <= MOST_AUDIO_MS for way in ("put", "get")
    )
    return 0 if is_well else 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.overhead", description=__doc__)
    parser.add_argument("--model", default="double")
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--door", choices=("udp", "tcp", "unix"), default="udp")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(argv)


def build_tiny(folder: Path) -> str:
    """The tests' tiny checkpoint."""
    sys.path.insert(0, str(ROOT / "tests"))
    import tiny

    return str(tiny.build(folder / "tiny"))


def load_engine(model: str, folder: Path) -> Any:
    """The engine of a name, in this process."""
    if model == "double":
        sys.path.insert(0, str(ROOT / "tests"))
        from engine_double import Double

        return Double("double", folder / "steps")
    from engine import Engine

    return Engine.load(model, device="cpu")


def measure_jobs(
    server: Served, model: str, clip: Path, n_jobs: int, door: str
) -> dict[str, float]:
    """Medians in milliseconds: a job in process, over the server, and till it is queued."""
    engine = load_engine(model, clip.parent)
    edit = make_edit("vary", {"steps": 2, "amount": 0.5})
    direct: list[float] = []
    over: list[float] = []
    acks: list[float] = []
    with server.client(door) as client:
        for number in range(n_jobs + 3):
            take = clip.with_name(f"take-{number}.wav")

            def in_process(take: Path = take) -> None:
                made = engine.takes(read(clip), edit)[0]
                write(take, made.samples, made.rate)

            began_s = time.perf_counter()
            in_process()
            direct.append(time.perf_counter() - began_s)
            began_s = time.perf_counter()
            job = client.submit(edit="vary", path=clip, steps=2, amount=0.5)
            acks.append(time.perf_counter() - began_s)
            client.wait(job)
            over.append(time.perf_counter() - began_s)
    # The first three warm up both sides.
    added = [1e3 * (there - here) for here, there in zip(direct[3:], over[3:], strict=True)]
    return {
        "in process, ms": 1e3 * median(direct[3:]),
        "over the server, ms": 1e3 * median(over[3:]),
        "server adds, ms": median(added),
        "server adds (9 of 10 less than), ms": quantiles(added, n=10)[-1],
        "till queued, ms": 1e3 * median(acks[3:]),
        "till queued (99 of 100 less than), ms": 1e3 * quantiles(acks[3:], n=100)[-1],
    }


def measure_audio(server: Served, clip: Path, n_times: int) -> dict[str, float]:
    """How long ten seconds of stereo take to the server and back, the first time and then."""
    samples = np.repeat(_noise(AUDIO_S), 2, axis=1)
    audio = samples.astype("<f4").tobytes()
    with server.client("tcp") as client:
        puts = [_ms(lambda: client.put(audio, RATE, 2)) for _ in range(n_times)]
        upload = client.put(audio, RATE, 2)
        job = client.submit(edit="vary", upload=upload, steps=1, amount=0.1)
        client.wait(job)
        gets = [_ms(lambda: client.get(job)) for _ in range(n_times)]
    what = f"{AUDIO_S:.0f} s stereo"
    return {
        f"put {what}, ms": median(puts),
        f"put {what} (the first), ms": puts[0],
        f"get {what}, ms": median(gets),
        f"get {what} (the first), ms": gets[0],
    }


def _ms(what: Callable[[], object]) -> float:
    time.sleep(PAUSE_S)
    began_s = time.perf_counter()
    what()
    return 1e3 * (time.perf_counter() - began_s)


def _noise(length_s: float) -> np.ndarray:
    n_frames = round(length_s * RATE)
    noise = np.random.default_rng(3).standard_normal((n_frames, 1))
    return (0.1 * noise).astype(np.float32)


def _print(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        print(f"| {name} | {value:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
