"""Puts a bridge into its host's user folder, takes it out again, and says how it stands.

What a host is stands in daw_bridge/hosts.py, one entry each. Nothing that isn't Retake's is ever
written over or removed; what was installed is listed in a small file beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from daw_bridge.hosts import HOSTS, Files, Host, Kit

__all__ = [
    "HOSTS",
    "Done",
    "InstallError",
    "Kit",
    "install",
    "state_of",
    "target_folder",
    "uninstall",
]

LIST_NAME = "retake-installed.json"
#: A user's own changes to an installed file are kept under this name.
CHANGED_SUFFIX = ".yours"


class InstallError(Exception):
    """Nothing was installed; `code` is one of the protocol's, the text says what would do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Done:
    """What an installation or removal came to."""

    host: str
    folder: Path
    n_files: int
    kept: tuple[str, ...] = ()
    next_step: str = ""


def target_folder(
    name: str,
    to: str | os.PathLike[str] | None = None,
    platform: str = sys.platform,
    env: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Path:
    """Where a host's files go.

    Raises
    ------
    InstallError
        `bad-value`: no such host; `no-such-file`: the host has no user folder here.
    """
    host = _host(name)
    if to:
        return Path(to).expanduser().absolute()
    folders = _folders(platform, env, home or Path.home())
    looked: list[Path] = []
    for template in host.programs.get(platform, ()):
        path = Path(template.format(**folders))
        for found in _versions(path, host.least):
            return found / host.inside
        looked.append(path)
    if host.is_made and looked:
        return looked[-1] / host.inside
    if not looked:
        where = f"{host.title} doesn't run on {platform}"
    else:
        where = f"there is no {' or '.join(map(str, looked))}; start {host.title} once"
    raise InstallError(
        "no-such-file", f"{host.title} wasn't found: {where}, or say where with --to"
    )


def _host(name: str) -> Host:
    if name not in HOSTS:
        raise InstallError(
            "bad-value", f"no bridge is called {name!r}; there are: {', '.join(HOSTS)}"
        )
    return HOSTS[name]


def _folders(platform: str, env: Mapping[str, str], home: Path) -> dict[str, str]:
    roaming = env.get("APPDATA") or str(home / "AppData" / "Roaming")
    local = env.get("LOCALAPPDATA") or str(home / "AppData" / "Local")
    config = env.get("XDG_CONFIG_HOME") or str(home / ".config")
    data = env.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    return {"home": str(home), "config": config, "data": data, "roaming": roaming, "local": local}


def _versions(path: Path, least: int) -> list[Path]:
    """The folders a path with `*` for a version leads to, the highest version first."""
    if "*" not in path.name:
        return [path] if path.is_dir() else []
    stem = path.name.removesuffix("*")
    numbered = []
    for found in path.parent.glob(path.name):
        number = re.fullmatch(re.escape(stem) + r"(\d+)", found.name)
        if number and int(number[1]) >= least and found.is_dir():
            numbered.append((int(number[1]), found))
    return [found for _, found in sorted(numbered, reverse=True)]


def install(name: str, kit: Kit, to: str | os.PathLike[str] | None = None) -> Done:
    """Put a bridge into its host's folder, over an older one of Retake's.

    Raises
    ------
    InstallError
        As `target_folder`; `conflict`: a file that isn't Retake's is in the way;
        `model-unavailable`: this Retake was made without that bridge; `out-of-disk`: the folder
        can't be written.
    """
    folder = target_folder(name, to)
    files = _host(name).files(kit)
    if not set(files) - {"retake.conf", "presets.json"}:
        raise InstallError("internal", f"this Retake has no files for {HOSTS[name].title}")
    listed = _listed(folder)
    _check_strangers(folder, files, listed)
    try:
        kept = tuple(_keep_changes(folder, files, listed))
        for path, content in files.items():
            _write(folder / path, content)
        for path in set(listed) - set(files):
            _remove_own(folder, path, listed[path])
        _write_list(folder, name, files)
    except OSError as error:
        raise InstallError("out-of-disk", f"{folder} can't be written: {error.strerror}") from error
    next_step = HOSTS[name].next_step.format(target=folder, program=kit.program)
    return Done(name, folder, len(files), kept, next_step)


def uninstall(name: str, to: str | os.PathLike[str] | None = None) -> Done:
    """Take a bridge out again; files the user has changed stay, and are named."""
    folder = target_folder(name, to)
    listed = _listed(folder)
    kept = tuple(path for path in listed if not _remove_own(folder, path, listed[path]))
    (folder / LIST_NAME).unlink(missing_ok=True)
    for empty in sorted(_parents(folder, listed), reverse=True):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()
    return Done(name, folder, len(listed) - len(kept), kept)


def state_of(name: str, kit: Kit, to: str | os.PathLike[str] | None = None) -> tuple[bool, str]:
    """Whether all is well with a host's bridge, and a line about it."""
    try:
        folder = target_folder(name, to)
    except InstallError:
        return True, "not installed, no such program found"
    listed = _listed(folder)
    if not listed:
        return True, "not installed"
    broken = [path for path, digest in listed.items() if _digest(folder / path) != digest]
    again = f"run: {_command(name, kit, to)}"
    if broken:
        return False, f"{folder}: {', '.join(sorted(broken)[:3])} missing or changed; {again}"
    now = {path: _hash(content) for path, content in HOSTS[name].files(kit).items()}
    old = [path for path in {*now, *listed} - {"retake.conf"} if now.get(path) != listed.get(path)]
    if old:
        return False, f"{folder} is of another version or has other presets; {again}"
    return True, f"{folder}, {len(listed)} files"


def _command(name: str, kit: Kit, to: str | os.PathLike[str] | None) -> str:
    """What installs a bridge again where and as it was."""
    command = f"{kit.program} install {name}"
    for option, value in (("--to", to), ("--state-dir", kit.state_dir)):
        if value:
            command += f' {option} "{value}"' if " " in str(value) else f" {option} {value}"
    return command


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(path: Path) -> str:
    try:
        return _hash(path.read_bytes())
    except OSError:
        return ""


def _listed(folder: Path) -> dict[str, str]:
    """What was installed into a folder: paths and hashes. A damaged list lists nothing."""
    try:
        files = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not isinstance(files, dict):
        return {}
    return {path: str(digest) for path, digest in files.items() if _is_inside(path)}


def _is_inside(path: str) -> bool:
    """Whether a listed path stays in its folder: the list lies where anybody may write it."""
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not PurePosixPath(path).is_absolute()


def _check_strangers(folder: Path, files: Files, listed: Mapping[str, str]) -> None:
    for path, content in files.items():
        there = folder / path
        if path not in listed and there.exists() and _digest(there) != _hash(content):
            raise InstallError(
                "conflict", f"{there} is there already and isn't Retake's; move it away first"
            )


def _keep_changes(folder: Path, files: Files, listed: Mapping[str, str]) -> Iterator[str]:
    """Move files the user has changed aside; their new names."""
    for path, digest in listed.items():
        there = folder / path
        found = _digest(there)
        if path in files and found and found not in (digest, _hash(files[path])):
            os.replace(there, there.with_name(there.name + CHANGED_SUFFIX))
            yield path + CHANGED_SUFFIX


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _write_list(folder: Path, name: str, files: Files) -> None:
    hashes = {path: _hash(content) for path, content in sorted(files.items())}
    text = json.dumps({"host": name, "files": hashes}, indent=1)
    _write(folder / LIST_NAME, text.encode())


def _remove_own(folder: Path, path: str, digest: str) -> bool:
    """Remove an installed file unless the user has changed it; whether it is gone."""
    there = folder / path
    if there.exists() and _digest(there) != digest:
        return False
    there.unlink(missing_ok=True)
    return True


def _parents(folder: Path, listed: Mapping[str, str]) -> set[Path]:
    """The folders that hold installed files, the target itself included."""
    found = {folder} if folder.name == "Retake" else set()
    for path in listed:
        for parent in (folder / path).parents:
            if parent == folder:
                break
            found.add(parent)
    return found
