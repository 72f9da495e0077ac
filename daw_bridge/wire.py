"""How a client finds the server and moves packets: server.conf, datagrams and streams."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

MAX_DATAGRAM_BYTES = 65_507
SEND_S = 60.0


class ServerNotRunning(ConnectionError):  # noqa: N818 (a state of the world, named as one)
    """No server answers; the text says where one was looked for and how to start it."""


class ServerError(Exception):
    """The server refused a request or a job failed; `code` is one of the protocol's codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def state_folder(
    platform: str = sys.platform, env: Mapping[str, str] = os.environ, home: Path | None = None
) -> Path:
    """Where a server of this user keeps its server.conf."""
    home = home or Path.home()
    if env.get("RETAKE_STATE_DIR"):
        return Path(env["RETAKE_STATE_DIR"]).expanduser()
    if platform == "win32":
        return Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "retake"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "retake"
    return Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "retake"


def read_conf(folder: Path) -> dict[str, str]:
    """What server.conf says, or ServerNotRunning where there is none."""
    path = folder / "server.conf"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise ServerNotRunning(
            f"no server runs: there is no {path}; start one with: retake serve"
        ) from None
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class UdpDoor:
    """One datagram a message."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self.resends = True

    def send(self, packet: bytes) -> None:
        if len(packet) > MAX_DATAGRAM_BYTES:
            raise ServerError(
                "too-long", f"{len(packet)} bytes don't fit a datagram; use door='tcp'"
            )
        self._socket.send(packet)

    def receive(self, timeout_s: float) -> bytes | None:
        """A packet, or None when none came in time."""
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            return self._socket.recv(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            return None
        except ConnectionError:
            raise ServerNotRunning("the server is gone; start one with: retake serve") from None

    def close(self) -> None:
        self._socket.close()


class StreamDoor:
    """Packets behind their int32 size, over TCP or a unix socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self.resends = False

    @classmethod
    def open(cls, conf: Mapping[str, str], door: str) -> StreamDoor:
        if door == "unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(conf["socket"])
            except OSError:
                sock.close()
                raise
        else:
            sock = socket.create_connection(("127.0.0.1", int(conf["tcp"])))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def send(self, packet: bytes) -> None:
        self._socket.settimeout(SEND_S)
        try:
            self._socket.sendall(len(packet).to_bytes(4, "big") + packet)
        except ConnectionError:
            raise ServerNotRunning("the server closed the connection") from None

    def receive(self, timeout_s: float) -> bytes | None:
        """A packet, or None when none came in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            size = int.from_bytes(self._buffer[:4], "big")
            if len(self._buffer) >= 4 + size and len(self._buffer) >= 4:
                packet = bytes(memoryview(self._buffer)[4 : 4 + size])
                del self._buffer[: 4 + size]
                return packet
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(2**20)
            except TimeoutError:
                return None
            except ConnectionError:
                data = b""
            if not data:
                raise ServerNotRunning("the server closed the connection")
            self._buffer += data

    def close(self) -> None:
        self._socket.close()
