"""The options of `retake rpp` and `retake als`."""

from __future__ import annotations

import argparse
from typing import Any

from engine.edits import EDITS, PARAMETERS
from server.options import add_debug, add_state_dir, number_or_text


def add(commands: Any) -> None:
    """Both commands, into the command line's."""
    _add_rpp(commands)
    _add_als(commands)


def _add_rpp(commands: Any) -> None:
    command = commands.add_parser(
        "rpp",
        help="edit items of a REAPER project file, into a new project file",
        description="Without --item: list the project's items. With it: add takes to those items, "
        "in a new project beside the old one, which is never changed.",
    )
    command.add_argument("project", metavar="PROJECT.rpp", help="the project file")
    command.add_argument(
        "--item", type=int, action="append", default=[], metavar="N", help="which; may repeat"
    )
    command.add_argument("--edit", choices=tuple(EDITS), default="transfer", help="(transfer)")
    command.add_argument("--preset", metavar="NAME", help="fills what isn't given; its edit counts")
    command.add_argument(
        "--hole",
        action="append",
        default=[],
        metavar="START:END[:LOW:HIGH]",
        help="what inpaint fills: seconds from the item's start, and a band in Hz; may repeat",
    )
    for parameter in PARAMETERS.values():
        if parameter.kind != "holes":
            kind = number_or_text if parameter.kind in ("float", "int") else str
            doc = parameter.doc.replace("%", "%%")
            command.add_argument(f"--{parameter.name}", type=kind, metavar="X", help=doc)
    command.add_argument(
        "-o", "--output", metavar="NEW.rpp", help='beside the old one ("NAME - retake.rpp")'
    )
    command.add_argument("--force", action="store_true", help="write over an older NEW.rpp")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.add_argument("--model", metavar="NAME", help="a checkpoint's name or folder (pocket)")
    command.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (auto)")
    command.add_argument(
        "--ranker", metavar="FILE.pt", help="a LAION CLAP that judges takes (the model's own)"
    )
    command.add_argument("--server", action="store_true", help="let the running server do it")
    add_state_dir(command)
    add_debug(command)
    command.set_defaults(run=_rpp)


def _add_als(commands: Any) -> None:
    command = commands.add_parser("als", help="list the audio clips of an Ableton Live set")
    command.add_argument("set", metavar="SET.als", help="the set")
    command.add_argument("--list", action="store_true", help="list its clips (what it does anyway)")
    command.add_argument("--json", action="store_true", help="as JSON")
    add_debug(command)
    command.set_defaults(run=_als)


def _rpp(options: argparse.Namespace) -> None:
    from server import projects

    projects.run_rpp(options)


def _als(options: argparse.Namespace) -> None:
    from server import projects

    projects.run_als(options)
