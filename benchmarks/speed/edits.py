"""Whole edits on clips of many lengths, four takes, and how cost and memory grow."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.speed.contenders import DEFAULT_STEPS, PROMPT, SHIPPED, TOLD, pipeline_of
from benchmarks.speed.timing import Clock, Measured, print_head, print_row, take_turns
from engine import Bandwidth, Edit, Engine, Generate, Hole, Inpaint, Region, Transfer

RATE = 48000
LENGTHS_S = (2.5, 5.0, 10.24, 30.0, 120.0)
GROWTH_S, GROWTH_STEPS = (2.5, 5.0, 10.0, 30.0, 120.0, 600.0), 2
#: A diffusers pipeline sees a clip whole; longer ones take it minutes and much memory.
LONGEST_PEER_S = 10.24


def measure(
    name: str, folder: Path, repeats: int, clock: Clock, lengths_s: tuple[float, ...]
) -> dict[str, Any]:
    """Seconds of the four kinds of work; `generate`, which diffusers has too, against diffusers."""
    engine = Engine.load(folder)
    print_head(f"{name}: whole edits, {DEFAULT_STEPS} steps", ["retake"])
    rows = {}
    for length_s in lengths_s:
        for kind in ("transfer", "inpaint", "bandwidth"):
            work = {"retake": lambda k=kind, s=length_s: _edit(engine, k, s)}
            measured = take_turns(work, repeats if length_s < 60 else 2, clock, warm=0)
            print_row(f"{kind} {length_s:g} s", measured)
            rows[f"{kind} {length_s:g} s"] = measured.to_json()
    generated = _generated(engine, folder, repeats, clock, lengths_s)
    return rows | {row: measured.to_json() for row, measured in generated.items()}


def _edit(engine: Engine, kind: str, length_s: float) -> None:
    """An edit of a region that was never edited: nothing is known of it."""
    engine.networks.forget()
    region = noisy(length_s)
    middle = Hole(region.n_frames // 3, min(region.n_frames // 3, 2 * RATE))
    edit: Edit = {
        "transfer": Transfer(prompt=PROMPT, steps=DEFAULT_STEPS),
        "inpaint": Inpaint(prompt=PROMPT, steps=DEFAULT_STEPS, holes=(middle,)),
        "bandwidth": Bandwidth(cutoff=4000.0, steps=DEFAULT_STEPS),
    }[kind]
    engine.edit(region, edit)


def _generated(
    engine: Engine, folder: Path, repeats: int, clock: Clock, lengths_s: tuple[float, ...]
) -> dict[str, Measured]:
    pipelines = {name: pipeline_of(folder, name == TOLD) for name in (SHIPPED, TOLD)}
    found = {}
    print_head("generate", ["retake", *pipelines])
    for length_s in (s for s in lengths_s if s <= LONGEST_PEER_S):
        edit = Generate(prompt=PROMPT, seconds=length_s, steps=DEFAULT_STEPS)
        works: dict[str, Any] = {"retake": lambda e=edit: engine.edit(None, e)}
        for name, pipeline in pipelines.items():
            works[name] = lambda p=pipeline, s=length_s: p(PROMPT, s, DEFAULT_STEPS)
        found[f"generate {length_s:g} s"] = take_turns(works, min(repeats, 3), clock, warm=0)
        print_row(f"generate {length_s:g} s", found[f"generate {length_s:g} s"])
    return found


def takes(folder: Path, repeats: int, clock: Clock) -> dict[str, Any]:
    """What four takes cost against one."""
    engine, region = Engine.load(folder), noisy(10.0)

    def ask(n_takes: int) -> None:
        engine.networks.forget()
        engine.takes(region, Transfer(prompt=PROMPT, takes=n_takes))

    measured = take_turns({"one": lambda: ask(1), "four": lambda: ask(4)}, repeats, clock)
    times = measured.ratios()["four"]
    low, high = times["low"], times["high"]
    print(f"\nfour takes cost {times['ratio']:.2f} times one ({low:.2f} to {high:.2f})")
    # As a ratio that is better when larger, as all others are: takes for the price of one.
    ratio = {key: 4 / times[key] for key in ("ratio", "low", "high")}
    return {"four takes": {"times one": times["ratio"], "ratios": {"one by one": ratio}}}


def growth(folder: Path, clock: Clock) -> dict[str, Any]:
    """The exponent of a transfer's cost in the clip's length, and the largest memory."""
    engine = Engine.load(folder)
    engine.edit(noisy(2.5), Transfer(prompt=PROMPT, steps=GROWTH_STEPS))
    seconds, peaks = {}, {}
    for length_s in GROWTH_S:
        region, edit = noisy(length_s), Transfer(prompt=PROMPT, steps=GROWTH_STEPS)
        _forget_peak()

        def work(region: Region = region, edit: Edit = edit) -> None:
            engine.networks.forget()
            engine.edit(region, edit)

        repeats = 5 if length_s < 60 else 1
        seconds[length_s] = median(take_turns({"": work}, repeats, clock, 0).seconds[""])
        peaks[length_s] = peak_bytes() / 2**20
        print(f"{length_s:7.1f} s: {seconds[length_s]:8.2f} s, at most {peaks[length_s]:.0f} MiB")
    logs = np.log([list(seconds), list(seconds.values())])
    exponent = float(np.polyfit(*logs, 1)[0])
    last = math.log(seconds[600.0] / seconds[30.0]) / math.log(20.0)
    print(f"cost grows with length to the power {exponent:.3f}; from 30 s on {last:.3f}")
    figures = {"seconds": seconds, "peak MiB": peaks}
    return figures | {"exponent": exponent, "exponent from 30 s": last}


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """The process's largest resident memory since `_forget_peak`; 0 where it can't be told."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return 0


def noisy(seconds: float) -> Region:
    """A stereo region of noise at 48 kHz."""
    rng = np.random.default_rng(round(1000 * seconds))
    samples = 0.1 * rng.standard_normal((round(seconds * RATE), 2), dtype=np.float32)
    return Region(samples, RATE)
