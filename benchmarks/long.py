"""Long clips: memory and time against length, progress, cancelling, and the seams of windows.

    python -m benchmarks.long [--minutes 1 2 5 10] [--edits transfer bandwidth] [--steps 20]
    [--json FILE]

Every length is edited in a process of its own, stereo at 48 kHz; its peak memory is that process's
and its children's together, sampled twenty times a second. Seams are looked for in a steady sound
(noise under tones), where a step at a window's border can't hide. It ends with status 1 where
something is out of bounds: 3 GiB, a step half a decibel larger than elsewhere, a cost a minute more
than 15 % off the shortest clip's, a progress report or a cancel that takes over five seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 48000
EDITS = ("transfer", "bandwidth")
MAX_BYTES = 3 * 2**30
#: Most that a level, or a band's, steps at borders more than it does elsewhere.
MOST_STEP_DB = 0.5
#: Most that a minute of a long clip may cost more or less than one of the shortest, as a share.
MOST_DRIFT = 0.15
#: Longest time between progress reports, and until a cancel is heard.
LONGEST_WAIT_S = 5.0
SAMPLING_S = 0.05
#: Levels before and after a border are taken over so much; the border itself is left out.
SEAM_S, MARGIN_S = 1.0, 0.05
#: Edges of the bands in which a step is looked for.
BANDS_HZ = (0, 500, 1000, 2000, 4000, 7500)

Wave = NDArray[np.float32]


def main() -> int:
    """Measure the lengths asked for and print a table; 1 where something is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 5, 10])
    parser.add_argument("--edits", nargs="+", choices=EDITS, default=EDITS)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cancel-at", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args.edits[0], args.minutes[0], args)))
        return 0
    rows = []
    for edit in args.edits:
        for minutes in args.minutes:
            rows.append(run(edit, minutes, args))
            print(line(rows[-1]), flush=True)
        rows.append(run(edit, min(args.minutes), args, cancel_at=0.3))
        print(f"{edit}: cancelled {rows[-1]['late_s']:.2f} s after it was asked for", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print("\n".join(table(rows)))
    wrong = list(faults(rows))
    print("\n".join(wrong) or "all within bounds")
    return int(bool(wrong))


def line(row: dict[str, Any]) -> str:
    """One length's figures in words."""
    return (
        f"{row['edit']:9} {row['minutes']:4g} min: peak {row['peak_bytes'] / 2**30:.2f} GiB, "
        f"{row['cpu_s']:.0f} s CPU, {row['wall_s']:.0f} s"
    )


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as docs/performance.md shows them."""
    lines = [
        "| edit | minutes | peak, GiB | CPU a minute, s | longest without progress, s "
        "| step of the level at a border (elsewhere), dB | of the worst band (elsewhere), dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in measured(rows):
        seams = (
            f"{row['seam_db']:.2f} ({row['elsewhere_db']:.2f})",
            f"{row['band_db']:.2f} ({row['band_elsewhere_db']:.2f})",
        )
        lines.append(
            f"| {row['edit']} | {row['minutes']:g} | {row['peak_bytes'] / 2**30:.2f} "
            f"| {row['cpu_s'] / row['minutes']:.1f} | {row['longest_gap_s']:.1f} "
            f"| {' | '.join(seams)} |"
        )
    return lines


def excess_db(row: dict[str, float]) -> tuple[float, float]:
    """How much more the level, and the worst band, step at borders than elsewhere."""
    return row["seam_db"] - row["elsewhere_db"], row["band_db"] - row["band_elsewhere_db"]


def measured(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of edits that ran to their end."""
    return [row for row in rows if "late_s" not in row]


def faults(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What is out of bounds, in words."""
    for row in rows:
        where = f"{row['edit']} of {row['minutes']:g} min"
        if row["peak_bytes"] > MAX_BYTES:
            yield f"{where}: {row['peak_bytes'] / 2**30:.2f} GiB, over {MAX_BYTES / 2**30:g}"
        if row.get("late_s", 0.0) > LONGEST_WAIT_S:
            yield f"{where}: a cancel took {row['late_s']:.1f} s, over {LONGEST_WAIT_S:g}"
    for row in measured(rows):
        where = f"{row['edit']} of {row['minutes']:g} min"
        if row["longest_gap_s"] > LONGEST_WAIT_S:
            yield f"{where}: no progress for {row['longest_gap_s']:.1f} s, over {LONGEST_WAIT_S:g}"
        for step_db in excess_db(row):
            if step_db > MOST_STEP_DB:
                yield f"{where}: a step of {step_db:.2f} dB at borders, over {MOST_STEP_DB:g}"
        same = [r for r in measured(rows) if r["edit"] == row["edit"]]
        least = min(same, key=lambda r: float(r["minutes"]))
        drift = row["cpu_s"] / row["minutes"] / (least["cpu_s"] / least["minutes"]) - 1
        if abs(drift) > MOST_DRIFT:
            yield f"{where}: {drift:+.0%} CPU a minute against {least['minutes']:g} min"


def run(edit: str, minutes: float, args: Any, cancel_at: float = 0.0) -> dict[str, Any]:
    """One length in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.long", "--child", "--edits", edit]
    command += ["--minutes", str(minutes), "--steps", str(args.steps), "--model", args.model]
    process = subprocess.Popen(
        [*command, "--cancel-at", str(cancel_at)], stdout=subprocess.PIPE, text=True
    )
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watcher.start()
    out, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{edit} of {minutes} minutes ended with status {process.returncode}")
    row: dict[str, Any] = {"edit": edit, "minutes": minutes, "peak_bytes": peak[0]}
    return row | json.loads(out.splitlines()[-1])


def _watch(process: subprocess.Popen[str], peak: list[int]) -> None:
    """Note the largest resident memory of a process and its children."""
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_resident(pid) for pid in _family(process.pid)))
        time.sleep(SAMPLING_S)


