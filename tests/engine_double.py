"""A worker whose engine knows no sound: for tests of the protocol only.

The prompt is an order: "die" ends the process, "memory" runs out of it, "break" raises what nobody
foresaw, "slow" takes thousands of steps, "short" two seconds, "task ..." half of one, "hang" never
comes to the next one, "freeze" stops the whole process, "eat" takes more and more memory.
Everything else turns the region upside down.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from engine.edits import Edit
from engine.errors import RequestError
from engine.progress import Listener, Progress
from engine.region import Region, Take
from server import worker

#: Steps and how long each lasts, of the prompts that take their time.
STEPS = {"slow": (3000, 0.01), "short": (40, 0.05), "task": (10, 0.05)}
EATEN_BYTES, EAT_S = 2**24, 0.02


class Double:
    """Stands where an Engine would. `log` gets a line for each step it takes."""

    device = "nowhere"

    def __init__(self, name: str, log: Path) -> None:
        if name == "missing":
            raise RequestError("unknown-model", "no checkpoint is called 'missing'")
        self.name, self._log = name, log

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        """As many takes as asked for, each the region upside down and a little quieter."""
        self._obey(edit.prompt)
        steps, step_s = STEPS.get(edit.prompt.split(" ")[0], (4, 0.0))
        for step in range(steps):
            with self._log.open("a") as log:
                log.write(f"{edit.prompt} {step}\n")
            if progress:
                progress(Progress((step + 1) / steps, "denoising", step + 1, steps))
            time.sleep(step_s)
        samples = np.zeros((480, 1), np.float32) if region is None else region.samples
        rate = 48000 if region is None else region.rate
        return [
            Take(-samples / (1 + i), rate, edit.seed + i, None if i else 0.5)
            for i in range(edit.takes)
        ]

    def _obey(self, prompt: str) -> None:
        if prompt == "die":
            os._exit(9)
        if prompt == "memory":
            raise MemoryError
        if prompt == "hang":
            threading.Event().wait()
        if prompt == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        if prompt == "eat":
            eaten = []
            while True:
                eaten.append(np.ones(EATEN_BYTES, np.uint8))
                time.sleep(EAT_S)
        if prompt == "break":
            raise ZeroDivisionError("by design")


if __name__ == "__main__":
    worker.run(lambda name: Double(name, Path(sys.argv[1])), "double", is_warming=False)
