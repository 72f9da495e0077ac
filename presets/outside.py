"""What a preset needs besides its file: plugins and impulse responses, looked for and tried out."""

from __future__ import annotations

from pathlib import Path

from engine.errors import RetakeError
from presets.effects import PLUGIN
from presets.mistakes import KeyPath, Mistake
from presets.preset import Link, Preset
from presets.shelf import Sheet


def outside_mistakes(sheet: Sheet, preset: Preset) -> list[Mistake]:
    """What is wrong with the files a preset's chain names; loads each plugin, in a child process.

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
    return found


def _problem(link: Link) -> tuple[str, str] | None:
    """The key that is wrong and why; None where all is well."""
    try:
        if link.effect == PLUGIN:
            from presets.plugins import plugin_settings

            plugin_settings(link)
        elif link.effect == "Convolution":
            from engine.region import read

            read(Path(link.settings["impulse_response_filename"]), context_s=0.0)
    except RetakeError as error:
        is_plugin = link.effect == PLUGIN
        return ("plugin" if is_plugin else "impulse_response_filename"), error.message
    return None
