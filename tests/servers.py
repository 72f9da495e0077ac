"""`retake serve` as a process of its own, with the embedded checkpoint, for the tests of hosts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from running import DEADLINE_S, wait_until


@contextlib.contextmanager
def real_server(state: Path) -> Iterator[None]:
    """From the time it listens until it is stopped."""
    command = [sys.executable, "-m", "server.cli", "serve", "--state-dir", str(state)]
    command += ["--udp-port", "0", "--tcp-port", "0", "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (state / "server.conf").exists())
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
