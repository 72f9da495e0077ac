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
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from queue import Queue
from typing import IO, Any

from engine.errors import Cancelled
from engine.progress import Progress
from engine.quick_imports import import_networks
from engine.region import read
from presets.finishing import finished_takes
from server.owner import EngineLike, Load, Owner, as_retake_error, load_on
from server.submission import Submission
from server.takes_out import keep_takes
from server.watchdog import own_memory_bytes

BEAT_S = 1.0
PR_SET_PDEATHSIG = 1  # of linux/prctl.h
NICENESS = 5
#: Of what is said about a job that failed; a path in it may be as long as the caller likes.
MAX_MESSAGE_CHARACTERS = 2000


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
        self._owner = Owner(load, model, is_warming)
        self._source, self._sink = source, sink
        self._orders: Queue[dict[str, Any] | None] = Queue()
        self._cancelled: set[str] = set()
        self._sink_lock = threading.Lock()
        self._is_over = threading.Event()

    def serve(self) -> None:
        """Warm up, then work until the lines end."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        self._say("ready", **self._owner.warm_up(self._give_way))
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

    def _give_way(self, point: Progress) -> None:
        if not self._orders.empty():
            raise Cancelled("warming up")

    def _run(self, order: dict[str, Any]) -> None:
        job = order["job"]
        try:
            takes = self._edit(order)
        except Cancelled:
            self._say("stop", job=job)
        except Exception as error:
            self._say("fail", job=job, **failure(error))
        else:
            self._say("finish", job=job, takes=takes)
        self._cancelled.discard(job)

    def _edit(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        job = order["job"]
        submission = Submission.from_json(order["submission"])
        self._tell(job, 0.0, "loading")
        engine = self._owner.engine_for(submission.model)
        self._tell(job, 0.0, "reading")
        region = None
        if order["path"]:
            region = read(order["path"], submission.start_frames, submission.frames)
        takes = finished_takes(
            engine,
            region,
            submission.edit,
            submission.finish,
            lambda p: self._tell(job, p.fraction, p.stage),
        )
        self._tell(job, 1.0, "writing")
        return keep_takes(Path(order["spool"]), job, takes, order.get("spare_bytes", 0))

    def _tell(self, job: str, fraction: float, stage: str) -> None:
        if self._cancelled & {job, "*"}:
            raise Cancelled(job)
        self._say("progress", job=job, fraction=float(fraction), stage=str(stage))


def failure(error: Exception) -> dict[str, str]:
    """An error's code and message, as the lines carry them."""
    known = as_retake_error(error)
    return {"code": known.code, "message": known.message[:MAX_MESSAGE_CHARACTERS]}


def run(load: Load, model: str, is_warming: bool = True) -> None:
    """Serve this process's own stdin and stdout with an engine loader."""
    _end_with_the_server()
    _let_others_go_first()
    source, sink = own_lines()
    try:
        Worker(load, model, source, sink, is_warming).serve()
    except BrokenPipeError:  # the server is gone: nobody is left to tell
        os._exit(1)


def _end_with_the_server() -> None:
    """On Linux, be killed when the server is: the next one runs the same job again, and at once.

    Elsewhere the step after the lines' end is the last.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _let_others_go_first() -> None:
    """A lower priority than a host's audio and the server's answers; see executor_process.py for
    Windows.

    On Linux each thread has its own, and libraries have started some already.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
        for task in Path("/proc/self/task").glob("*"):
            os.setpriority(os.PRIO_PROCESS, int(task.name), niceness)


def own_lines() -> tuple[IO[str], IO[str]]:
    """This process's stdin and stdout for the server's lines; Ctrl-C is the server's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not fall among the lines
    return sys.stdin, sink


def main(argv: list[str] | None = None) -> None:
    """`python -m server.worker --model pocket --device auto`."""
    parser = argparse.ArgumentParser(prog="retake-worker")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--ranker")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    load = load_on(options.device, options.ranker, options.threads, options.compile)
    run(_quickly(load), options.model)


def _quickly(load: Load) -> Load:
    def load_quickly(model: str) -> EngineLike:
        import_networks()
        return load(model)

    return load_quickly


if __name__ == "__main__":
    main()
