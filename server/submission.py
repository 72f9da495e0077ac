"""What a job is to do: the keys of submit, checked, and their one canonical text."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from engine.edits import EDITS, PARAMETERS, Edit, Hole, Parameter, make_edit
from engine.errors import RequestError
from presets import TAILS, Finish, Shelf, check_edit
from server.messages import PRIORITIES, Argument, check, shorten
from server.osc import Value

MAX_FRAMES = 2**62
MAX_PATH_CHARACTERS = 4096
#: Of a request's canonical text: far more holes than any clip has room for.
MAX_CHARACTERS = 2**20

#: The keys of submit that are the server's own; all others are the edits' parameters.
OWN_KEYS = {
    key.name: key
    for key in (
        Argument("edit", "text", "which edit; or give `preset`", choices=tuple(EDITS)),
        Argument(
            "preset",
            "text",
            "a preset's name; it fills what is not given, and `prompt` stands in its text",
        ),
        Argument(
            "tail",
            "text",
            "what a preset's effects ring past the end: fades inside the region, or makes the take "
            "longer; as the preset says if not given",
            choices=TAILS,
        ),
        Argument("path", "text", "the clip: an absolute path on the server's machine"),
        Argument("upload", "name", "the clip: audio handed over by put; instead of `path`"),
        Argument(
            "start", "long", "the region's first frame in the clip; 0 if not given", 0, MAX_FRAMES
        ),
        Argument(
            "frames", "long", "the region's length; to the clip's end if not given", 1, MAX_FRAMES
        ),
        Argument(
            "hole",
            "text",
            "start:frames[:low_hz:high_hz], in frames from the region's start; may repeat",
        ),
        Argument("model", "text", "a checkpoint's name or folder; the server's own if not given"),
        Argument("priority", "text", "front goes before every job at the back", choices=PRIORITIES),
    )
}

#: The edits' parameters as they travel: holes are repeated `hole` keys instead.
PARAMETER_KEYS = {name: p for name, p in PARAMETERS.items() if p.kind != "holes"}


@dataclass(frozen=True)
class Submission:
    """A checked request for an edit of a clip.

    Parameters
    ----------
    edit : Edit
    path : str
        The clip; empty where the edit takes none, or where `upload` names it.
    upload : str
        A name given to put, or empty.
    start_frames : int
    frames : int or None
        None: to the clip's end.
    model : str
        Empty for the server's own.
    priority : str
        "back" or "front".
    finish : Finish or None
        What a preset does to the takes.
    """

    edit: Edit
    path: str = ""
    upload: str = ""
    start_frames: int = 0
    frames: int | None = None
    model: str = ""
    priority: str = "back"
    finish: Finish | None = None

    def to_json(self) -> str:
        """The canonical text: equal for equal requests, however they were spelled."""
        kept = {name: value for name, value in vars(self).items() if name != "edit"}
        kept["finish"] = self.finish.to_values() if self.finish else None
        content = {**kept, "edit": self.edit.name, "values": asdict(self.edit)}
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Submission:
        """The submission of a canonical text of `to_json`."""
        content = json.loads(text)
        values = content.pop("values")
        if "holes" in values:
            values["holes"] = tuple(Hole(**hole) for hole in values["holes"])
        finish = content.pop("finish", None)
        content["finish"] = Finish.from_values(finish) if finish else None
        return cls(edit=make_edit(content.pop("edit"), values), **content)


def parse_pairs(pairs: tuple[Value, ...]) -> Submission:
    """The submission that submit's key-value pairs ask for.

    Raises
    ------
    RequestError
        `bad-request` for a missing value or a key that isn't text, `unknown-key`, `unknown-edit`,
        `unknown-preset`, `bad-value`, `too-long`.
    """
    own, values = sort_pairs(pairs)
    edit, finish = _edit_of(own, values)
    check_clip(edit, own)
    return Submission(
        edit=edit,
        finish=finish,
        path=own.get("path", ""),
        upload=own.get("upload", ""),
        start_frames=own.get("start", 0),
        frames=own.get("frames"),
        model=own.get("model", ""),
        priority=own.get("priority", "back"),
    )


def _edit_of(own: dict[str, Any], values: dict[str, Any]) -> tuple[Edit, Finish | None]:
    """The edit that is asked for, and what its preset does to the takes."""
    if "preset" in own:
        preset = Shelf().get(own["preset"])
        check_edit(preset, own.get("edit", preset.edit))
        return preset.make_edit(values, own.get("frames")), preset.finish_with(own.get("tail"))
    if "tail" in own:
        raise RequestError("unknown-key", "tail goes with a preset, and none is given")
    if "edit" not in own:
        raise RequestError(
            "bad-request",
            f"submit names neither edit nor preset; edits are: {', '.join(EDITS)}",
        )
    return make_edit(str(own["edit"]), values), None


def sort_pairs(pairs: tuple[Value, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Submit's pairs as (the server's own keys, the edit's parameters)."""
    if len(pairs) % 2:
        raise RequestError("bad-request", f"submit's last key {shorten(pairs[-1])} has no value")
    own: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, str):
            raise RequestError("bad-request", f"submit has {shorten(key)} where a key must stand")
        if key == "hole":
            values["holes"] = (*values.get("holes", ()), parse_hole(check(OWN_KEYS["hole"], value)))
        elif key in own or key in values:
            raise RequestError("bad-value", f"{key} is given twice; only hole may repeat")
        elif key in OWN_KEYS:
            own[key] = _check_own(OWN_KEYS[key], value)
        elif key in PARAMETER_KEYS:
            values[key] = parse_parameter(PARAMETER_KEYS[key], value)
        else:
            known = ", ".join([*OWN_KEYS, *PARAMETER_KEYS])
            raise RequestError(
                "unknown-key", f"submit takes no key {shorten(key)}; it takes: {known}"
            )
    return own, values


