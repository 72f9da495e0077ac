"""`retake doctor`: everything a bug report needs, and whether it is well."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.errors import FaultError
from server.config import state_folder

PACKAGES = (
    "retake",
    "torch",
    "diffusers",
    "transformers",
    "numpy",
    "scipy",
    "soundfile",
    "soxr",
    "pedalboard",
    "pyloudnorm",
    "python-osc",
    "matplotlib",
    "safetensors",
    "laion-clap",
)
OPTIONAL = ("laion-clap",)
NEEDED_BYTES = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    is_well: bool
    text: str


def run(options: argparse.Namespace) -> None:
    """Look at everything and print it; a FaultError at the end where something is wrong."""
    folder = state_folder(options.state_dir)
    findings = [finding for check in CHECKS for finding in _guarded(check, folder)]
    if options.json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.is_well else 'BAD '} {finding.name:14} {finding.text}")
    sick = [finding.name for finding in findings if not finding.is_well]
    if sick:
        raise FaultError("internal", f"not well: {', '.join(sick)}")


def _guarded(check: Callable[[Path], list[Finding]], folder: Path) -> list[Finding]:
    try:
        return check(folder)
    except Exception as error:  # a doctor goes on to the next organ
        return [Finding(check.__name__.strip("_"), False, f"{type(error).__name__}: {error}")]


def _machine(folder: Path) -> list[Finding]:
    is_new_enough = sys.version_info >= (3, 11)
    system = (
        f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs"
    )
    return [
        Finding("system", True, system),
        Finding("python", is_new_enough, f"{platform.python_version()} at {sys.executable}"),
    ]


def _packages(folder: Path) -> list[Finding]:
    found = []
    for package in PACKAGES:
        try:
            found.append(Finding(package, True, version(package)))
        except PackageNotFoundError:
            found.append(Finding(package, package in OPTIONAL, "not installed"))
    return found


def _device(folder: Path) -> list[Finding]:
    from engine.device import choose

    return [Finding("device", True, str(choose()))]


def _model(folder: Path) -> list[Finding]:
    from server import catalogue

    models = [item.name for item in catalogue.items("models")]
    return [
        Finding("models", bool(models), ", ".join(models) or "pocket is missing; reinstall Retake")
    ]


def _audio(folder: Path) -> list[Finding]:
    import numpy as np

    from engine.region import read, write

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tone.wav"
        tone = np.sin(np.arange(4800, dtype=np.float32) / 10)[:, np.newaxis]
        write(path, tone, 48000)
        same = bool(np.array_equal(read(path, context_s=0.0).samples, tone))
    return [
        Finding("audio files", same, "a float32 WAV reads back as written" if same else "differ")
    ]


def _state(folder: Path) -> list[Finding]:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    writable = os.access(there, os.W_OK)
    return [
        Finding("state folder", writable, f"{folder}{'' if writable else ' is not writable'}"),
        Finding("disk", free >= NEEDED_BYTES, f"{free / 2**30:.1f} GiB free"),
    ]


def _server(folder: Path) -> list[Finding]:
    from daw_bridge.client import Client
    from daw_bridge.wire import ServerNotRunning

    if not (folder / "server.conf").exists():
        return [Finding("server", True, "none runs")]
    try:
        with Client.connect(folder, name="retake doctor") as client:
            hello = client.hello()
    except ServerNotRunning as error:
        return [Finding("server", False, str(error))]
    return [Finding("server", True, f"{hello.version}, {hello.model} on {hello.device}")]


CHECKS: tuple[Callable[[Path], list[Finding]], ...] = (
    _machine,
    _packages,
    _device,
    _model,
    _audio,
    _state,
    _server,
)
