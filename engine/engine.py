"""The engine: one loaded checkpoint, and takes of regions made with it.

>>> engine = Engine.load("pocket")
>>> take = engine.edit(read("clip.wav"), Transfer(prompt="heavy rain", strength=0.6))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.checkpoint import load_checkpoint
from engine.device import Placement, choose, denormals_flushed, give_back_memory
from engine.edits import Edit, Generate
from engine.errors import Cancelled, FaultError, RequestError, is_out_of_memory
from engine.flows import FLOWS
from engine.laion import load_laion
from engine.networks import Networks
from engine.progress import Listener, Reporter
from engine.ranking import ranked
from engine.region import Region, Take
from engine.takes import take_seeds

T = TypeVar("T")

_NAMES = ", ".join(kind.__name__ for kind in FLOWS)
#: Share of an edit's time after which its takes are made and left to be ranked.
RENDERED = 0.97


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
        ranker: str | Path | None = None,
        is_compiled: bool = False,
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
        ranker : str or Path, optional
            A LAION CLAP checkpoint (.pt) that judges takes in place of the model's own CLAP.
        is_compiled : bool
            Whether torch.compile makes the UNet's kernels for this graphics card (CUDA only): the
            first edit takes minutes, later ones less than before; see compiling.py.

        Raises
        ------
        CheckpointError
            `unknown-model`, `model-unavailable`.
        RequestError
            `bad-value`: a device or dtype that isn't here.
        """

        def make() -> Engine:
            placement = choose(device, dtype, threads, is_compiled)
            loaded = load_checkpoint(checkpoint)
            networks = Networks(loaded, placement)
            if ranker is not None:
                networks.rank_with(load_laion(ranker, loaded.tokenizer, placement.device))
            return cls(networks, placement, loaded.name)

        return _guarded(make)

    def edit(self, region: Region | None, edit: Edit, progress: Listener | None = None) -> Take:
        """The best take of an edit; see `takes`."""
        return self.takes(region, edit, progress)[0]

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        """All takes of an edit, best first by CLAP similarity.

        Similarity is to the prompt, or without one to the region; it is taken where the edit
        worked. Of takes that are nearly the same only the best is given, so there may be fewer than
        asked for. An edit that changes nothing (strength, amount or mix 0) runs no model.

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

        def make() -> list[Take]:
            made = FLOWS[type(edit)](self.networks, region, edit, report.between(0.0, RENDERED))
            seeded = zip(made, take_seeds(edit), strict=True)
            takes = [Take(samples, rate, seed) for samples, seed in seeded]
            return ranked(self.networks, region, edit, takes, report.between(RENDERED, 1.0))

        takes = _guarded(lambda: self._unspoilt(make))
        report(1.0, "done")
        return takes

    def _unspoilt(self, make: Callable[[], T]) -> T:
        """After a fault nothing is kept of any region: it may be what was at fault, or too much."""
        try:
            return make()
        except (Cancelled, RequestError):
            raise
        except Exception:
            self.networks.forget()
            raise


def _guarded(make: Callable[[], T]) -> T:
    """Run what touches tensors: no denormals, and running out of memory has a name."""
    try:
        with denormals_flushed():
            return make()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        # Its frames hold the very tensors there was no more room beside; they go with it.
        cause = error.with_traceback(None)
    give_back_memory()
    raise _out_of_memory() from cause


def _out_of_memory() -> FaultError:
    return FaultError(
        "out-of-memory", "the machine ran out of memory; ask for fewer takes or a shorter region"
    )
