"""The worker of engine_double.py, whose takes of `continue` are longer, as a real engine's are."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from engine_double import Double

from engine.edits import Continue, Edit
from engine.progress import Listener
from engine.region import Region, Take
from server import worker

#: What is new in a take, at every frame.
NEW_LEVEL = 0.25
COMMAND = [sys.executable, __file__]


class ContinuingDouble(Double):
    """The region upside down, and beside it the seconds that were asked for."""

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        made = super().takes(region, edit, progress)
        if not isinstance(edit, Continue):
            return made
        return [replace(take, samples=_longer(take, edit)) for take in made]


def _longer(take: Take, edit: Continue) -> np.ndarray:
    shape = (round(edit.seconds * take.rate), take.samples.shape[1])
    new = np.full(shape, NEW_LEVEL, np.float32)
    parts = (new, take.samples) if edit.direction == "before" else (take.samples, new)
    return np.concatenate(parts)


if __name__ == "__main__":
    worker.run(lambda name: ContinuingDouble(name, Path(sys.argv[1])), "double", is_warming=False)
