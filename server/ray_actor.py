"""One slot of a Ray cluster: the process on some node that owns a model and edits for the server.

Made by server/ray_bridge.py, one a graphics card or one a node. Nothing here knows Ray: methods are
called over it, and what they take and give travels as bytes, so that nodes need not share a disk.
"""

from __future__ import annotations

import logging
import platform
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from engine.errors import Cancelled
from engine.region import Region
from presets.finishing import finished_takes
from server.owner import Owner, load_on
from server.submission import Submission
from server.watchdog import own_memory_bytes
from server.worker import failure

#: A follower of whom nothing new is to be told gets an answer after so long.
FOLLOW_S = 0.5

#: A run's ticket, how far it is, and its stage.
Point = tuple[str, float, str]


def own_version() -> str:
    """Retake's version here, or "dev" where it runs uninstalled."""
    try:
        return version("retake")
    except PackageNotFoundError:
        return "dev"


class RaySlot:
    """Edits one job at a time; other threads tell how far it is, and stop it.

    Parameters
    ----------
    model : str
        The checkpoint of jobs that name none: found on this node.
    device : str
    """

    def __init__(self, model: str, device: str) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
        self._owner = Owner(load_on(device), model)
        self._points: list[Point] = []
        self._changed = threading.Condition()
        self._cancelled: set[str] = set()

    def hello(self) -> dict[str, str]:
        """Load the model and get warm: what `Owner.warm_up` gives, and `version` and `node`."""
        return {**self._owner.warm_up(), "version": own_version(), "node": platform.node()}

    def run(self, ticket: str, submission_text: str, region: Region | None) -> dict[str, Any]:
        """Make a job's takes.

        Parameters
        ----------
        ticket : str
            This run's own name, which no other run has.
        submission_text : str
        region : Region or None
            Bad ones and all other mistakes come back as `fail`.

        Returns
        -------
        answer : dict
            `event` "finish" with `takes`, a list of Take; "fail" with `code` and `message`; "stop".
        """
        try:
            self._tell(ticket, 0.0, "loading")
            submission = Submission.from_json(submission_text)
            engine = self._owner.engine_for(submission.model)
            takes = finished_takes(
                engine,
                _own(region),
                submission.edit,
                submission.finish,
                lambda p: self._tell(ticket, p.fraction, p.stage),
            )
        except Cancelled:
            return {"event": "stop"}
        except Exception as error:
            return {"event": "fail", **failure(error)}
        finally:
            self._cancelled.discard(ticket)
        return {"event": "finish", "takes": takes}

    def follow(self) -> tuple[list[Point], int]:
        """What happened since the last call, as soon as anything has, or nothing after FOLLOW_S.

        Returns
        -------
        points : list of Point
        memory_bytes : int
            This process's.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._points), FOLLOW_S)
            points, self._points = self._points, []
            return points, own_memory_bytes()

    def cancel(self, ticket: str) -> None:
        """Stop a run at its next step, or before it begins."""
        self._cancelled.add(ticket)

    def _tell(self, ticket: str, fraction: float, stage: str) -> None:
        if ticket in self._cancelled:
            raise Cancelled(ticket)
        with self._changed:
            self._points.append((ticket, float(fraction), str(stage)))
            self._changed.notify_all()


def _own(region: Region | None) -> Region | None:
    """A region of this process's own: what comes out of Ray's store can't be written to."""
    if region is None:
        return None
    before, after = np.array(region.before), np.array(region.after)
    return Region(np.array(region.samples), region.rate, before, after)
