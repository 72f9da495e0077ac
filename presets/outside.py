"""What a preset needs besides its file, looked for and tried: plugins, impulse responses, masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.errors import RetakeError
from presets.effects import PLUGIN
from presets.mistakes import KeyPath, Mistake
from presets.preset import Link, Preset
from presets.schema import mask_path
from presets.shelf import Sheet


def outside_mistakes(sheet: Sheet, preset: Preset) -> list[Mistake]:
    """What is wrong with the files a preset names; loads each plugin, in a child process.

    Parameters
    ----------
    sheet : Sheet
        Of the file the preset was read from.
    preset : Preset
    """
    found = []
    for index, link in enumerate(preset.finish.chain):
        problem = _problem(link)
        if problem is not None:
            key, message = problem
            keys: KeyPath = ("chain", index, key)
            found.append(sheet.mistake(keys, message))
    problem_of_mask = _mask_problem(preset)
    if problem_of_mask:
        found.append(sheet.mistake(("parameters", "mask"), problem_of_mask))
    return found


def _mask_problem(preset: Preset) -> str:
    """Why the file of a mask can't be used; empty where it can, or where there is none."""
    mask = mask_path(preset.parameters.get("mask"))
    if not mask:
        return ""
    from engine.painted import painted
    from engine.region import Region

    try:
        painted(mask, Region(np.zeros((1, 1), np.float32), 8000))
    except RetakeError as error:
        return error.message
    return ""


def _problem(link: Link) -> tuple[str, str] | None:
    """The key that is wrong and why; None where all is well."""
    try:
        if link.effect == PLUGIN:
            from presets.plugins import plugin_settings

            plugin_settings(link)
        elif link.effect == "Convolution":
            from engine.region import read

            read(Path(link.settings["impulse_response_filename"]), context_s=0.0)
    except (RetakeError, OSError) as error:  # OSError: a name too long to be looked for
        is_plugin = link.effect == PLUGIN
        message = getattr(error, "message", None) or str(error)
        return ("plugin" if is_plugin else "impulse_response_filename"), message
    return None
