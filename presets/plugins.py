"""Plugins of the user's own (VST3, and AU on macOS), each run in a process of its own.

A plugin that crashes or hangs costs the job that asked for it, and nothing else. What is asked and
answered goes through files without a name, which no one has to clear away and which are never full.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from engine.errors import FaultError, RequestError
from engine.samples import Samples
from presets.chain import Tell
from presets.preset import Link

CHILD = Path(__file__).with_name("plugin_child.py")
#: A plugin may take so long to load, and then so many times the clip's length (docs/presets.md).
LOAD_LIMIT_S, LIMIT_SHARE = 120.0, 5.0
LOOK_EVERY_S = 0.1


def run_plugin(link: Link, samples: Samples, rate: int, tell: Tell) -> Samples:
    """Samples through a plugin, as long as they were.

    Parameters
    ----------
    link : Link
        `stereo` gives the plugin two channels at a time; else every channel goes by itself.
    samples : ndarray of float32, shape = (n_frames, n_channels)
    rate : int
    tell : callable
        Asked ten times a second; what it raises stops the plugin.

    Raises
    ------
    RequestError
        `no-such-file`: there is no such plugin; `bad-value`: it can't be loaded or won't take a
        setting.
    FaultError
        `internal`: it crashed, hung, or gave another length.
    """
    path = check_plugin(link)
    limit_s = LOAD_LIMIT_S + LIMIT_SHARE * len(samples) / rate
    request = {**link.settings, "rate": rate}
    with _asked(request, np.ascontiguousarray(samples.T), path, limit_s, tell) as answer:
        made: Samples = np.ascontiguousarray(np.load(answer, allow_pickle=False).T)
    if made.shape != samples.shape or made.dtype != np.float32:
        raise FaultError(
            "internal",
            f"plugin {path.name} gave {made.shape} {made.dtype} for {samples.shape} float32; "
            "leave it out",
        )
    return made


def plugin_settings(link: Link) -> dict[str, str]:
    """The settings a plugin has, each with its value and range; loads it, with the link's own.

    Raises as `run_plugin` does.
    """
    path = check_plugin(link)
    with _asked(link.settings, None, path, LOAD_LIMIT_S, lambda fraction: None) as answer:
        return dict(json.loads(answer.read()))


def check_plugin(link: Link) -> Path:
    """The plugin's path; RequestError (`no-such-file`) where there is nothing."""
    path = Path(link.settings["plugin"])
    if not path.exists():
        raise RequestError("no-such-file", f"plugin {path} does not exist; install it first")
    return path


@contextlib.contextmanager
def _asked(
    request: Mapping[str, Any], waves: Samples | None, path: Path, limit_s: float, tell: Tell
) -> Iterator[IO[bytes]]:
    """What the child answers, after its first line, which says whether all is well."""
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(json.dumps({**request, "parent": os.getpid()}).encode() + b"\n")
        if waves is not None:
            np.save(question, waves)
        question.seek(0)
        status = _run_child(question, answer, path, limit_s, tell)
        if status:
            raise FaultError(
                "internal",
                f"plugin {path.name} crashed ({_ending(status)}); leave it out of the chain",
            )
        answer.seek(0)
        said = json.loads(answer.readline())
        if "error" in said:
            raise RequestError("bad-value", f"plugin {path.name} can't be used: {said['error']}")
        yield answer


def _run_child(
    question: IO[bytes], answer: IO[bytes], path: Path, limit_s: float, tell: Tell
) -> int:
    """The status a child ends with; it is killed if it takes too long or is cancelled."""
    # -P: whatever folder this was started in, nothing is imported from there.
    command = [sys.executable, "-P", str(CHILD)]
    child = subprocess.Popen(command, stdin=question, stdout=answer, stderr=subprocess.DEVNULL)
    try:
        _wait(child, path, limit_s, tell)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
    return child.returncode


def _wait(child: subprocess.Popen[bytes], path: Path, limit_s: float, tell: Tell) -> None:
    began_s = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LOOK_EVERY_S)
            return
        spent_s = time.monotonic() - began_s
        if spent_s > limit_s:
            raise FaultError(
                "internal",
                f"plugin {path.name} gave no answer in {limit_s:.0f} s; leave it out of the chain",
            )
        tell(min(0.99, spent_s / limit_s))


def _ending(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
