"""`retake doctor`: everything a bug report needs, and whether it is well."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from daw_bridge.wire import ServerNotRunning, read_conf
from engine.errors import FaultError
from server.config import STATE_VARIABLE, state_folder
from server.watchdog import machine_memory_bytes

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
    "ray",
)
OPTIONAL = ("laion-clap", "ray")
NEEDED_BYTES = 2**30
NEEDED_MEMORY_BYTES = 2 * 2**30
VARIABLES = (STATE_VARIABLE, "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HF_HOME", "PYTHONPATH")


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
    findings += _guarded(_bridges, options.state_dir)
    if options.json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.is_well else 'BAD '} {finding.name:14} {finding.text}")
    sick = [finding.name for finding in findings if not finding.is_well]
    if sick:
        raise FaultError("internal", f"not well: {', '.join(sick)}")


def _guarded(check: Callable[[Any], list[Finding]], about: Any) -> list[Finding]:
    try:
        return check(about)
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

    if not (folder / "server.conf").exists():
        return [Finding("server", True, "none runs")]
    try:
        with Client.connect(folder, name="retake doctor") as client:
            hello = client.hello()
    except ServerNotRunning as error:
        return [Finding("server", False, str(error))]
    return [Finding("server", True, f"{hello.version}, {hello.model} on {hello.device}")]


def _doors(folder: Path) -> list[Finding]:
    """Where a running server listens. The token is nobody's business, least a bug report's."""
    try:
        conf = read_conf(folder)
    except ServerNotRunning:
        return []
    shown = ", ".join(f"{key} {conf.get(key) or 'none'}" for key in ("udp", "tcp", "socket"))
    return [Finding("doors", True, shown)]


def _memory(folder: Path) -> list[Finding]:
    n_bytes = machine_memory_bytes()
    text = f"{n_bytes / 2**30:.1f} GiB" if n_bytes else "can't be told here"
    return [Finding("memory", not 0 < n_bytes < NEEDED_MEMORY_BYTES, text)]


def _spool(folder: Path) -> list[Finding]:
    spool = folder / "spool"
    if not spool.is_dir():
        return []
    files = [path for path in spool.rglob("*") if path.is_file()]
    mib = sum(path.stat().st_size for path in files) / 2**20
    findings = [Finding("spool", True, f"{len(files)} files, {mib:.1f} MiB")]
    if sys.platform != "win32" and spool.stat().st_mode & 0o077:
        findings.append(Finding("spool's mode", False, f"others may enter: chmod 700 {spool}"))
    return findings


def _store(folder: Path) -> list[Finding]:
    """How many jobs stand where, read without disturbing a server."""
    path = folder / "jobs.sqlite"
    aside = [bad.name for bad in folder.glob("jobs.sqlite.bad-*")]
    findings = [Finding("damaged jobs", False, f"kept aside: {', '.join(aside)}")] if aside else []
    if path.exists():
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            counts = db.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall()
        shown = ", ".join(f"{n} {state}" for state, n in counts)
        findings.append(Finding("jobs", True, shown or "none"))
    return findings


def _environment(folder: Path) -> list[Finding]:
    """Variables that change what happens."""
    found = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return [Finding("environment", True, " ".join(found) or "nothing set")]


def _bridges(state_dir: str | None) -> list[Finding]:
    """Whether what was installed into hosts is whole and of this version.

    A bridge is told of a state folder only where one was given, so what was given counts here.
    """
    from server import hosts

    return [Finding(name, well, text) for name, (well, text) in hosts.states(state_dir).items()]


CHECKS: tuple[Callable[[Path], list[Finding]], ...] = (
    _machine,
    _packages,
    _device,
    _model,
    _audio,
    _memory,
    _state,
    _spool,
    _store,
    _environment,
    _server,
    _doors,
)
