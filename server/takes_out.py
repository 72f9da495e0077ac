"""Takes into the spool: room looked for first, every file whole or not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.region import Take, write
from server.spool import take_path
from server.spool_files import check_room


def keep_takes(
    spool: Path, job: str, takes: Sequence[Take], spare_bytes: int
) -> list[dict[str, Any]]:
    """Write a job's takes, and say of each what a TakeFile holds.

    Raises
    ------
    FaultError
        `out-of-disk`, before one is written where they don't fit.
    """
    check_room(spool, sum(take.samples.nbytes for take in takes), spare_bytes)
    return [_keep(spool, job, index, take) for index, take in enumerate(takes, start=1)]


def _keep(spool: Path, job: str, index: int, take: Take) -> dict[str, Any]:
    path = take_path(spool, job, index)
    # The server lets no job in whose takes lie there already: what could is our own, from an
    # attempt the worker died in.
    write(path, take.samples, take.rate, overwrite=True)
    n_frames, n_channels = take.samples.shape
    sizes = {"frames": n_frames, "rate": take.rate, "channels": n_channels}
    return {"index": index, "path": str(path), **sizes, "seed": take.seed, "score": take.score}
