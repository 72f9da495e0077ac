"""Presets as TOML: what `retake preset show` prints and `retake preset new` begins with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.edits import EDITS
from presets.effects import PLUGIN
from presets.preset import NOT_PARAMETERS, TEXT_EDITS, Link, Preset
from presets.schema import KEYS


def preset_toml(preset: Preset) -> str:
    """A preset whole, what it extends written out; it reads as the same preset again."""
    finish = preset.finish
    pairs: list[tuple[str, Any]] = [("name", preset.name), ("family", preset.family)]
    pairs += [("description", preset.description), ("edit", preset.edit)]
    pairs += [
        (key, value) for key in ("text", "default", "negative") if (value := _of(preset, key))
    ]
    pairs += [("tags", list(preset.tags))] if preset.tags else []
    usual = "free" if preset.edit == "generate" else "source"
    pairs += [("loudness", finish.loudness)] if finish.loudness != usual else []
    pairs += [("tail", finish.tail)] if finish.tail != "fade" else []
    pairs += [("tail_seconds", finish.tail_seconds)] if finish.tail_seconds else []
    blocks = [_lines(pairs)]
    if preset.parameters:
        blocks.append("[parameters]\n" + _lines(preset.parameters.items()))
    blocks += [_link(link) for link in finish.chain]
    return "\n".join(blocks)


def blank_toml(name: str, family: str, edit: str) -> str:
    """A preset to be filled in: it is complete, and says what else could stand in it."""
    has_text = edit in TEXT_EDITS
    pairs: list[tuple[str, Any]] = [("name", name), ("family", family)]
    pairs += [("description", "What is heard afterwards, in one line"), ("edit", edit)]
    pairs += [("text", "{text}"), ("default", "a crackling fire")] if has_text else []
    parameters = [p for p in EDITS[edit].parameters() if p.name not in NOT_PARAMETERS]
    settings = "\n".join(f"# {p.name} = ...   # {p.doc}" for p in parameters)
    said = {key for key, _ in pairs} | {"parameters", "chain", "extends"}
    others = "\n".join(f"# {key}: {doc}" for key, doc in KEYS.items() if key not in said)
    chain = "" if edit == "bandwidth" else _CHAIN_HINT
    return f"{_lines(pairs)}\n# Further keys:\n{others}\n\n[parameters]\n{settings}\n{chain}"


_CHAIN_HINT = """
# The after-chain, in its order; docs/presets.md lists the effects:
# [[chain]]
# effect = "Reverb"
# room_size = 0.5
"""


def variation_toml(name: str, extends: Preset) -> str:
    """A preset that varies another; it says what could be set otherwise."""
    pairs = [("name", name), ("extends", extends.name), ("description", extends.description)]
    parameters = "".join(f"# {key} = {_value(v)}\n" for key, v in extends.parameters.items())
    return f"{_lines(pairs)}\n[parameters]\n{parameters}"


def _of(preset: Preset, key: str) -> str:
    return str(getattr(preset, key))


def _link(link: Link) -> str:
    settings = {key: value for key, value in link.settings.items() if key != "settings"}
    head: list[tuple[str, Any]] = [] if link.effect == PLUGIN else [("effect", link.effect)]
    text = "[[chain]]\n" + _lines([*head, *settings.items()])
    if link.settings.get("settings"):
        text += "\n[chain.settings]\n" + _lines(link.settings["settings"].items())
    return text


def _lines(pairs: Any) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in pairs)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_items(value)) + "]"
    return repr(value)


def _items(values: Any) -> Iterator[str]:
    return (_value(value) for value in values)


def _text(text: str) -> str:
    # A JSON string is a TOML one, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
