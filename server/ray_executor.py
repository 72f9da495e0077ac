"""Jobs on a Ray cluster: a bridge process kept alive, and as many jobs at once as it says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server.executor_process import FIRST_WAIT_S, ProcessExecutor
from server.watchdog import Limits

log = logging.getLogger("retake.server")

#: What hello says until the bridge has found one.
NO_CLUSTER = "ray: no cluster"
#: A bridge that does not answer a drop for so long hangs itself.
DROP_S = 30.0


def bridge_command(model: str, device: str, address: str, n_slots: int) -> list[str]:
    """How the bridge is started."""
    options = ["--model", model, "--device", device, "--address", address, "--slots", str(n_slots)]
    return [sys.executable, "-P", "-m", "server.ray_bridge", *options]


class RayExecutor(ProcessExecutor):
    """Jobs wait while there is no slot: no cluster, or none of its nodes is there.

    Parameters
    ----------
    command : sequence of str
        Starts the bridge; see `bridge_command`.
    model : str
    spool : Path
    limits : Limits
        `memory_bytes` is about the process on the node.
    """

    def __init__(self, command: Sequence[str], model: str, spool: Path, limits: Limits) -> None:
        super().__init__(command, model, spool, limits, slots=0)
        self.device = NO_CLUSTER

    def _note_ready(self, event: dict[str, Any]) -> None:
        self.model, self.device, self.slots = event["model"], event["device"], event["slots"]
        log.info("model %s on %s", self.model, self.device)
        if self.slots:
            self._wait_s = FIRST_WAIT_S
        self.on_slots()

    def _note_end(self) -> None:
        self.slots, self.device = 0, NO_CLUSTER
        self.on_slots()
        super()._note_end()

    async def _give_up(self, job: str, process: asyncio.subprocess.Process) -> None:
        """End the job's actor, not the others'; the bridge itself if it doesn't obey."""
        self._order(do="drop", job=job)
        await asyncio.sleep(DROP_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
