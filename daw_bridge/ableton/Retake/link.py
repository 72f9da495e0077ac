"""The connection to the server: TCP, never waiting. `poll` is called once a tick."""

from __future__ import annotations

import errno
import os
import select
import socket

from . import conf, osc

RETRY_S = 1.0
CONNECT_S = 5.0
READ_BYTES = 65536
#: A tick's share: some hundred messages.
MAX_READS = 2
MAX_FRAME_BYTES = 2**20
IN_PROGRESS = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, 10035)  # the last is Windows'


class Link:
    """One connection, made again whenever it is lost.

    Parameters
    ----------
    folder : str
        The state folder, where server.conf lies.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._socket: socket.socket | None = None
        self._conf: dict[str, str] = {}
        self._tried_s = float("-inf")
        self._out = bytearray()
        self._in = bytearray()
        self.is_up = False

    def send(self, address: str, *values: osc.Value) -> None:
        """Queue a request; where there is no connection it is forgotten."""
        if self.is_up:
            packet = osc.encode(address, self._conf["token"], *values)
            self._out += len(packet).to_bytes(4, "big") + packet
            self._flush()

    def poll(self, now_s: float) -> list[osc.Message]:
        """What the server said since the last tick; connects where that is due."""
        if self._socket is None:
            if now_s - self._tried_s >= RETRY_S:
                self._tried_s = now_s
                self._connect()
            return []
        if not self.is_up:
            self._finish_connecting(now_s)
            return []
        self._flush()
        self._receive()
        return self._cut()

    def close(self) -> None:
        """Hang up; what was queued goes out as far as it does at once."""
        if self.is_up:
            self._flush()
        self._drop()

    def _connect(self) -> None:
        self._conf = conf.read_pairs(os.path.join(self._folder, "server.conf"))
        if not self._conf.get("tcp", "").isdigit() or "token" not in self._conf:
            return
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            if self._socket.connect_ex(("127.0.0.1", int(self._conf["tcp"]))) in IN_PROGRESS:
                return
        except (OSError, OverflowError):
            pass
        self._drop()

    def _finish_connecting(self, now_s: float) -> None:
        assert self._socket is not None
        _, writable, failed = select.select([], [self._socket], [self._socket], 0)
        if failed or now_s - self._tried_s > CONNECT_S:
            self._drop()
        elif writable:
            if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._drop()
            else:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.is_up = True

    def _flush(self) -> None:
        try:
            while self._out and self._socket is not None:
                sent = self._socket.send(self._out)
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop()

    def _receive(self) -> None:
        for _ in range(MAX_READS):
            if self._socket is None:
                return
            try:
                data = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self._in += data
            if not data:
                self._lose()

    def _cut(self) -> list[osc.Message]:
        """The whole frames of what came: each a packet behind its size."""
        messages: list[osc.Message] = []
        while len(self._in) >= 4:
            size = int.from_bytes(self._in[:4], "big")
            if size > MAX_FRAME_BYTES:
                self._drop()
                break
            if len(self._in) < 4 + size:
                break
            packet = bytes(self._in[4 : 4 + size])
            del self._in[: 4 + size]
            try:
                messages += osc.decode(packet)
            except osc.OscError:
                continue  # a later server's; what it means nobody here knows
        return messages

    def _lose(self) -> None:
        """The other side hung up; what came before that is still to be read."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self.is_up = None, False
        del self._out[:]

    def _drop(self) -> None:
        self._lose()
        del self._in[:]
