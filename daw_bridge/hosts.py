"""The hosts there are bridges for: one entry each, what is installed and where it goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daw_bridge import audacity

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Kit:
    """What an installation is made with.

    Parameters
    ----------
    command : str
        A command line that starts a server.
    state_dir : str
        Its state folder; empty for the user's own.
    presets : tuple of mappings
        What `retake presets --json` prints.
    program : str
        What a user types before a subcommand's name.
    """

    command: str = "retake serve"
    state_dir: str = ""
    presets: tuple[Mapping[str, Any], ...] = ()
    program: str = "retake"


Files = dict[str, bytes]


@dataclass(frozen=True)
class Host:
    """One host.

    Parameters
    ----------
    title : str
        As its users call it.
    files : callable
        A kit to what is installed, by path within the target folder.
    programs : mapping
        Per platform, where its user folder may be; `*` stands for a version, the highest counts.
        {home}, {config}, {data}, {roaming}, {local} are the user's folders. The first that is
        there is taken.
    inside : str
        The target folder within the user folder.
    next_step : str
        What the user does next, inside the host; {target} and {program} are filled in.
    is_made : bool
        Whether the user folder is made where there is none: the host does without it until then.
    least : int
        The oldest version that does.
    """

    title: str
    files: Callable[[Kit], Files]
    programs: Mapping[str, tuple[str, ...]]
    inside: str
    next_step: str
    is_made: bool = False
    least: int = 0


def tree(folder: str, is_package: bool = False) -> Files:
    """Every file of a folder beside this module, by its path in it; none where it is not there.

    `__init__.py` is ours and stays here, unless the folder is a package for the host's own Python.
    """
    root = HERE / folder
    found = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in found
        if "__pycache__" not in path.parts
        and path.name != "README.md"
        and (is_package or path.name != "__init__.py")
    }


def conf(kit: Kit) -> bytes:
    """retake.conf: how the bridge starts a server, and where that keeps its state."""
    lines = [f"command={kit.command}"]
    if kit.state_dir:
        lines.append(f"state={kit.state_dir}")
    return ("\n".join(lines) + "\n").encode()


def _conf_with_presets(kit: Kit) -> bytes:
    """retake.conf for bridges that ask the server what presets there are, with what it doesn't say.

    `before=` names those whose takes begin before the clip: they are laid earlier.
    """
    names = [
        str(preset["name"])
        for preset in kit.presets
        if preset.get("parameters", {}).get("direction") == "before"
    ]
    return conf(kit) + (f"before={' '.join(names)}\n".encode() if names else b"")


def _reaper(kit: Kit) -> Files:
    presets = json.dumps(list(kit.presets), ensure_ascii=False).encode()
    return {**tree("reaper"), "retake.conf": conf(kit), "presets.json": presets}


def _audacity(kit: Kit) -> Files:
    texts = audacity.files(kit.presets, kit.state_dir or None, kit.command)
    return {name: text.encode() for name, text in texts.items()}


def _ardour(kit: Kit) -> Files:
    return {**tree("ardour"), "retake.conf": _conf_with_presets(kit)}


def _ableton(kit: Kit) -> Files:
    package = tree("ableton/Retake", is_package=True)
    return {**package, "retake.conf": _conf_with_presets(kit)}


HOSTS: dict[str, Host] = {
    "reaper": Host(
        "REAPER",
        _reaper,
        {
            "linux": ("{config}/REAPER",),
            "darwin": ("{home}/Library/Application Support/REAPER",),
            "win32": ("{roaming}/REAPER",),
        },
        "Scripts/Retake",
        "In REAPER: Actions > Show action list > New action > Load ReaScript…, choose "
        '"Retake - set up.lua" in {target}, and run it once.',
    ),
    "ableton": Host(
        "Ableton Live",
        _ableton,
        {
            "darwin": ("{home}/Music/Ableton/User Library",),
            "win32": ("{home}/Documents/Ableton/User Library",),
        },
        "Remote Scripts/Retake",
        "Restart Live; in Settings > Link, Tempo & MIDI choose Retake as a Control Surface. "
        "Then run `{program} live` for the panel.",
    ),
    "audacity": Host(
        "Audacity",
        _audacity,
        {
            "linux": ("{home}/.audacity-data", "{data}/audacity"),
            "darwin": ("{home}/Library/Application Support/audacity",),
            "win32": ("{roaming}/audacity",),
        },
        "Plug-Ins",
        "In Audacity: Tools > Plugin Manager (or Effect > Plugin Manager), enable the Retake "
        "effects; they are in the Effect and Generate menus then.",
        is_made=True,
    ),
    "ardour": Host(
        "Ardour",
        _ardour,
        {
            "linux": ("{config}/ardour*",),
            "darwin": ("{home}/Library/Preferences/Ardour*",),
            "win32": ("{local}/Ardour*",),
        },
        "scripts",
        "In Ardour: Edit > Lua Scripts > Script Manager; set a Retake action script under Action "
        "Scripts, and the Retake hook under Action Hooks.",
        least=7,
    ),
}
