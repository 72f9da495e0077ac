"""How fast the engine is, against diffusers' AudioLDMPipeline on the same folder, in one run.

    python -m benchmarks.speed [--parts PART ...] [--checkpoint pocket|audioldm-s|FOLDER ...]
        [--repeats N] [--threads N] [--clock wall|cpu] [--json FILE] [--plot FILE.png]
        [--lengths SECONDS ...] [--check]

Without --checkpoint: a folder of audioldm-s-full-v2's configs with random weights (speed does not
depend on their values), and `pocket`. Peers: diffusers as shipped (fp32); told to use bf16 and
channels_last; the official recipe's step counts on the same networks. Contenders take turns;
medians are printed, with the ratios and their spread over the turns. On a machine that is busy with
other things, `--threads 1 --clock cpu` still compares fairly (not the `server` part).

--check compares ratios, never times, with benchmarks/speed.json and fails where one lost a fifth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed import edits, report, roofline, server, stages
from benchmarks.speed.contenders import folder_of
from benchmarks.speed.timing import CLOCKS
from engine.device import choose, denormals_flushed

PARTS = ("stages", "roofline", "edits", "takes", "growth", "server")
CHECKPOINTS = ("audioldm-s", "pocket")


def main() -> None:
    """Print the tables; see the module's docstring."""
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    started_s = time.monotonic()
    figures: dict[str, Any] = {"machine": _machine(options)}
    with denormals_flushed(), tempfile.TemporaryDirectory() as scratch:
        for part in options.parts:
            figures[part] = _run(part, Path(scratch), options)
            if options.json:
                options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nall in {time.monotonic() - started_s:.0f} s")
    if options.plot and "stages" in figures:
        report.draw(figures, options.plot)
    if options.check:
        sys.exit(_check(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--checkpoint", action="append", help="a folder, pocket, or audioldm-s")
    parser.add_argument("--repeats", type=int, default=5, help="timed turns")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu for busy machines")
    parser.add_argument("--lengths", type=float, nargs="+", help="clips of `edits`, seconds")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw the ratios of the stages here")
    parser.add_argument("--check", action="store_true", help="compare with the committed ratios")
    return parser.parse_args()


def _machine(options: argparse.Namespace) -> dict[str, Any]:
    able = torch.cpu.get_capabilities()
    wanted = ("cpu_name", "num_physical_cores", "avx512_bf16", "amx_bf16")
    return {
        **{key: able.get(key) for key in wanted},
        "threads": torch.get_num_threads(),
        "clock": options.clock,
        "torch": torch.__version__,
        "dtype": str(choose("cpu").dtype),
    }


def _run(part: str, scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One part's figures."""
    clock, repeats = CLOCKS[options.clock], options.repeats
    pocket = folder_of("pocket", scratch)
    if part == "takes":
        return edits.takes(pocket, repeats, clock)
    if part == "growth":
        return edits.growth(pocket, clock)
    if part == "server":
        return server.measure(repeats)
    figures = {}
    for name in options.checkpoint or CHECKPOINTS:
        folder = folder_of(name, scratch)
        if part == "stages":
            figures[name] = stages.measure(name, folder, repeats, clock)
        elif part == "roofline":
            figures[name] = roofline.measure(name, folder, repeats, clock)
        elif name != "audioldm-s" or options.checkpoint:  # minutes a clip: only if asked for
            lengths = tuple(options.lengths or edits.LENGTHS_S)
            figures[name] = edits.measure(name, folder, repeats, clock, lengths)
    return figures


def _check(figures: dict[str, Any]) -> int:
    if not report.COMMITTED.exists():
        print(f"there is no {report.COMMITTED.name} to compare with", file=sys.stderr)
        return 1
    committed = json.loads(report.COMMITTED.read_text())
    lost = report.losses(figures, committed)
    n_compared = report.compared(figures, committed)
    print(f"{n_compared} ratios compared with {report.COMMITTED.name}, {len(lost)} lost a fifth")
    for line in lost:
        print(f"  {line}")
    return int(bool(lost) or not n_compared)


if __name__ == "__main__":
    main()
