"""Presets: named edits with their parameters, their words and what is done afterwards.

>>> from presets import Shelf
>>> preset = Shelf().get("cathedral")
>>> edit = preset.make_edit({"prompt": "a choir", "steps": 30})

One TOML file a preset, in presets/library and in the user's config folder. Torch, pedalboard and
scipy wait until takes are finished (`presets.finishing`).
"""

from __future__ import annotations

from presets.mistakes import Mistake, PresetError
from presets.preset import FAMILIES, TAILS, Finish, Link, Preset, check_edit
from presets.shelf import Sheet, Shelf, read_sheet, user_folder

__all__ = [
    "FAMILIES",
    "TAILS",
    "Finish",
    "Link",
    "Mistake",
    "Preset",
    "PresetError",
    "Sheet",
    "Shelf",
    "check_edit",
    "read_sheet",
    "user_folder",
]
