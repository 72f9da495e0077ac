"""`retake serve`'s options that say where jobs run, and what of them fits together."""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from typing import Any

from engine.errors import RequestError
from server.executor import EXECUTORS
from server.messages import shorten

MAX_SLOTS = 1000
_ADDRESS = re.compile(r"auto|[^\s/:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


def add_executor(command: Any) -> None:
    """`--executor`, and what a Ray cluster needs."""
    group = command.add_argument_group("executor")
    group.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="where jobs run: a worker on this machine, or a Ray cluster (local)",
    )
    group.add_argument(
        "--address", metavar="HOST:PORT", help="the cluster's; auto: the one this machine is in"
    )
    group.add_argument(
        "--slots",
        type=int,
        metavar="N",
        help="jobs at once on the cluster (one a graphics card, or one a node without)",
    )


def executor_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of Settings these options fill.

    Raises
    ------
    RequestError
        `bad-value`: an address or slots without a cluster, an address that can't be one, slots out
        of range; `ray` where it isn't installed.
    """
    given = [name for name in ("address", "slots") if getattr(options, name) is not None]
    if options.executor == "local":
        if given:
            raise RequestError("bad-value", f"--{given[0]} needs --executor ray")
        return {}
    address = "auto" if options.address is None else options.address
    if not _ADDRESS.fullmatch(address):
        raise RequestError(
            "bad-value",
            f"--address is {shorten(address)}; it must be HOST:PORT of the cluster's head, or auto",
        )
    for name in ("ranker", "threads", "compile"):
        if getattr(options, name):
            raise RequestError("bad-value", f"--{name} needs --executor local; leave it out")
    slots = options.slots or 0
    if not 0 <= slots <= MAX_SLOTS:
        raise RequestError("bad-value", f"--slots is {slots}; it must be from 0 to {MAX_SLOTS}")
    if importlib.util.find_spec("ray") is None:
        raise RequestError(
            "bad-value",
            f"Ray is not installed: {sys.executable} -m pip install ray, or use --executor local",
        )
    return {"executor": "ray", "address": address, "slots": slots}
