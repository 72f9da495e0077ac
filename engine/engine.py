"""The engine: one loaded checkpoint, and takes of regions made with it.

>>> engine = Engine.load("pocket")
>>> take = engine.edit(read("clip.wav"), Transfer(prompt="heavy rain", strength=0.6))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from engine.checkpoint import load_checkpoint
from engine.device import Placement, choose, denormals_flushed
from engine.edits import Edit, Generate, Inpaint
from engine.errors import FaultError, RequestError
from engine.flows import FLOWS
from engine.networks import Networks
from engine.progress import Listener, Reporter
from engine.region import Region, Take
from engine.takes import hear, rank, take_seeds

_NAMES = ", ".join(kind.__name__ for kind in FLOWS)


class Engine:
    """A checkpoint on a device. One edit runs at a time; use one engine a thread.

    Attributes
    ----------
    name : str
        The checkpoint's.
    device : str
        "cpu", "cuda:0", "mps".
    rate : int
        Samples a second of the model's own sound.
    networks : Networks
        The checkpoint's networks, for benchmarks and the curious.
    """

    def __init__(self, networks: Networks, placement: Placement, name: str) -> None:
        self.networks, self._placement = networks, placement
        self.name, self.device, self.rate = name, str(placement.device), networks.rate

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = "pocket",
        device: str = "auto",
        dtype: str = "auto",
        threads: int | None = None,
    ) -> Engine:
        """Load a checkpoint.

        Parameters
        ----------
        checkpoint : str or Path
            "pocket", a folder in AudioLDM's diffusers layout, or a hub id in the local cache.
        device : str
            "auto", "cuda", "mps" or "cpu".
        dtype : str
            "auto", "fp32" (for parity), "bf16" or "fp16".
        threads : int, optional
            CPU threads.

        Raises
        ------
        CheckpointError
            `unknown-model`, `model-unavailable`.
        RequestError
            `bad-value`: a device or dtype that isn't here.
        """
        with _guarded():
            placement = choose(device, dtype, threads)
            loaded = load_checkpoint(checkpoint)
            return cls(Networks(loaded, placement), placement, loaded.name)

    def edit(self, region: Region | None, edit: Edit, progress: Listener | None = None) -> Take:
        """The best take of an edit; see `takes`."""
        return self.takes(region, edit, progress)[0]

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        """All takes of an edit, best first by CLAP similarity.

        Similarity is to the prompt, or without one to the region; it is taken where the edit
        worked. An edit that changes nothing (strength, amount or mix 0) runs no model.

        Parameters
        ----------
        region : Region or None
            None for generate, which takes its rate and channels from the edit.
        edit : Edit
        progress : callable, optional
            Hears a `Progress` at every stage and every denoising step. What it raises
            (`Cancelled`, say) ends the edit and passes through.

        Raises
        ------
        RequestError
            `bad-value`, naming what doesn't fit the region or the checkpoint; `bad-request` where
            the region is missing; `unknown-edit`.
        FaultError
            `out-of-memory`; `internal` where the model answers with NaN or silence.
        """
        if type(edit) not in FLOWS:
            raise RequestError("unknown-edit", f"{type(edit).__name__} is no edit; use {_NAMES}")
        if region is None and not isinstance(edit, Generate):
            raise RequestError("bad-request", f"{edit.name} needs a region")
        if region is not None and edit.is_identity:
            return [Take(np.array(region.samples), region.rate, seed) for seed in take_seeds(edit)]
        rate = edit.rate if isinstance(edit, Generate) else region.rate  # type: ignore[union-attr]
        report = Reporter(progress)
        report(0.0, "reading the text")
        with _guarded():
            made = FLOWS[type(edit)](self.networks, region, edit, report)
            seeded = zip(made, take_seeds(edit), strict=True)
            takes = [Take(samples, rate, seed) for samples, seed in seeded]
            ranked = self._ranked(region, edit, takes)
        report(1.0, "done")
        return ranked

    def _ranked(self, region: Region | None, edit: Edit, takes: list[Take]) -> list[Take]:
        clap = self.networks.clap
        if not clap.hears:
            return takes
        if edit.prompt or region is None or not region.samples.any():
            reference = clap.text(edit.prompt)
        else:
            reference = hear(self.networks, region)
        return rank(self.networks, takes, reference, _worked_on(edit, takes[0].n_frames))


def _worked_on(edit: Edit, n_frames: int) -> tuple[int, int]:
    """Frames (start, stop) of a take in which the edit made sound."""
    if isinstance(edit, Inpaint):
        start = min(hole.start_frames for hole in edit.holes)
        return start, max(hole.stop_frames for hole in edit.holes)
    return 0, n_frames


@contextmanager
def _guarded() -> Iterator[None]:
    """Where tensors are touched: no denormals, and running out of memory has a name."""
    try:
        with denormals_flushed():
            yield
    except MemoryError as error:
        raise _out_of_memory() from error
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise _out_of_memory() from error
        raise


def _out_of_memory() -> FaultError:
    return FaultError(
        "out-of-memory", "the machine ran out of memory; ask for fewer takes or a shorter region"
    )
