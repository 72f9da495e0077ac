"""Who owns a model: loads it, warms it up, and gives an engine for each job's checkpoint.

The worker process has one (server/worker.py), and so has each actor of a cluster
(server/ray_actor.py).
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from engine.edits import Edit, Vary
from engine.errors import Cancelled, FaultError, RequestError, RetakeError, is_out_of_memory
from engine.progress import Listener
from engine.region import Region, Take

log = logging.getLogger("retake.worker")

WARM_RATE, WARM_FRAMES = 44100, 22050

_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class EngineLike(Protocol):
    """What is needed of an Engine."""

    name: str
    device: Any

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        """The takes of an edit, best first."""


Load = Callable[[str], EngineLike]


def load_on(
    device: str,
    ranker: str | None = None,
    threads: int | None = None,
    is_compiled: bool = False,
) -> Load:
    """A loader of engines that run on a device; torch is imported when it is first called."""

    def load(model: str) -> EngineLike:
        from engine import Engine

        engine: EngineLike = Engine.load(
            model, device=device, threads=threads, ranker=ranker, is_compiled=is_compiled
        )
        return engine

    return load


class Owner:
    """Keeps one engine at a time.

    Parameters
    ----------
    load : callable
        An engine for a checkpoint's name.
    model : str
        The checkpoint of jobs that name none.
    is_warming : bool
        Whether one small edit is made after loading, so that the first job isn't slow.
    """

    def __init__(self, load: Load, model: str, is_warming: bool = True) -> None:
        self._load, self._model, self._is_warming = load, model, is_warming
        self._engine: EngineLike | None = None
        self._loaded = ""

    def engine_for(self, model: str) -> EngineLike:
        """The engine of a checkpoint, or of the usual one where the name is empty."""
        wanted = model or self._model
        if self._engine is None or self._loaded != wanted:
            self._engine = None  # the old one's memory goes first
            self._engine, self._loaded = self._load(wanted), wanted
        return self._engine

    def warm_up(self, give_way: Listener | None = None) -> dict[str, str]:
        """Load the usual checkpoint and make one edit nobody asked for.

        Parameters
        ----------
        give_way : callable, optional
            Hears that edit's progress; may raise Cancelled.

        Returns
        -------
        facts : dict
            `model` and `device`; where it can't be loaded, `code` and `message` too.
        """
        try:
            engine = self.engine_for("")
        except Exception as error:
            known = as_retake_error(error)
            facts = {"code": known.code, "message": known.message}
            return {"model": self._model, "device": "none", **facts}
        if self._is_warming:
            _edit_once(engine, give_way)
        return {"model": engine.name, "device": str(engine.device)}


def _edit_once(engine: EngineLike, give_way: Listener | None) -> None:
    """A small edit nobody asked for: kernels are chosen and memory laid out now, not then."""
    noise = np.random.default_rng(0).standard_normal((WARM_FRAMES, 1)).astype(np.float32)
    try:
        engine.takes(Region(0.1 * noise, WARM_RATE), Vary(steps=1), give_way)
    except Cancelled:
        log.info("a job came before the engine was warm")
    except Exception as error:  # the first job will tell; it may be of another kind
        log.warning("the engine doesn't get warm", exc_info=error)


def as_retake_error(error: Exception) -> RetakeError:
    """The error with its code; what nobody foresaw is logged and called internal."""
    if isinstance(error, RetakeError):
        return error
    text = " ".join(str(error).split())[:300]
    if is_out_of_memory(error):
        return FaultError("out-of-memory", f"memory ran out: {text or 'no more to be had'}")
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return FaultError("out-of-disk", f"the disk is full: {text}")
    if isinstance(error, FileNotFoundError):
        return RequestError("no-such-file", text)
    log.error("a job failed", exc_info=error)
    return FaultError("internal", f"{type(error).__name__}: {text or 'no message'}")
