"""The command line's options, made from the table of parameters, and the values they carry."""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import Any, NoReturn

from engine import units
from engine.edits import EDITS, Edit, Hole, Parameter
from engine.errors import RequestError
from presets.preset import RINGING_EDITS, TAILS
from server.messages import shorten
from server.submission import parse_curve

METAVARS = {
    "float": "X",
    "int": "N",
    "text": "TEXT",
    "curve": '"S:X S:X ..."',
    "prompts": '"S: TEXT | S: TEXT ..."',
    "mask": 'FILE|"S:HZ:X ..."',
    "around": "SEED|JOB:INDEX",
}
HOLE_FORM = "START:END or START:END:LOW:HIGH"


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_edit_options(parser: argparse.ArgumentParser, edit: type[Edit]) -> None:
    """Everything an edit takes on the command line."""
    if edit.name != "generate":
        parser.add_argument("clip", metavar="CLIP", help="the audio file")
        span = parser.add_argument_group("region (seconds, or frames with the suffix f)")
        span.add_argument("--start", metavar="TIME", help="where the region begins (0)")
        span.add_argument("--end", metavar="TIME", help="where it ends (the clip's end)")
    parameters = parser.add_argument_group("edit")
    parameters.add_argument(
        "--preset",
        metavar="NAME",
        help="a preset fills what isn't given here, and --prompt stands in its text "
        f"(retake presets --edit {edit.name})",
    )
    if edit.name in RINGING_EDITS:
        parameters.add_argument(
            "--tail", choices=TAILS, help="whether a preset's tail makes the take longer (its own)"
        )
    for parameter in edit.parameters():
        _add_parameter(parameters, parameter, edit)
    _add_outputs(parser, edit)
    _add_engine(parser)


def _add_parameter(group: Any, parameter: Parameter, edit: type[Edit]) -> None:
    if parameter.kind == "holes":
        group.add_argument(
            "--hole",
            action="append",
            default=[],
            metavar="START:END[:LOW:HIGH]",
            help="what is to be filled: clip time and, if given, a band in Hz; may repeat",
        )
        return
    kind = number_or_text if parameter.kind in ("float", "int") else str
    metavar = METAVARS.get(parameter.kind)
    metavar = metavar or "{" + ",".join(parameter.choices) + "}"
    default = next(
        field.default for field in dataclasses.fields(edit) if field.name == parameter.name
    )
    shown = f" ({_default(default)})" if default not in ("", ()) else ""
    group.add_argument(
        f"--{parameter.name}", type=kind, metavar=metavar, help=_escape(parameter.doc + shown)
    )


def _default(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def number_or_text(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shorten(text)} is not a number") from None


def _add_outputs(parser: argparse.ArgumentParser, edit: type[Edit]) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT.wav",
        help="where the take goes; further takes go to OUT.2.wav, OUT.3.wav ...",
    )
    group.add_argument("--force", action="store_true", help="write over files that are there")
    if edit.name != "generate":
        group.add_argument(
            "--splice",
            action="store_true",
            help="write the whole clip with the region replaced; all outside it stays bit for bit",
        )
    group.add_argument("--plot", metavar="OUT.png", help="draw source and best take")
    group.add_argument("--json", action="store_true", help="say the result as JSON")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("engine")
    group.add_argument("--model", metavar="NAME", help="a checkpoint's name or folder (pocket)")
    group.add_argument("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps (auto)")
    group.add_argument(
        "--ranker", metavar="FILE.pt", help="a LAION CLAP that judges takes (the model's own)"
    )
    group.add_argument("--server", action="store_true", help="let the running server do it")
    add_state_dir(group)
    add_debug(group)


def add_state_dir(group: Any) -> None:
    """`--state-dir`, the same everywhere."""
    group.add_argument(
        "--state-dir", metavar="DIR", help="the server's state folder (the user's own)"
    )


def add_debug(group: Any) -> None:
    """`--debug`, the same everywhere."""
    group.add_argument("--debug", action="store_true", help="show tracebacks")


def parse_time(text: str, rate: int, name: str) -> int:
    """Frames of a time: seconds ("1.5"), or frames with the suffix f ("66150f").

    Raises
    ------
    RequestError
        `bad-value`: neither, negative or not finite.
    """
    try:
        if text.endswith("f"):
            frames = int(text[:-1])
        else:
            seconds = float(text)
            if not math.isfinite(seconds):
                raise ValueError(text)
            frames = units.seconds_to_frames(seconds, rate)
    except ValueError:
        raise RequestError(
            "bad-value", f"{name} is {shorten(text)}; it must be seconds (1.5) or frames (66150f)"
        ) from None
    if frames < 0:
        raise RequestError("bad-value", f"{name} is {text}; a clip begins at 0")
    return frames


def parse_span(start: str | None, end: str | None, rate: int) -> tuple[int, int | None]:
    """A region's first frame and its length (None: to the clip's end)."""
    start_frames = parse_time(start, rate, "--start") if start else 0
    if not end:
        return start_frames, None
    end_frames = parse_time(end, rate, "--end")
    if end_frames <= start_frames:
        raise RequestError(
            "bad-value", f"the region ends at {end} and starts at {start or 0}; it must end later"
        )
    return start_frames, end_frames - start_frames


def parse_hole_times(text: str, rate: int, region_start_frames: int) -> Hole:
    """A hole from clip times "START:END[:LOW:HIGH]", counted from the region's start."""
    parts = text.split(":")
    if len(parts) not in (2, 4):
        raise RequestError("bad-value", f"--hole is {shorten(text)}; it must read {HOLE_FORM}")
    start_frames = parse_time(parts[0], rate, "--hole's start")
    end_frames = parse_time(parts[1], rate, "--hole's end")
    if start_frames < region_start_frames:
        raise RequestError("bad-value", f"--hole {text} begins before the region does")
    try:
        low, high = (float(part) if part else None for part in (parts[2:] or ["", ""]))
    except ValueError:
        raise RequestError(
            "bad-value", f"--hole is {shorten(text)}; LOW and HIGH are numbers in Hz"
        ) from None
    return Hole(start_frames - region_start_frames, end_frames - start_frames, low, high)


def edit_values(options: argparse.Namespace, rate: int, region_start_frames: int) -> dict[str, Any]:
    """What was given of an edit's parameters, for `make_edit`."""
    values: dict[str, Any] = {}
    for parameter in EDITS[options.command].parameters():
        if parameter.kind == "holes":
            holes = [parse_hole_times(text, rate, region_start_frames) for text in options.hole]
            values["holes"] = tuple(holes)
            continue
        value = getattr(options, parameter.name)
        if value is not None:
            values[parameter.name] = parse_curve(value) if parameter.kind == "curve" else value
    return values
