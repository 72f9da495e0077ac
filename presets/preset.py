"""What a preset is: a named edit with its parameters, its words and what is done afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.edits import Edit, Hole, make_edit
from engine.errors import RequestError

#: Families, in the order they are listed in, and their titles.
FAMILIES = {
    "voice": "Voice & emotion",
    "spaces": "Spaces & places",
    "weather": "Weather & air",
    "media": "Media",
    "restoration": "Restoration",
    "machines": "Machines & vehicles",
    "creatures": "Creatures",
    "impacts": "Impacts & whooshes",
    "music": "Music",
    "loops": "Loops & beds",
    "generate": "Generate",
}
#: "fade": what rings past the end fades inside the region; "longer": the take is longer.
TAILS = ("fade", "longer")
MAX_TAIL_S = 30.0
#: "source": as loud as the region; "free": as loud as it comes out; or a number of LUFS.
LOUDNESSES = ("source", "free")
LUFS_LOW, LUFS_HIGH = -60.0, -3.0
#: Stands for the user's own words in a preset's text.
TEXT_MARK = "{text}"

#: Edits whose whole result is new, so that an after-chain and a loudness may act on all of it.
WHOLE_EDITS = ("generate", "transfer", "vary")
#: Edits whose take may ring past the end.
RINGING_EDITS = (*WHOLE_EDITS, "continue")
#: Edits that a text must be given for.
TEXT_EDITS = ("generate", "transfer")
#: Parameters that aren't a preset's to set, and what is there instead.
NOT_PARAMETERS = {
    "prompt": "the words are `text`, beside the edit",
    "negative": "`negative` stands beside the edit",
    "around": "it is a take of one clip",
    "holes": "an inpaint preset fills the holes it is given, or the whole region",
}


@dataclass(frozen=True)
class Link:
    """One effect of an after-chain.

    Parameters
    ----------
    effect : str
        A name in `EFFECTS`, or "plugin".
    settings : mapping
        Its settings by name. Of a plugin: `plugin` (its path), `plugin_name`, `stereo`, `settings`.
    """

    effect: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finish:
    """What is done to takes after an edit.

    Parameters
    ----------
    preset : str
        Whose finish it is.
    chain : tuple of Link
    loudness : str or float
        "source", "free", or LUFS.
    tail : str
        "fade" or "longer".
    tail_seconds : float
        How long the chain rings.
    """

    preset: str = ""
    chain: tuple[Link, ...] = ()
    loudness: str | float = "source"
    tail: str = "fade"
    tail_seconds: float = 0.0

    def to_values(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        chain = [{"effect": link.effect, "settings": dict(link.settings)} for link in self.chain]
        return {**vars(self), "chain": chain}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Finish:
        """The finish of `to_values`."""
        chain = tuple(Link(link["effect"], link["settings"]) for link in values["chain"])
        return cls(**{**values, "chain": chain})


@dataclass(frozen=True)
class Preset:
    """A preset, complete: what it extends is part of it.

    Parameters
    ----------
    name : str
    family : str
        A key of `FAMILIES`.
    description : str
        One line: what is heard afterwards.
    edit : str
    parameters : mapping
        Of the edit, without its words.
    text : str
        A template with `{text}`, or empty: the user's words as they are.
    default : str
        What `{text}` is where the user gives no words.
    negative : str
    tags : tuple of str
    finish : Finish
    path : Path
        The file it was read from.
    is_own : bool
        Whether it is the user's and not the library's.
    extends : str
        The preset it varies; empty for none.
    """

    name: str
    family: str
    description: str
    edit: str
    parameters: Mapping[str, Any]
    text: str
    default: str
    negative: str
    tags: tuple[str, ...]
    finish: Finish
    path: Path
    is_own: bool
    extends: str = ""

    def prompt(self, words: str = "") -> str:
        """The edit's prompt: the user's words in their place in the template."""
        if not self.text:
            return words
        return self.text.replace(TEXT_MARK, words.strip() or self.default)

    def make_edit(self, given: Mapping[str, Any], region_frames: int | None = None) -> Edit:
        """The edit with the preset's parameters where nothing is given.

        Parameters
        ----------
        given : mapping
            The user's own values by parameter; `prompt` is what stands in the template.
        region_frames : int, optional
            The region's length: what `inpaint` fills where no hole is given.

        Raises
        ------
        RequestError
            What `engine.edits.make_edit` raises; `bad-request`: neither hole nor length is known.
        """
        values = {**self.parameters, **given}
        values["prompt"] = self.prompt(str(given.get("prompt", "")))
        values["negative"] = given.get("negative") or self.negative
        if "strength" in given and "curve" not in given:
            values.pop("curve", None)  # the preset's would win over the user's strength
        if given.get("holes"):
            values.pop("mask", None)  # and the user's holes over its mask
        if self.edit == "inpaint" and not values.get("holes") and not values.get("mask"):
            values["holes"] = (self._whole(region_frames),)
        return make_edit(self.edit, values)

    def _whole(self, region_frames: int | None) -> Hole:
        if region_frames is None:
            raise RequestError(
                "bad-request",
                f"preset {self.name} fills a hole; give a hole, or the region's length in frames",
            )
        return Hole(0, region_frames)

    def finish_with(self, tail: str | None) -> Finish:
        """What is done to the takes, the tail as it is asked for (None: as the preset says).

        Raises
        ------
        RequestError
            `bad-value`: a longer take of an edit that gives none, or of a preset that doesn't ring.
        """
        if not tail or tail == self.finish.tail:
            return self.finish
        if tail not in TAILS:
            raise RequestError("bad-value", f"tail is {tail!r}; it must be {' or '.join(TAILS)}")
        if tail == "longer" and (self.edit not in RINGING_EDITS or not self.finish.tail_seconds):
            raise RequestError(
                "bad-value", f"tail is longer, but preset {self.name} doesn't ring past the end"
            )
        return dataclasses.replace(self.finish, tail=tail)

    def facts(self) -> dict[str, Any]:
        """Everything about it as plain values, for JSON."""
        finish = self.finish.to_values()
        del finish["preset"]
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain = {"parameters": dict(self.parameters), "path": str(self.path)}
        return {**fields, **plain, "tags": list(self.tags), "finish": finish}


def check_edit(preset: Preset, edit: str) -> None:
    """RequestError (`bad-value`) where a preset is asked for with another edit than its own."""
    if edit != preset.edit:
        raise RequestError(
            "bad-value", f"preset {preset.name} is for {preset.edit}; the edit asked for is {edit}"
        )
