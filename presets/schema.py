"""The schema of a preset's file: every key, and what is wrong with a file that breaks it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path, PurePath
from typing import Any

from engine.automation import MASK_SUFFIXES
from engine.edits import EDITS, PARAMETERS, Parameter
from engine.errors import RequestError
from presets.effects import EFFECTS, PLUGIN_KEYS, PLUGIN_SUFFIXES
from presets.mistakes import KeyPath
from presets.preset import (
    FAMILIES,
    LOUDNESSES,
    LUFS_HIGH,
    LUFS_LOW,
    MAX_TAIL_S,
    NOT_PARAMETERS,
    RINGING_EDITS,
    TAILS,
    TEXT_EDITS,
    TEXT_MARK,
    WHOLE_EDITS,
)

#: Every key of a preset's file and what it is for.
KEYS: dict[str, str] = {
    "name": "what it is asked for by: lower-case letters, digits and -",
    "extends": "the preset this one varies: what isn't said here is taken from there",
    "family": "one of " + ", ".join(FAMILIES),
    "description": "one line: what is heard afterwards",
    "edit": "one of " + ", ".join(EDITS),
    "text": "the prompt, with {text} where the user's own words go",
    "default": "what {text} is where the user gives no words",
    "negative": "what it should not sound like",
    "tags": "words to find it by",
    "loudness": '"source", "free" or LUFS (generate, transfer and vary)',
    "tail": '"fade" inside the region, or a "longer" take',
    "tail_seconds": "how long the chain rings past the end",
    "parameters": "of the edit; docs/engine.md lists them",
    "chain": "the after-chain: effects in their order",
}
NEEDED = ("name", "family", "description", "edit")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
NAME_RULE = "1 to 48 of a-z 0-9 -, starting with a letter or digit"
TAG = re.compile(r"[a-z0-9][a-z0-9 -]{0,23}")
MAX_DESCRIPTION, MAX_TAGS, MAX_LINKS = 160, 12, 16
TOO_WIDE = "an integer of over 64 bits; TOML has none"

Found = Iterator[tuple[KeyPath, str]]


def check_own(raw: Mapping[str, Any], is_library: bool) -> list[tuple[KeyPath, str]]:
    """What is wrong with the keys a file has, whatever it extends: (keys, message) pairs."""
    found = [(keys, f"it is {TOO_WIDE}") for keys in _wide(raw, ())]
    spoilt = {keys[0] for keys, _ in found}
    for key, value in raw.items():
        if key not in KEYS:
            found.append(((key,), _unknown_key(key)))
        elif key not in spoilt:
            found += _CHECKS[key](value, is_library)
    return found


def _wide(value: Any, keys: KeyPath) -> Iterator[KeyPath]:
    """Where integers stand that are too large for what is done with numbers, printing included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _wide(inner, (*keys, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _wide(inner, (*keys, index))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield keys


def check_whole(raw: Mapping[str, Any]) -> list[tuple[KeyPath, str]]:
    """What is wrong with a preset as a whole, what it extends being part of it.

    Keys that `check_own` complains of must not be there.
    """
    found: list[tuple[KeyPath, str]] = [
        ((), f"{key} is missing: {KEYS[key]}") for key in NEEDED if key not in raw
    ]
    found += _check_words(raw)
    if "edit" in raw:
        found += _check_parameters_of(raw["edit"], raw.get("parameters", {}))
        found += _check_finish(raw["edit"], raw)
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message: what is near a word, or all there is."""
    known = list(known)
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"


def _unknown_key(key: str) -> str:
    if key in PARAMETERS:
        return f"{key} is a parameter; it belongs under [parameters]"
    return f"there is no such key; {nearest(key, KEYS)}"


def _is(value: Any, kind: type, want: str) -> str:
    """The message for a value of another type; empty where it is right."""
    is_right = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
    return "" if is_right else f"it is {_shown(value)}; it must be {want}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text_check(key: str, most: int = 2000) -> Callable[[Any, bool], Found]:
    def check(value: Any, _: bool) -> Found:
        wrong = _is(value, str, "a text")
        if wrong:
            yield (key,), wrong
        elif len(value) > most:
            yield (key,), f"it has {len(value)} characters; at most {most} are kept"
        elif key == "description" and (not value.strip() or "\n" in value):
            yield (key,), f"it is {_shown(value)}; it must be one line of words"

    return check


def _name_check(key: str) -> Callable[[Any, bool], Found]:
    def check(value: Any, _: bool) -> Found:
        if not isinstance(value, str) or not NAME.fullmatch(value):
            yield (key,), f"it is {_shown(value)}; it must be {NAME_RULE}"

    return check


def _choice_check(key: str, known: Iterable[str]) -> Callable[[Any, bool], Found]:
    def check(value: Any, _: bool) -> Found:
        if not isinstance(value, str) or value not in known:
            yield (key,), f"it is {_shown(value)}; {nearest(str(value), known)}"

    return check


def _check_text(value: Any, _: bool) -> Found:
    wrong = _is(value, str, "a text")
    if wrong:
        yield ("text",), wrong
        return
    others = re.findall(r"\{[^{}]*\}?|\}", value.replace(TEXT_MARK, ""))
    if others:
        yield ("text",), f"it holds {others[0]}; only {TEXT_MARK} is filled in"
    elif value.count(TEXT_MARK) != 1:
        yield (
            ("text",),
            f"it is {_shown(value)}; it must hold {TEXT_MARK} once, where the user's words go",
        )


def _check_tags(value: Any, _: bool) -> Found:
    wrong = _is(value, list, 'words, as ["dark", "large"]')
    if wrong:
        yield ("tags",), wrong
        return
    if len(value) > MAX_TAGS:
        yield ("tags",), f"there are {len(value)}; at most {MAX_TAGS} are kept"
    for index, tag in enumerate(value):
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            yield ("tags", index), f"it is {_shown(tag)}; it must be a short lower-case word"
        elif tag in value[:index]:
            yield ("tags", index), f"{tag} stands there twice"


def _check_loudness(value: Any, _: bool) -> Found:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value in LOUDNESSES or (is_number and LUFS_LOW <= value <= LUFS_HIGH):
        return
    yield (
        ("loudness",),
        f'it is {_shown(value)}; it must be "source", "free" or {LUFS_LOW:g} to {LUFS_HIGH:g} LUFS',
    )


def _check_tail_seconds(value: Any, _: bool) -> Found:
    yield from _checked(_TAIL_SECONDS, value, ("tail_seconds",))


_TAIL_SECONDS = Parameter("tail_seconds", "float", "how long it rings", 0.0, MAX_TAIL_S)


def _check_parameters(value: Any, _: bool) -> Found:
    wrong = _is(value, dict, "a table: [parameters]")
    if wrong:
        yield ("parameters",), wrong
        return
    for name, given in value.items():
        if name in NOT_PARAMETERS:
            yield ("parameters", name), f"a preset doesn't set it: {NOT_PARAMETERS[name]}"
        elif name not in PARAMETERS:
            known = [p for p in PARAMETERS if p not in NOT_PARAMETERS]
            yield ("parameters", name), f"there is no such parameter; {nearest(name, known)}"
        else:
            yield from _checked(PARAMETERS[name], given, ("parameters", name))
            if name == "mask" and mask_path(given):
                yield from _check_home(given, ("parameters", name))


def mask_path(mask: Any) -> str:
    """The path of a mask that is a file; empty for one of points, or none."""
    is_path = isinstance(mask, str) and PurePath(mask.strip()).suffix.lower() in MASK_SUFFIXES
    return mask.strip() if is_path else ""


def _checked(parameter: Parameter, value: Any, keys: KeyPath) -> Found:
    try:
        parameter.check(value)
    except RequestError as error:
        # The message begins with the parameter's name, which the keys already say.
        yield keys, error.message.removeprefix(f"{parameter.name} ").replace("is ", "it is ", 1)


def _check_parameters_of(edit: str, given: Mapping[str, Any]) -> Found:
    """Parameters the edit doesn't take."""
    known = [field.name for field in fields(EDITS[edit]) if field.name not in NOT_PARAMETERS]
    for name in given:
        if name not in known:
            yield (
                ("parameters", name),
                f"{edit} takes no such parameter; {nearest(name, known)}",
            )


def _check_words(raw: Mapping[str, Any]) -> Found:
    text, default = raw.get("text", ""), raw.get("default", "")
    if text and not default.strip():
        yield (
            ("default",) if "default" in raw else ("text",),
            f"default is missing: {KEYS['default']}",
        )
    if default and not text:
        yield ("default",), f"it has no text to stand in; give text with {TEXT_MARK}"
    if raw.get("edit") in TEXT_EDITS and not text:
        yield ("edit",), f"{raw['edit']} needs text: {KEYS['text']}"


def _check_finish(edit: str, raw: Mapping[str, Any]) -> Found:
    chain, tail_s = raw.get("chain", []), raw.get("tail_seconds", 0.0)
    if "loudness" in raw and edit not in WHOLE_EDITS:
        yield ("loudness",), f"{edit} keeps the level of what surrounds it; leave it out"
    if raw.get("loudness") == "source" and edit == "generate":
        yield ("loudness",), "generate has no source to be as loud as; give LUFS or leave it out"
    if chain and edit == "bandwidth":
        yield ("chain",), "bandwidth leaves the lows as they are; an after-chain would change them"
    if tail_s and not chain:
        yield ("tail_seconds",), f"it is {tail_s:g}, but there is no chain that could ring"
    if raw.get("tail") == "longer":
        if edit not in RINGING_EDITS:
            yield ("tail",), f"{edit} gives a take as long as its region; use fade"
        elif not tail_s:
            yield ("tail",), "a longer take needs tail_seconds"


def _check_chain(value: Any, is_library: bool) -> Found:
    if not isinstance(value, list) or not all(isinstance(link, dict) for link in value):
        yield ("chain",), f"it is {_shown(value)}; it must be tables: [[chain]]"
        return
    if len(value) > MAX_LINKS:
        yield ("chain",), f"it has {len(value)} effects; at most {MAX_LINKS} are run"
    for index, link in enumerate(value):
        if "plugin" in link:
            yield from _check_plugin(link, ("chain", index), is_library)
        else:
            yield from _check_link(link, ("chain", index), is_library)


def _check_link(link: Mapping[str, Any], at: KeyPath, is_library: bool) -> Found:
    name = link.get("effect")
    if name is None:
        yield at, 'it has no effect; say effect = "Reverb", or plugin = "/path/to/it.vst3"'
        return
    if not isinstance(name, str) or name not in EFFECTS:
        yield (*at, "effect"), f"it is {_shown(name)}; {nearest(str(name), EFFECTS)}"
        return
    effect = EFFECTS[name]
    for key, value in link.items():
        setting = effect.setting(key)
        if setting is None and key != "effect":
            known = [setting.name for setting in effect.settings]
            hint = nearest(key, known) if known else "it has none"
            yield (*at, key), f"{name} has no such setting; {hint}"
        elif setting is not None and setting.kind == "file":
            yield from _check_file(value, (*at, key), is_library)
        elif setting is not None:
            yield from _checked(setting, value, (*at, key))
    for needed in effect.needs:
        if needed not in link:
            yield at, f"{name} needs {needed}"


def _check_file(value: Any, keys: KeyPath, is_library: bool) -> Found:
    if is_library:
        yield keys, "only your own presets may read files"
    elif not isinstance(value, str) or not value.strip():
        yield keys, f"it is {_shown(value)}; it must be the path of a file"
    else:
        yield from _check_home(value, keys)


def _check_home(path: str, keys: KeyPath) -> Found:
    try:
        Path(path).expanduser()
    except (RuntimeError, ValueError):  # ValueError: what no user's name can hold
        yield keys, f"it is {_shown(path)}; there is no such user here: give the whole path"


def _check_plugin(link: Mapping[str, Any], at: KeyPath, is_library: bool) -> Found:
    if is_library:
        yield (*at, "plugin"), "only your own presets may use plugins"
    path = link["plugin"]
    if not isinstance(path, str) or PurePath(path).suffix.lower() not in PLUGIN_SUFFIXES:
        suffixes = " or ".join(PLUGIN_SUFFIXES)
        yield (*at, "plugin"), f"it is {_shown(path)}; it must be the path of a {suffixes}"
    else:
        yield from _check_home(path, (*at, "plugin"))
    for key in link:
        if key not in PLUGIN_KEYS:
            hint = "its own settings stand in settings" if key != "effect" else "it is no effect"
            yield (*at, key), f"a plugin has no such key; {hint}"
    for key, kind, want in (
        ("plugin_name", str, "a text"),
        ("stereo", bool, "true or false"),
        ("settings", dict, "a table of the plugin's settings"),
    ):
        wrong = _is(link[key], kind, want) if key in link else ""
        if wrong:
            yield (*at, key), wrong
    settings = link.get("settings", {})
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if not isinstance(value, (bool, int, float, str)):
            want = "a number, a text, true or false"
            yield (*at, "settings", name), f"it is {_shown(value)}; it must be {want}"


_CHECKS: dict[str, Callable[[Any, bool], Iterable[tuple[KeyPath, str]]]] = {
    "name": _name_check("name"),
    "extends": _name_check("extends"),
    "family": _choice_check("family", FAMILIES),
    "description": _text_check("description", MAX_DESCRIPTION),
    "edit": _choice_check("edit", EDITS),
    "text": _check_text,
    "default": _text_check("default"),
    "negative": _text_check("negative"),
    "tags": _check_tags,
    "loudness": _check_loudness,
    "tail": _choice_check("tail", TAILS),
    "tail_seconds": _check_tail_seconds,
    "parameters": _check_parameters,
    "chain": _check_chain,
}
assert set(_CHECKS) == set(KEYS)
