"""`retake list`: what there is to ask for."""

from __future__ import annotations

import argparse
import json

from server import catalogue
from server.catalogue import Item
from server.config import state_folder


def run(options: argparse.Namespace) -> None:
    """Print a list, as lines or as JSON."""
    if options.protocol_doc:
        from server.routes import protocol_doc

        print(protocol_doc(), end="")
        return
    entries = _jobs(options) if options.kind == "jobs" else catalogue.items(options.kind)
    if options.json:
        print(json.dumps([vars(entry) for entry in entries]))
        return
    if not entries:
        print(f"no {options.kind}")
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        print(f"{entry.name:{width}}  {entry.description}")
        if entry.more:
            print(f"{'':{width}}  {' '.join(entry.more)}")


def _jobs(options: argparse.Namespace) -> list[Item]:
    """The running server's jobs; its store is its own while it runs."""
    from daw_bridge.client import Client

    with Client.connect(state_folder(options.state_dir), name="retake list") as client:
        return [
            Item(name, description, tuple(more))
            for name, description, *more in client.items("jobs")
        ]