def _family(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return [pid]
    return [pid, *(member for child in text.split() for member in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def child(edit: str, minutes: float, args: Any) -> dict[str, Any]:
    """One edit of a long clip, and what was seen of it."""
    from engine import Bandwidth, Engine, Region, Transfer
    from engine.errors import Cancelled

    engine = Engine.load(args.model, device="cpu")
    region = Region(steady(round(minutes * 60 * RATE)), RATE)
    todo = Transfer(prompt="rain", strength=0.4, steps=args.steps)
    if edit == "bandwidth":
        todo = Bandwidth(cutoff=4000.0, steps=args.steps)
    heard: list[float] = []
    asked_s = 0.0

    def listen(point: Any) -> None:
        nonlocal asked_s
        heard.append(time.monotonic())
        if args.cancel_at and point.fraction >= args.cancel_at:
            asked_s = time.monotonic()
            raise Cancelled()

    began_s, began_cpu_s = time.monotonic(), time.process_time()
    try:
        take = engine.edit(region, todo, listen)
    except Cancelled:
        return {"late_s": max(float(np.diff(heard).max()), time.monotonic() - asked_s)}
    found = {
        "cpu_s": time.process_time() - began_cpu_s,
        "wall_s": time.monotonic() - began_s,
        "n_reports": len(heard),
        "longest_gap_s": float(np.diff(heard).max()),
    }
    assert take.samples.shape == region.samples.shape
    borders_s = window_borders_s(engine, minutes * 60)
    return found | seams(take.samples.mean(axis=1), RATE, borders_s)


def steady(n_frames: int) -> Wave:
    """A sound that is the same all along: noise under four tones, wider apart at the right."""
    rng, made = np.random.default_rng(5), np.empty((n_frames, 2), np.float32)
    for start in range(0, n_frames, RATE):
        stop = min(start + RATE, n_frames)
        t = np.arange(start, stop) / RATE
        tones = sum(0.02 * np.sin(2 * np.pi * hz * t) for hz in (220.0, 620.0, 1540.0, 3300.0))
        noise = rng.standard_normal((stop - start, 2)) * 0.05
        made[start:stop] = np.asarray(tones)[:, np.newaxis] + noise
    return made


def window_borders_s(engine: Any, length_s: float) -> list[float]:
    """Where a window of the diffusion model begins or ends, in seconds."""
    from engine.windows import fitted_window, window_starts

    g = engine.networks.geometry
    n_cells = engine.networks.padded_samples(round(length_s * g.rate)) // g.cell_samples
    overlap = g.window_cells // 4
    window = fitted_window(n_cells, g.window_cells, overlap, g.multiple_cells)
    starts = window_starts(n_cells, window, overlap)
    cells = {*starts[1:], *(start + window for start in starts[:-1])}
    return sorted(cell * g.cell_samples / g.rate for cell in cells)


def seams(wave: Wave, rate: int, borders_s: list[float]) -> dict[str, float]:
    """Mean step of the level, and of the worst band's, across borders and across other places.

    Each is the mean size, over all borders, of level after minus level before. What a sound does
    by itself is in both figures; what borders do is in one. `elsewhere` is at the middles between.
    """
    middles_s = [(a + b) / 2 for a, b in pairwise(borders_s)]
    rows = {}
    for name, places in (("", borders_s), ("elsewhere_", middles_s)):
        steps = [step for at in places if (step := _steps(wave, rate, at)) is not None]
        if not steps:
            return {"seam_db": 0.0, "band_db": 0.0, "elsewhere_db": 0.0, "band_elsewhere_db": 0.0}
        sizes = np.abs(np.array(steps)).mean(axis=0)
        rows[name] = float(sizes[0]), float(sizes[1:].max())
    return {
        "seam_db": rows[""][0],
        "band_db": rows[""][1],
        "elsewhere_db": rows["elsewhere_"][0],
        "band_elsewhere_db": rows["elsewhere_"][1],
    }


def _steps(wave: Wave, rate: int, at_s: float) -> NDArray[np.float64] | None:
    """Steps in dB at one place: of the level, then of every band."""
    size, margin, at = (round(s * rate) for s in (SEAM_S, MARGIN_S, at_s))
    first, last = at - margin - size, at + margin + size
    if first < 0 or last > len(wave):
        return None
    before, after = (_levels(piece, rate) for piece in (wave[first:][:size], wave[:last][-size:]))
    return np.asarray(10 * np.log10(after / before))


def _levels(piece: Wave, rate: int) -> NDArray[np.float64]:
    power = np.square(np.abs(np.fft.rfft(piece * np.hanning(len(piece)))))
    edges = [round(hz * len(piece) / rate) for hz in BANDS_HZ]
    bands = [power[a:b].sum() for a, b in pairwise(edges)]
    return np.array([power.sum(), *bands]) + 1e-20


if __name__ == "__main__":
    sys.exit(main())
