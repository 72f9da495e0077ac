"""Stands where the bridge to a cluster would, and knows no cluster: for tests of the server's side.

Its folder has a file `slots`, looked at all the time, and gets `log`. A job's prompt is an order:
"slow" takes a step now and then until it is cancelled, "hang" takes none any more, "stubborn" nor
lets itself be dropped; "lose" is lost and "quit" ends the process, each at its first attempt.
Everything else gives the region back.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from engine.region import Take, read
from server.submission import Submission
from server.takes_out import keep_takes
from server.worker import own_lines

STEP_S = 0.05


class Double:
    """A bridge with as many slots as its folder says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source, self._sink = own_lines()
        self._lock = threading.Lock()
        self._wishes: dict[str, str] = {}

    def serve(self) -> None:
        """Until the orders end."""
        threading.Thread(target=self._watch_slots, daemon=True).start()
        for line in self._source:
            order = json.loads(line)
            if order["do"] == "run":
                threading.Thread(target=self._run, args=(order,), daemon=True).start()
            else:
                self._note(f"{order['do']} {order['job']}")
                self._wishes[order["job"]] = order["do"]

    def _watch_slots(self) -> None:
        said = None
        while True:
            slots = int((self._folder / "slots").read_text() or 0)
            if slots != said:
                said = slots
                self._say("ready", model="double", device=f"ray: {slots}", slots=slots)
            time.sleep(STEP_S)

    def _say(self, event: str, **facts: Any) -> None:
        with self._lock:
            self._sink.write(json.dumps({"event": event, **facts}) + "\n")
            self._sink.flush()

    def _note(self, text: str) -> None:
        with self._lock, (self._folder / "log").open("a") as log:
            log.write(text + "\n")

    def _run(self, order: dict[str, Any]) -> None:
        job = order["job"]
        submission = Submission.from_json(order["submission"])
        prompt = submission.edit.prompt
        is_first = not (self._folder / job).exists()
        (self._folder / job).touch()
        self._note(f"run {job}")
        if is_first and prompt == "quit":
            os._exit(3)
        elif is_first and prompt == "lose":
            self._say("lost", job=job, message="its node died")
        elif prompt in ("slow", "hang", "stubborn"):
            self._go_on(job, prompt)
        else:
            region = read(order["path"], submission.start_frames, submission.frames)
            takes = [Take(region.samples, region.rate)]
            self._say("finish", job=job, takes=keep_takes(Path(order["spool"]), job, takes, 0))

    def _go_on(self, job: str, prompt: str) -> None:
        self._wishes[job] = ""
        step = 0
        while True:
            step += 1
            if step == 1 or prompt == "slow":
                self._say("progress", job=job, fraction=step / 10000, stage="denoising")
            self._say("beat", job=job, memory_bytes=0)
            if self._wishes[job] == "cancel":
                self._say("stop", job=job)
                return
            if self._wishes[job] == "drop" and prompt != "stubborn":
                self._say("lost", job=job, message="it was dropped")
                return
            time.sleep(STEP_S)


if __name__ == "__main__":
    Double(Path(sys.argv[1])).serve()
