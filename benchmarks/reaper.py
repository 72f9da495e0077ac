"""How long REAPER is held up by a job of half a minute, and how soon takes arrive.

    python -m benchmarks.reaper

The scripts run under real Lua against the tests' model of REAPER, with a real server whose engine
is a double: what is measured is the bridge, not the model. CPU time of REAPER's thread counts for
the steps, so that other work on the machine doesn't; run it on a quiet machine for the arrivals.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

N_ARRIVALS = 20


def main() -> None:
    """Measure under both Luas and print a table."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from fake_reaper_studio import LUAS
    from running import Running

    with tempfile.TemporaryDirectory() as scratch:
        server = Running(Path(scratch) / "state")
        try:
            print(
                "| Lua | steps | slowest, CPU ms | 99 %, CPU ms | arrival, median ms | worst ms |"
            )
            print("|---|---|---|---|---|---|")
            for lua in LUAS:
                folder = Path(scratch) / lua
                folder.mkdir()
                print(_row(lua, folder, server), flush=True)
        finally:
            server.stop()


def _row(lua: str, folder: Path, server: Any) -> str:
    from fake_reaper import REAPER_TICK_S
    from fake_reaper_studio import studio

    with studio(lua, folder, server.folder) as reaper:
        reaper.reaper.tick_s = REAPER_TICK_S
        item = reaper.item(length_s=30.0, D_PLAYRATE=0.5)
        assert len(item.take.source.samples)  # read before: REAPER has it in memory
        reaper.act("transfer selected items", "slow\n\n0.5\n1\n")
        reaper.reaper.run_until(lambda: len(item.takes) == 2, timeout_s=600)
        arrivals_s = [_arrival_s(reaper) for _ in range(N_ARRIVALS)]
        cpu_s = sorted(step.cpu_s for step in reaper.reaper.steps)
    steps = f"{len(cpu_s)} | {cpu_s[-1] * 1e3:.1f} | {cpu_s[int(len(cpu_s) * 0.99)] * 1e3:.1f}"
    arrivals = f"{statistics.median(arrivals_s) * 1e3:.0f} | {max(arrivals_s) * 1e3:.0f}"
    return f"| {lua} | {steps} | {arrivals} |"


def _arrival_s(reaper: Any) -> float:
    """From the status file that says done to the take on its item, 5 s of stereo."""
    item = reaper.item(length_s=5.0)
    for other in reaper.project.items:
        other.values["B_UISEL"] = float(other is item)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    status = reaper.state / "spool" / f"{reaper.history()[-1]['job']}.status"
    return time.time() - os.stat(status).st_mtime


if __name__ == "__main__":
    main()
