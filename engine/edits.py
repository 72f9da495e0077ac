"""The edits and their parameters: what a caller may ask for, with every range beside its field.

`PARAMETERS` is the one table of parameters; the command line, the wire protocol, presets and the
docs are all read from it. The dataclasses below it are what the engine takes. No torch here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.automation import Points, Prompts, read_around, read_mask, read_prompts
from engine.errors import RequestError

MAX_PROMPT_CHARACTERS = 2000
MAX_TAKES = 8
MAX_SEED = 2**63 - 1
SAMPLERS = ("dpm++", "ddim")
RENDERINGS = ("hybrid", "vocoder")
DIRECTIONS = ("after", "before")


@dataclass(frozen=True)
class Parameter:
    """One parameter of an edit: its kind, range and a line of documentation.

    `kind` is one of "text", "float", "int", "choice", "curve", "holes", "prompts", "mask",
    "around".
    """

    name: str
    kind: str
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """The value in its own type, or a RequestError naming it and the range."""
        return _CHECKS[self.kind](self, value)


def _bad(parameter: Parameter, value: Any, want: str) -> RequestError:
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return RequestError("bad-value", f"{parameter.name} is {shown}; it must be {want}")


def _check_text(p: Parameter, value: Any) -> str:
    if not isinstance(value, str):
        raise _bad(p, value, "a text")
    if len(value) > MAX_PROMPT_CHARACTERS:
        raise RequestError(
            "too-long",
            f"{p.name} has {len(value)} characters; at most {MAX_PROMPT_CHARACTERS} are read",
        )
    return " ".join(value.split())


def _check_float(p: Parameter, value: Any) -> float:
    want = f"a number from {p.low:g} to {p.high:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _bad(p, value, want)
    if not (p.low <= value <= p.high):  # type: ignore[operator]  # NaN is nowhere
        raise _bad(p, value, want)
    return float(value)


def _check_int(p: Parameter, value: Any) -> int:
    want = f"a whole number from {p.low:g} to {p.high:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _bad(p, value, want)
    if isinstance(value, float) and not value.is_integer():
        raise _bad(p, value, want)
    if not (p.low <= value <= p.high):  # type: ignore[operator]
        raise _bad(p, value, want)
    return int(value)


def _check_choice(p: Parameter, value: Any) -> str:
    if value not in p.choices:
        raise _bad(p, value, "one of " + ", ".join(p.choices))
    return str(value)


def _check_curve(p: Parameter, value: Any) -> tuple[tuple[float, float], ...]:
    points = []
    try:
        for at, strength in value:
            points.append((float(at), float(strength)))
    except (TypeError, ValueError):
        raise _bad(p, value, "pairs of (seconds, strength)") from None
    for at, strength in points:
        if not (math.isfinite(at) and at >= 0.0 and 0.0 <= strength <= 1.0):
            raise _bad(p, (at, strength), "pairs of (seconds from 0, strength from 0 to 1)")
    if [at for at, _ in points] != sorted(at for at, _ in points):
        raise _bad(p, value, "pairs in the order of their times")
    return tuple(points)


def _check_holes(p: Parameter, value: Any) -> tuple[Hole, ...]:
    if not isinstance(value, (tuple, list)) or not all(isinstance(h, Hole) for h in value):
        raise _bad(p, value, "a sequence of Hole")
    return tuple(value)


def _check_automation(p: Parameter, value: Any) -> Any:
    try:
        return _AUTOMATION[p.kind](value)
    except ValueError as error:
        raise _bad(p, value, str(error)) from None


_AUTOMATION: dict[str, Callable[[Any], Any]] = {
    "prompts": read_prompts,
    "mask": read_mask,
    "around": read_around,
}
_CHECKS: dict[str, Callable[[Parameter, Any], Any]] = {
    "text": _check_text,
    "float": _check_float,
    "int": _check_int,
    "choice": _check_choice,
    "curve": _check_curve,
    "holes": _check_holes,
    **dict.fromkeys(_AUTOMATION, _check_automation),
}

PARAMETERS: dict[str, Parameter] = {
    p.name: p
    for p in (
        Parameter("prompt", "text", "what it should sound like"),
        Parameter("prompts", "prompts", "texts over time; each goes over into the next"),
        Parameter("negative", "text", "what it should not sound like"),
        Parameter("guidance", "float", "how hard the text pulls; 1 is no guidance", 0.0, 20.0),
        Parameter(
            "guidance_start", "float", "share of the steps before which guidance is 1", 0.0, 1.0
        ),
        Parameter(
            "guidance_end", "float", "share of the steps from which on it is 1 again", 0.0, 1.0
        ),
        Parameter("reuse", "int", "predictions that share the UNet's lower levels", 1, 10),
        Parameter(
            "steps", "int", "denoising steps over the part of the process that is run", 1, 1000
        ),
        Parameter("sampler", "choice", "the solver of the reverse process", choices=SAMPLERS),
        Parameter("eta", "float", "noise added back a step (ddim only)", 0.0, 1.0),
        Parameter("seed", "int", "the same seed gives the same take", 0, MAX_SEED),
        Parameter("takes", "int", "how many takes, best first by CLAP", 1, MAX_TAKES),
        Parameter("around", "around", "the seed of a take that new ones are to be like"),
        Parameter("spread", "float", "how far new takes lie from that one", 0.0, 1.0),
        Parameter("mix", "float", "share of the new sound; 0 gives the source back", 0.0, 1.0),
        Parameter(
            "strength", "float", "where the reverse process starts; 0 changes nothing", 0.0, 1.0
        ),
        Parameter(
            "preserve",
            "float",
            "how much of the performance is kept; 0 leaves it to the model",
            0.0,
            1.0,
        ),
        Parameter("curve", "curve", "strength over time, as (seconds, strength) pairs"),
        Parameter("mask", "mask", "strength over time and frequency, painted or as points"),
        Parameter("render", "choice", "how the model's change becomes sound", choices=RENDERINGS),
        Parameter("holes", "holes", "what is to be filled"),
        Parameter("resample", "int", "times each step is repeated (RePaint); 1 is once", 1, 10),
        Parameter("cutoff", "float", "where the highs end, in Hz; 0 finds it", 0.0, 96000.0),
        Parameter("seconds", "float", "length of what is made, in seconds", 0.001, 600.0),
        Parameter("direction", "choice", "on which side the clip goes on", choices=DIRECTIONS),
        Parameter("amount", "float", "how far from the source; 0 changes nothing", 0.0, 1.0),
        Parameter("seam", "float", "length of the loop's new seam, in seconds", 0.01, 30.0),
        Parameter("rate", "int", "frames a second of a generated clip", 8000, 192000),
        Parameter("channels", "int", "channels of a generated clip", 1, 8),
    )
}


@dataclass(frozen=True)
class Hole:
    """A stretch of the region to be filled, all frequencies or a band of them.

    Parameters
    ----------
    start_frames, frames : int
        Host frames from the region's start; `frames` is at least 1.
    low_hz, high_hz : float or None
        The band; None means from 0 Hz, or up to the top.
    """

    start_frames: int
    frames: int
    low_hz: float | None = None
    high_hz: float | None = None

    def __post_init__(self) -> None:
        if self.start_frames < 0:
            raise RequestError(
                "bad-value", f"hole starts at {self.start_frames} frames; 0 is the first"
            )
        if self.frames < 1:
            raise RequestError(
                "bad-value", f"hole is {self.frames} frames long; it needs at least 1"
            )
        low, high = self.low_hz or 0.0, self.high_hz
        if not math.isfinite(low) or low < 0 or (high is not None and not high > low):
            raise RequestError(
                "bad-value",
                f"hole's band is {low:g} to {high} Hz; its top must lie above its bottom",
            )

    @property
    def stop_frames(self) -> int:
        """First host frame after the hole."""
        return self.start_frames + self.frames

    @property
    def is_full_band(self) -> bool:
        """Whether every frequency is filled."""
        return not self.low_hz and self.high_hz is None


@dataclass(frozen=True)
class Edit:
    """What every edit takes. Building one checks every value (RequestError)."""

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    prompt: str = ""
    negative: str = ""
    guidance: float = 2.5
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    steps: int = 20
    reuse: int = 1
    sampler: str = "dpm++"
    eta: float = 0.0
    seed: int = 0
    takes: int = 1
    around: str = ""
    spread: float = 0.3
    mix: float = 1.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = PARAMETERS[field.name].check(getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """The parameters this edit takes, in order."""
        return tuple(PARAMETERS[field.name] for field in dataclasses.fields(cls))

    @property
    def is_identity(self) -> bool:
        """Whether this edit gives the source back bit for bit."""
        return self.mix == 0.0


@dataclass(frozen=True)
class Generate(Edit):
    """Text to audio: a new clip of `seconds` at `rate`."""

    name: ClassVar[str] = "generate"
    summary: ClassVar[str] = "make a new sound from a text"

    prompts: Prompts = ()
    seconds: float = 5.0
    rate: int = 48000
    channels: int = 1

    @property
    def is_identity(self) -> bool:
        return False


@dataclass(frozen=True)
class Transfer(Edit):
    """Text-guided style transfer by a shallow reverse process (AudioLDM, section 3.4)."""

    name: ClassVar[str] = "transfer"
    summary: ClassVar[str] = "turn a region into what the text says, keeping its timing"

    prompts: Prompts = ()
    strength: float = 0.5
    curve: tuple[tuple[float, float], ...] = ()
    mask: str | Points = ()
    preserve: float = 0.0
    render: str = "hybrid"

    @property
    def is_identity(self) -> bool:
        flat = (
            all(strength == 0.0 for _, strength in self.curve)
            if self.curve
            else self.strength == 0.0
        )
        return self.mix == 0.0 or flat


@dataclass(frozen=True)
class Inpaint(Edit):
    """Masked generation: the holes are filled, the rest stays bit for bit."""

    name: ClassVar[str] = "inpaint"
    summary: ClassVar[str] = "fill holes in time or frequency so that they fit"

    prompts: Prompts = ()
    holes: tuple[Hole, ...] = ()
    mask: str | Points = ()
    resample: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.holes and not self.mask:
            raise RequestError("bad-value", "inpaint has no hole; give at least one, or a mask")
        if self.holes and self.mask:
            raise RequestError("bad-value", "inpaint has holes and a mask; give one of them")


@dataclass(frozen=True)
class Bandwidth(Edit):
    """Audio super-resolution: highs above the cutoff are made, lows stay."""

    name: ClassVar[str] = "bandwidth"
    summary: ClassVar[str] = "restore the highs above a cutoff"

    cutoff: float = 0.0
    resample: int = 1


@dataclass(frozen=True)
class Continue(Edit):
    """The clip goes on for `seconds`, after its end or before its start."""

    name: ClassVar[str] = "continue"
    summary: ClassVar[str] = "make a clip longer, after its end or before its start"

    prompts: Prompts = ()
    seconds: float = 2.0
    direction: str = "after"

    @property
    def is_identity(self) -> bool:
        return False


@dataclass(frozen=True)
class Vary(Edit):
    """A relative of the region, steered by the region's own CLAP audio embedding."""

    name: ClassVar[str] = "vary"
    summary: ClassVar[str] = "make a variation of a region"

    amount: float = 0.5
    render: str = "vocoder"

    @property
    def is_identity(self) -> bool:
        return self.mix == 0.0 or self.amount == 0.0


@dataclass(frozen=True)
class Loop(Edit):
    """The region is made to repeat without a click: new sound across the seam only."""

    name: ClassVar[str] = "loop"
    summary: ClassVar[str] = "make a region repeat without a click"

    seam: float = 0.5


EDITS: dict[str, type[Edit]] = {
    edit.name: edit for edit in (Generate, Transfer, Inpaint, Bandwidth, Continue, Vary, Loop)
}


def make_edit(name: str, values: dict[str, Any]) -> Edit:
    """An edit from its name and a dict of values.

    Raises
    ------
    RequestError
        `unknown-edit`; `unknown-key` for a parameter the edit doesn't take; `bad-value`,
        `too-long`.
    """
    if name not in EDITS:
        raise RequestError(
            "unknown-edit", f"no edit is called {name!r}; there are: {', '.join(EDITS)}"
        )
    kind = EDITS[name]
    known = {parameter.name for parameter in kind.parameters()}
    for key in values:
        if key not in known:
            raise RequestError(
                "unknown-key", f"{name} takes no {key!r}; it takes: {', '.join(sorted(known))}"
            )
    return kind(**values)
