"""A server in a process of its own, for benchmarks and tests that kill it, fill it and watch it.

Its engine is the tests' double, which knows no sound and costs nothing, unless a checkpoint is
named.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from daw_bridge.client import Client
from daw_bridge.wire import ServerNotRunning

ROOT = Path(__file__).parents[1]
DOUBLE = ROOT / "tests" / "engine_double.py"
START_S = 180.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

_SERVE = """
import sys
from pathlib import Path
from server.serve import Settings, serve
from server.watchdog import Limits
folder, model, device, spare_bytes, *command = sys.argv[1:]
serve(Settings(Path(folder), 0, 0, model, device, command=command,
               limits=Limits(spare_bytes=int(spare_bytes)), is_json_log=True))
"""


class Served:
    """A server process; `kill` ends it as a crash does, `start` begins another in its folder.

    Parameters
    ----------
    folder : Path
        The state folder. The log and the double's steps lie beside it.
    model : str
        "double", or a checkpoint's name or folder.
    spare_bytes : int
        Disk space that jobs leave free.
    """

    def __init__(self, folder: Path, model: str = "double", spare_bytes: int = 0) -> None:
        self.folder, self._model, self._spare_bytes = folder, model, spare_bytes
        self.log = folder.with_name(f"{folder.name}.log")
        self.steps = folder.with_name(f"{folder.name}.steps")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Served:
        """Start it and wait until it answers."""
        (self.folder / "server.conf").unlink(missing_ok=True)
        double = [sys.executable, str(DOUBLE), str(self.steps)]
        command = double if self._model == "double" else []
        arguments = [str(self.folder), self._model, "cpu", str(self._spare_bytes), *command]
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, *arguments],
                env={**os.environ, "PYTHONPATH": paths},
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.client("tcp").close()
                return self
            except ServerNotRunning:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server didn't start:\n{self.text()[-2000:]}") from None
            time.sleep(0.05)

    def client(self, door: str = "udp", name: str = "bench") -> Client:
        """A client of it."""
        return Client.connect(self.folder, door, name)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def worker_pids(self) -> list[int]:
        """Its children; the worker among them."""
        with suppress(OSError):
            return [int(pid) for pid in _children(self.pid)]
        return []

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def kill_worker(self) -> bool:
        """End its worker with SIGKILL; whether there was one."""
        pids = self.worker_pids()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def stop(self) -> int:
        """End it as the system's service manager does; its exit status."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                return self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait() if self._process else 0

    def text(self) -> str:
        """What it logged, its worker's words included."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def lines(self) -> list[dict[str, Any]]:
        """Its own log lines."""
        found = []
        for line in self.text().splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    def traces(self) -> list[str]:
        """Tracebacks in its log, and what asyncio complains of."""
        own = [line for line in self.lines() if "trace" in line or line["logger"] == "asyncio"]
        _, *bare = _unlogged(self.text()).split("Traceback (most recent")
        return [str(line) for line in own] + [trace[-1000:] for trace in bare]

    def open_files(self) -> int:
        """How many files and sockets it holds."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextmanager
def served(model: str = "double", spare_bytes: int = 0) -> Iterator[Served]:
    """A server in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="retake-") as place:
        server = Served(Path(place) / "state", model, spare_bytes).start()
        try:
            yield server
        finally:
            server.stop()


def memory_bytes(pid: int) -> int:
    """A process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def _children(pid: int) -> list[str]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.exists():
        return listed.read_text().split()
    return subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()


def _unlogged(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("{"))
