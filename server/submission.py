"""What a job is to do: the keys of submit, checked, and their one canonical text."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from engine.edits import EDITS, PARAMETERS, Edit, Hole, Parameter, make_edit
from engine.errors import RequestError
from server.messages import PRIORITIES, Argument, check, shorten
from server.osc import Value

MAX_FRAMES = 2**62

#: The keys of submit that are the server's own; all others are the edits' parameters.
OWN_KEYS = {
    key.name: key
    for key in (
        Argument("edit", "text", "which edit; or give `preset`", choices=tuple(EDITS)),
        Argument("preset", "text", "a preset's name; it fills what is not given"),
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
    """

    edit: Edit
    path: str = ""
    upload: str = ""
    start_frames: int = 0
    frames: int | None = None
    model: str = ""
    priority: str = "back"

    def to_json(self) -> str:
        """The canonical text: equal for equal requests, however they were spelled."""
        kept = {name: value for name, value in vars(self).items() if name != "edit"}
        content = {**kept, "edit": self.edit.name, "values": asdict(self.edit)}
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Submission:
        """The submission of a canonical text of `to_json`."""
        content = json.loads(text)
        values = content.pop("values")
        if "holes" in values:
            values["holes"] = tuple(Hole(**hole) for hole in values["holes"])
        return cls(edit=make_edit(content.pop("edit"), values), **content)


def parse_pairs(pairs: tuple[Value, ...]) -> Submission:
    """The submission that submit's key-value pairs ask for.

    Raises
    ------
    RequestError
        `bad-request` for a missing value or a key that isn't text, `unknown-key`, `unknown-edit`,
        `unknown-preset`, `bad-value`, `too-long`.
    """
    own, values = _sort_pairs(pairs)
    if "preset" in own:
        raise RequestError(
            "unknown-preset", f"no preset is called {shorten(own['preset'])}; there are none yet"
        )
    if "edit" not in own:
        raise RequestError("bad-request", f"submit names no edit; there are: {', '.join(EDITS)}")
    edit = make_edit(str(own["edit"]), values)
    _check_clip(edit, own)
    return Submission(
        edit=edit,
        path=own.get("path", ""),
        upload=own.get("upload", ""),
        start_frames=own.get("start", 0),
        frames=own.get("frames"),
        model=own.get("model", ""),
        priority=own.get("priority", "back"),
    )


def _sort_pairs(pairs: tuple[Value, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
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


def _check_clip(edit: Edit, own: dict[str, Any]) -> None:
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
