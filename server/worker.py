"""The process that owns the model: jobs come in and their fates go out, as JSON lines.

Started by server/supervisor.py as `python -m server.worker`. In, one object a line::

    {"do": "run", "job": "a1", "submission": "<its text>", "path": "/clip.wav", "spool": "/spool",
     "spare_bytes": 268435456}
    {"do": "cancel", "job": "a1"}

Out::

    {"event": "ready", "model": "pocket", "device": "cpu"}     (or with "code" and "message")
    {"event": "beat", "memory_bytes": 1073741824}              (every second)
    {"event": "progress", "job": "a1", "fraction": 0.25, "stage": "denoising"}
    {"event": "finish", "job": "a1", "takes": [...]}  |  "fail" with code, message  |  "stop"
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import IO, Any, Protocol

import numpy as np

from engine.edits import Edit, Vary
from engine.errors import Cancelled, FaultError, RequestError, RetakeError
from engine.progress import Listener, Progress
from engine.region import Region, Take, read, write
from server.spool import take_path
from server.spool_files import check_room
from server.submission import Submission
from server.watchdog import own_memory_bytes

log = logging.getLogger("retake.worker")

BEAT_S = 1.0
WARM_RATE, WARM_FRAMES = 44100, 22050

_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class EngineLike(Protocol):
    """What the worker needs of an Engine."""

    name: str
    device: Any

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        """The takes of an edit, best first."""


Load = Callable[[str], EngineLike]


class Worker:
    """Runs jobs one after the other; a cancel is heard while one runs.

    Parameters
    ----------
    load : callable
        An engine for a checkpoint's name. One engine is kept at a time.
    model : str
        The checkpoint of jobs that name none.
    source, sink : text files
        Where lines come from and go to.
    is_warming : bool
        Whether one small edit is made after loading, so that the first job isn't slow.
    """

    def __init__(
        self, load: Load, model: str, source: IO[str], sink: IO[str], is_warming: bool = True
    ) -> None:
        self._load, self._model, self._is_warming = load, model, is_warming
        self._source, self._sink = source, sink
        self._engine: EngineLike | None = None
        self._loaded = ""
        self._orders: Queue[dict[str, Any] | None] = Queue()
        self._cancelled: set[str] = set()
        self._sink_lock = threading.Lock()
        self._is_over = threading.Event()

    def serve(self) -> None:
        """Warm up, then work until the lines end."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        self._warm_up()
        while (order := self._orders.get()) is not None:
            self._run(order)
        self._is_over.set()

    def _listen(self) -> None:
        for line in self._source:
            order = json.loads(line)
            if order["do"] == "cancel":
                self._cancelled.add(order["job"])
            else:
                self._orders.put(order)
        # The server is gone: nobody waits for what is being made.
        self._orders.put(None)
        self._cancelled.add("*")

    def _beat(self) -> None:
        """Say once a second that the process lives, whatever its engine does."""
        while not self._is_over.wait(BEAT_S):
            try:
                self._say("beat", memory_bytes=own_memory_bytes())
            except (OSError, ValueError):  # the server is gone; ValueError: so is the pipe
                return

    def _say(self, event: str, **facts: Any) -> None:
        with self._sink_lock:
            self._sink.write(json.dumps({"event": event, **facts}) + "\n")
            self._sink.flush()

    def _warm_up(self) -> None:
        try:
            engine = self._engine_for("")
        except Exception as error:
            known = _as_retake_error(error)
            self._say(
                "ready", model=self._model, device="none", code=known.code, message=known.message
            )
        else:
            if self._is_warming:
                self._edit_once(engine)
            self._say("ready", model=engine.name, device=str(engine.device))

    def _edit_once(self, engine: EngineLike) -> None:
        """A small edit nobody asked for: kernels are chosen and memory laid out now, not then."""
        noise = np.random.default_rng(0).standard_normal((WARM_FRAMES, 1)).astype(np.float32)
        try:
            engine.takes(Region(0.1 * noise, WARM_RATE), Vary(steps=1), self._give_way)
        except Cancelled:
            log.info("a job came before the engine was warm")
        except Exception as error:  # the first job will tell; it may be of another kind
            log.warning("the engine doesn't get warm", exc_info=error)

    def _give_way(self, point: Progress) -> None:
        if not self._orders.empty():
            raise Cancelled("warming up")

    def _engine_for(self, model: str) -> EngineLike:
        wanted = model or self._model
        if self._engine is None or self._loaded != wanted:
            self._engine = None  # the old one's memory goes first
            self._engine, self._loaded = self._load(wanted), wanted
        return self._engine

    def _run(self, order: dict[str, Any]) -> None:
        job = order["job"]
        try:
            takes = self._edit(order)
        except Cancelled:
            self._say("stop", job=job)
        except Exception as error:
            known = _as_retake_error(error)
            self._say("fail", job=job, code=known.code, message=known.message)
        else:
            self._say("finish", job=job, takes=takes)
        self._cancelled.discard(job)

    def _edit(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        job = order["job"]
        submission = Submission.from_json(order["submission"])
        self._tell(job, 0.0, "loading")
        engine = self._engine_for(submission.model)
        self._tell(job, 0.0, "reading")
        region = None
        if order["path"]:
            region = read(order["path"], submission.start_frames, submission.frames)
        takes = engine.takes(
            region, submission.edit, lambda p: self._tell(job, p.fraction, p.stage)
        )
        self._tell(job, 1.0, "writing")
        n_bytes = sum(take.samples.nbytes for take in takes)
        check_room(Path(order["spool"]), n_bytes, order.get("spare_bytes", 0))
        return [
            self._keep(Path(order["spool"]), job, i, take) for i, take in enumerate(takes, start=1)
        ]

    def _tell(self, job: str, fraction: float, stage: str) -> None:
        if self._cancelled & {job, "*"}:
            raise Cancelled(job)
        self._say("progress", job=job, fraction=float(fraction), stage=str(stage))

    def _keep(self, spool: Path, job: str, index: int, take: Take) -> dict[str, Any]:
        path = take_path(spool, job, index)
        # The server lets no job in whose takes lie there already: what could is our own, from an
        # attempt the worker died in.
        write(path, take.samples, take.rate, overwrite=True)
        n_frames, n_channels = take.samples.shape
        sizes = {"frames": n_frames, "rate": take.rate, "channels": n_channels}
        return {"index": index, "path": str(path), **sizes, "seed": take.seed, "score": take.score}


def _as_retake_error(error: Exception) -> RetakeError:
    """The error with its code; what nobody foresaw is logged and called internal."""
    if isinstance(error, RetakeError):
        return error
    text = " ".join(str(error).split())[:300]
    if (
        isinstance(error, MemoryError)
        or "out of memory" in text.lower()
        or "can't allocate" in text
    ):
        return FaultError("out-of-memory", f"memory ran out: {text or 'no more to be had'}")
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return FaultError("out-of-disk", f"the disk is full: {text}")
    if isinstance(error, FileNotFoundError):
        return RequestError("no-such-file", text)
    log.error("a job failed", exc_info=error)
    return FaultError("internal", f"{type(error).__name__}: {text or 'no message'}")


def run(load: Load, model: str, is_warming: bool = True) -> None:
    """Serve this process's own stdin and stdout with an engine loader."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not fall among the lines
    Worker(load, model, sys.stdin, sink, is_warming).serve()


def main(argv: list[str] | None = None) -> None:
    """`python -m server.worker --model pocket --device auto`."""
    parser = argparse.ArgumentParser(prog="retake-worker")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")

    def load(model: str) -> EngineLike:
        from engine import Engine

        engine: EngineLike = Engine.load(model, device=options.device)
        return engine

    run(load, options.model)


if __name__ == "__main__":
    main()
