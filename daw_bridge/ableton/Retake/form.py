"""What the user has chosen: edit or preset, text, strength, takes and all else submit takes."""

from __future__ import annotations

import math
from typing import Union

from .clips import RefusalError

Setting = Union[str, int, float]

#: The clip says these; nobody sends them from outside.
CLIPS_OWN = ("path", "upload", "start", "frames", "hole")
#: How the keys are also called, in the panel and on surfaces.
ALSO = {"text": "prompt"}
FIRST_EDIT = "transfer"
#: Made from nothing: no clip is read.
FROM_NOTHING = "generate"
MAX_KEYS = 40


class Form:
    """The settings of the next job."""

    def __init__(self) -> None:
        self.values: dict[str, Setting] = {"edit": FIRST_EDIT}

    def set(self, key: object, value: object) -> None:
        """Set one key of submit; an empty text takes it out.

        Raises
        ------
        RefusalError
            A key that isn't text or that only the clip may say; a value that is no text or number,
            NaN among them. What the server thinks of it, it says when the job is sent.
        """
        if not isinstance(key, str) or not key.strip():
            raise RefusalError(f"A setting needs a name, like strength; {key!r} is none.")
        name = ALSO.get(key.strip(), key.strip())
        if name in CLIPS_OWN:
            raise RefusalError(f"{name} is taken from the clip and can't be set.")
        self._put(name, self._checked(name, value))

    def _checked(self, name: str, value: object) -> Setting:
        if isinstance(value, str):
            return value.strip()
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise RefusalError(f"{name} is {value!r}; it must be a text or a number.")
        # Faders send 3.0 where 3 takes are meant.
        return int(value) if float(value).is_integer() else value

    def _put(self, name: str, value: Setting) -> None:
        if value == "":
            self.values.pop(name, None)
            if not {"edit", "preset"} & set(self.values):
                self.values["edit"] = FIRST_EDIT
            return
        if name in ("edit", "preset"):  # a preset knows its edit
            self.values.pop("edit", None)
            self.values.pop("preset", None)
        if name not in self.values and len(self.values) >= MAX_KEYS:
            raise RefusalError(f"Over {MAX_KEYS} settings; there are not so many keys.")
        self.values[name] = value

    def pairs(self) -> list[Setting]:
        """Key, value, key, value …"""
        return [item for pair in self.values.items() for item in pair]


def short_text(values: dict[str, Setting]) -> str:
    """What a job is called after: its text, else its preset or edit."""
    text = values.get("prompt") or values.get("preset") or values.get("edit") or ""
    return " ".join(str(text).split())[:60]
