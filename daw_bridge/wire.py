"""How a client finds the server and moves packets: server.conf, datagrams and streams."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daw_bridge.ableton.Retake import osc

MAX_DATAGRAM_BYTES = 65_507
SEND_S = 60.0
#: From this length on a packet isn't copied to have its size put before it.
LONG_BYTES = 2**16
READ_BYTES = 2**18
MAX_FRAME_BYTES = 2**28


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


def serve_command() -> str:
    """What starts a server: the `retake` beside this Python, which may not be on the PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "retake")
    if not any(map(os.path.isfile, (beside, f"{beside}.exe"))):
        return "retake serve"
    return f'"{beside}" serve' if " " in beside else f"{beside} serve"


def read_conf(folder: Path) -> dict[str, str]:
    """What server.conf says, or ServerNotRunning where there is none."""
    path = folder / "server.conf"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise ServerNotRunning(
            f"no server runs: there is no {path}; start one with: {serve_command()}"
        ) from None
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def pack(address: str, *values: Any) -> bytes:
    """A packet; whole numbers travel as int64, others as doubles, so that nothing is lost.

    ServerError (`bad-value`) for None and for text that OSC can't hold: NUL, and what a file's name
    has that is no UTF-8.
    """
    plain = [os.fspath(v) if isinstance(v, os.PathLike) else v for v in values]
    for value in plain:
        if value is None or (isinstance(value, str) and not _is_text(value)):
            raise ServerError(
                "bad-value", f"{value!r} can't be sent: it is no Unicode text without NUL"
            )
    return osc.encode(address, *plain)


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def unpack(packet: bytes) -> tuple[str, tuple[Any, ...]]:
    """Address and arguments of the server's packet; it sends no bundles."""
    return osc.decode(packet)[0]


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
        """A packet, or None when none came in time; with 0 one that is there already."""
        self._socket.settimeout(max(timeout_s, 0.0))
        try:
            return self._socket.recv(MAX_DATAGRAM_BYTES)
        except (TimeoutError, BlockingIOError):
            return None
        except ConnectionError:
            raise ServerNotRunning(
                f"the server is gone; start one with: {serve_command()}"
            ) from None

    def close(self) -> None:
        self._socket.close()


class StreamDoor:
    """Packets behind their int32 size, over TCP or a unix socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._long: bytearray | None = None  # a packet of which the first bytes have come
        self._n_long = 0
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
        if len(packet) > MAX_FRAME_BYTES:
            raise ServerError(
                "too-long", f"{len(packet)} bytes don't fit a frame; give the file's path instead"
            )
        self._socket.settimeout(SEND_S)
        try:
            size = len(packet).to_bytes(4, "big")
            if len(packet) < LONG_BYTES or not hasattr(self._socket, "sendmsg"):  # Windows
                self._socket.sendall(size + packet)
            else:
                n_sent = self._socket.sendmsg((size, packet))
                self._socket.sendall(size[n_sent:])
                self._socket.sendall(memoryview(packet)[max(n_sent - len(size), 0) :])
        except ConnectionError:
            raise ServerNotRunning("the server closed the connection") from None

    def receive(self, timeout_s: float) -> bytes | None:
        """A packet, or None when none came in time; what came of it is kept for the next call."""
        deadline = time.monotonic() + timeout_s
        while (packet := self._cut()) is None:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                n_new = self._read()
            except TimeoutError:
                return None
            except ConnectionError:
                n_new = 0
            if not n_new:
                raise ServerNotRunning("the server closed the connection")
        return packet

    def _read(self) -> int:
        """Take what is there; how many bytes that were."""
        if self._long is None:
            data = self._socket.recv(READ_BYTES)
            self._buffer += data
            return len(data)
        n_new = self._socket.recv_into(memoryview(self._long)[self._n_long :])
        self._n_long += n_new
        return n_new

    def _cut(self) -> bytes | None:
        """The first packet, once all of it is there."""
        if self._long is not None:
            if self._n_long < len(self._long):
                return None
            packet, self._long = bytes(self._long), None
            return packet
        if len(self._buffer) < 4:
            return None
        size = int.from_bytes(self._buffer[:4], "big")
        if size > MAX_FRAME_BYTES:
            raise ServerNotRunning("what answers is no Retake server; start one anew")
        if len(self._buffer) >= 4 + size:
            packet = bytes(memoryview(self._buffer)[4 : 4 + size])
            del self._buffer[: 4 + size]
            return packet
        if size > LONG_BYTES:  # the rest of it is read to where it belongs
            self._long, self._n_long = bytearray(size), len(self._buffer) - 4
            self._long[: self._n_long] = self._buffer[4:]
            self._buffer.clear()
        return None

    def close(self) -> None:
        self._socket.close()
