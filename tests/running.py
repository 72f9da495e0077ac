"""A server on a thread of the test process, its worker a double, for the tests of the wire."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from daw_bridge.client import Client
from engine.errors import RetakeError
from server import osc
from server.config import Config
from server.osc import Message
from server.serve import Server, Settings
from server.watchdog import Limits

DOUBLE = Path(__file__).with_name("engine_double.py")
RATE = 44100
#: Nothing takes so long; only a machine with much else to do comes near it.
DEADLINE_S = 90.0
NO_LIMITS = Limits()


class Running:
    """A server on a thread of its own; `stop` ends it as Ctrl-C twice would."""

    def __init__(
        self,
        folder: Path,
        udp_port: int = 0,
        tcp_port: int = 0,
        limits: Limits = NO_LIMITS,
        **more: Any,
    ) -> None:
        self.folder, self.steps = folder, folder / "steps.log"
        command = [sys.executable, str(DOUBLE), str(self.steps)]
        more = {"command": command, "limits": limits} | more
        self._settings = Settings(folder, udp_port, tcp_port, "double", **more)
        self._started: Future[Config] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        self.conf = self._started.result(60)

    async def _main(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = Server(self._settings)
        except RetakeError as error:
            self._started.set_exception(error)
            return
        try:
            self._started.set_result(await server.open())
            await self._stopped.wait()
        except BaseException as error:
            self._started.set_exception(error)
        finally:
            await server.close()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(30)
            assert not self._thread.is_alive()

    def n_steps(self) -> int:
        return len(self.steps.read_text().splitlines()) if self.steps.exists() else 0


def ask_udp(
    server: Running, packet: bytes, timeout_s: float = 5.0
) -> list[tuple[str, tuple[Any, ...]]]:
    """What comes back for a packet, up to the first answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.sendto(packet, ("127.0.0.1", server.conf.udp))
        try:
            messages = osc.decode(sock.recv(65507))
        except TimeoutError:
            return []
        return [(m.address, m.args) for m in messages]


def wait_for_a_step(client: Client, job: str) -> None:
    """Until the job has taken its first step."""
    next(e for e in client.events(job) if e.name == "progress" and e.values[0] > 0)


def wait_until(
    is_so: Callable[[], bool], every_s: float = 0.02, timeout_s: float = DEADLINE_S
) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(every_s)


def hello(token: str) -> bytes:
    return osc.encode(Message("/retake/hello", "ssi", (token, "test", 1)))
