"""How long Live is held up by a job of half a minute, and how soon takes arrive.

    python -m benchmarks.ableton

The Remote Script runs in the tests' model of Live, ten ticks a second, with a real server whose
engine is a double: what is measured is the bridge, not Live. CPU time of the thread counts for the
ticks, so that other work on the machine doesn't; run it on a quiet machine for the arrivals.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

N_ARRIVALS = 20
CLIP_S = 30.0


def main() -> None:
    """Measure and print a table."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from fake_live import LIVES_TICK_S
    from fake_live_studio import studio
    from running import Running

    with tempfile.TemporaryDirectory() as scratch:
        server = Running(Path(scratch) / "state")
        try:
            with studio(Path(scratch), server.folder) as live:
                live.live.tick_s = LIVES_TICK_S
                live.arrangement_clip(length_s=CLIP_S, warping=False)
                done_s = _listen(server.folder)
                live.go("slow")
                live.live.run_until(lambda: bool(live.surface.heard("ended")), timeout_s=600)
                arrivals_s = [_arrival_s(live, done_s) for _ in range(N_ARRIVALS)]
                cpu_s = sorted(live.live.ticks_s)
        finally:
            server.stop()
    print("| ticks | slowest, CPU ms | 99 %, CPU ms | arrival, median ms | worst ms |")
    print("|---|---|---|---|---|")
    ticks = f"{len(cpu_s)} | {cpu_s[-1] * 1e3:.1f} | {cpu_s[int(len(cpu_s) * 0.99)] * 1e3:.1f}"
    arrivals = f"{statistics.median(arrivals_s) * 1e3:.0f} | {max(arrivals_s) * 1e3:.0f}"
    print(f"| {ticks} | {arrivals} |")


def _listen(state: Path) -> dict[str, float]:
    """When each job was done, as another client hears it, by the job's name."""
    from daw_bridge.client import Client

    done_s: dict[str, float] = {}

    def note() -> None:
        with Client.connect(state) as client:
            for job, event in client.all_events():
                if event.name == "done":
                    done_s[job] = time.monotonic()

    threading.Thread(target=note, daemon=True).start()
    return done_s


def _arrival_s(live: Any, done_s: dict[str, float]) -> float:
    """From the server's `done` to a clip in the set (30 s of stereo between, 10 MB)."""
    n = len(live.track.take_lanes)
    live.surface.send("go", "rain")
    live.live.run_until(lambda: len(live.track.take_lanes) > n, timeout_s=600)
    arrived_s = time.monotonic() - live.live.tick_s  # it was there when the tick's rest began
    n_ended = len(live.surface.heard("ended")) + 1
    live.live.run_until(lambda: len(live.surface.heard("ended")) >= n_ended, timeout_s=600)
    job = live.surface.heard("ended")[-1][0]
    live.live.run_until(lambda: job in done_s, timeout_s=600)
    return arrived_s - done_s[job]


if __name__ == "__main__":
    main()
