"""`retake install`: a bridge into its host's folder; and what `retake doctor` says of them."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from daw_bridge import install
from daw_bridge.install import HOSTS, Kit
from server.config import STATE_VARIABLE, make_private_folder, state_folder, write_private

#: In the state folder: where `--to` has put bridges, for `retake doctor` to look at.
PLACES = "bridges.json"
PRESET_KEYS = ("name", "family", "description", "edit", "parameters", "default", "tags")


def run(options: argparse.Namespace) -> None:
    """Install, remove, or (without a host) list what there is."""
    if not options.host:
        _list(options)
        return
    if options.uninstall:
        done = install.uninstall(options.host, options.to)
    else:
        done = install.install(options.host, kit(options.state_dir), options.to)
    _note(options, done.folder)
    if options.json:
        print(json.dumps({**vars(done), "folder": str(done.folder)}))
        return
    verb = "removed from" if options.uninstall else "installed into"
    print(f"{HOSTS[options.host].title}: {done.n_files} files {verb} {done.folder}")
    for name in done.kept:
        print(f"kept, because you changed it: {done.folder / name}")
    if done.next_step:
        print(f"next: {done.next_step}")


def _list(options: argparse.Namespace) -> None:
    rows = states(options.state_dir)
    if options.json:
        facts = {name: {"is_well": well, "text": text} for name, (well, text) in rows.items()}
        print(json.dumps(facts))
        return
    for name, (_, text) in rows.items():
        print(f"{name:10} {text}")


def states(state_dir: str | os.PathLike[str] | None = None) -> dict[str, tuple[bool, str]]:
    """How each host's bridge stands: whether it is well, and a line about it."""
    made_with, elsewhere = kit(state_dir), _places(state_folder(state_dir))
    return {name: install.state_of(name, made_with, elsewhere.get(name)) for name in HOSTS}


def _note(options: argparse.Namespace, folder: Path) -> None:
    """Keep in mind where `--to` put a bridge: `retake doctor` has no other way to find it."""
    state = state_folder(options.state_dir)
    places = _places(state)
    if options.to and not options.uninstall:
        now = {**places, options.host: str(folder)}
    elif options.uninstall and places.get(options.host) != str(folder):
        return  # another one was taken out
    else:
        now = {host: place for host, place in places.items() if host != options.host}
    if now != places:
        with contextlib.suppress(OSError):  # it is installed; where nothing can be noted, it works
            make_private_folder(state)
            write_private(state / PLACES, json.dumps(now, indent=1))


def _places(state: Path) -> dict[str, str]:
    """Where bridges were last put with --to, by host; a damaged note says nothing."""
    try:
        places = json.loads((state / PLACES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(places, dict):
        return {}
    return {host: place for host, place in places.items() if isinstance(place, str)}


def kit(state_dir: str | os.PathLike[str] | None = None) -> Kit:
    """What bridges are made with here: this Retake's command and presets."""
    # A host that is started from a dock or a menu knows nothing of this terminal's variables.
    chosen = state_dir or os.environ.get(STATE_VARIABLE)
    folder = str(state_folder(chosen)) if chosen else ""
    command = f"{program()} serve"
    if folder:
        command += f" --state-dir {_quoted(Path(folder))}"
    return Kit(command, folder, presets_of_bridges(), program())


def presets_of_bridges() -> tuple[dict[str, Any], ...]:
    """The presets as bridges list them: without what only the engine needs."""
    from presets import FAMILIES, Shelf

    rows = []
    for preset in Shelf().presets():
        facts = preset.facts()
        row = {key: facts[key] for key in PRESET_KEYS}
        rows.append({**row, "family_title": FAMILIES.get(preset.family, preset.family)})
    return tuple(rows)


def program() -> str:
    """What runs this Retake from anywhere, before a subcommand's name."""
    name = "retake.exe" if sys.platform == "win32" else "retake"
    script = Path(sys.executable).with_name(name)
    if script.is_file():
        return _quoted(script)
    return f"{_quoted(Path(sys.executable))} -m server.cli"


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