def _check_own(key: Argument, value: Value) -> Value:
    if key.name == "edit" and isinstance(value, str) and value not in EDITS:
        raise RequestError(
            "unknown-edit", f"no edit is called {shorten(value)}; there are: {', '.join(EDITS)}"
        )
    return check(key, value)


def check_clip(edit: Edit, own: dict[str, Any]) -> None:
    """RequestError unless the clip, and the mask if it is a file, are named as they must be."""
    mask = getattr(edit, "mask", "")
    _check_lengths(path=own.get("path"), mask=mask, model=own.get("model"))
    if mask and isinstance(mask, str) and not os.path.isabs(mask):
        raise RequestError("bad-value", f"mask is {shorten(mask)}; its path must be absolute")
    given = [key for key in ("path", "upload") if own.get(key)]
    if edit.name == "generate":
        stray = [key for key in ("path", "upload", "start", "frames") if key in own]
        if stray:
            raise RequestError("unknown-key", f"generate takes no clip, yet {stray[0]} is given")
    elif len(given) != 1:
        found = "both" if given else "neither"
        raise RequestError("bad-request", f"{edit.name} needs path or upload; {found} is given")
    if own.get("path") and not os.path.isabs(own["path"]):
        raise RequestError("bad-value", f"path is {shorten(own['path'])}; it must be absolute")


def _check_lengths(**paths: Any) -> None:
    for key, path in paths.items():
        if isinstance(path, str) and len(path) > MAX_PATH_CHARACTERS:
            raise RequestError(
                "too-long", f"{key} has {len(path)} characters; at most {MAX_PATH_CHARACTERS}"
            )


def parse_parameter(parameter: Parameter, value: Value) -> Any:
    """A parameter's value as it came over the wire or the command line, in its own type."""
    if parameter.kind == "curve":
        return parse_curve(value)
    if parameter.kind in ("float", "int") and isinstance(value, bool):
        return int(value)
    return value  # the edit itself checks kind and range


def parse_curve(value: Value) -> tuple[tuple[float, float], ...]:
    """A curve from its text "seconds:strength …", or a RequestError (`bad-value`)."""
    points = []
    try:
        for point in str(value).split():
            at, strength = point.split(":")
            points.append((float(at), float(strength)))
    except ValueError:
        raise RequestError(
            "bad-value",
            f"curve is {shorten(value)}; it must read like 0:0.2 1.5:0.8 (seconds:strength)",
        ) from None
    return tuple(points)


def parse_hole(value: Value) -> Hole:
    """A hole from its text "start:frames[:low_hz:high_hz]", or a RequestError (`bad-value`).

    An empty frequency is left open: "0:4800:2000:" reaches from 2 kHz up.
    """
    try:
        start, frames, *band = str(value).split(":")
        low, high = band or ("", "")
        return Hole(
            int(start), int(frames), float(low) if low else None, float(high) if high else None
        )
    except ValueError:
        raise RequestError(
            "bad-value",
            f"hole is {shorten(value)}; it must read start:frames or start:frames:low_hz:high_hz",
        ) from None
