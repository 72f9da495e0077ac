"""The doors: sockets that hand bytes to osc and framing, messages to the app, and parse nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, cast

from server import osc
from server.framing import Framer, FramingError
from server.osc import Message

log = logging.getLogger("retake.server")

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100
MAX_CONNECTIONS = 256
#: Packets that may wait between the UDP socket and the app; more are dropped, and the log says so.
UDP_QUEUE = 4096
UDP_BUFFER_BYTES = 4 * 2**20
#: What a stream client may leave unread before it is cut off.
MAX_BACKLOG_BYTES = 600 * 2**20
READ_BYTES = 256 * 2**10


class Peer(Protocol):
    """Somebody who can be answered."""

    name: str
    is_stream: bool

    def send(self, message: Message) -> None:
        """Send, or drop silently where the peer is gone."""

    def close(self) -> None:
        """End the connection, where there is one."""


class App(Protocol):
    """What the doors need of the application."""

    async def receive(self, peer: Peer, message: Message) -> None:
        """Handle one message; never raises."""

    def forget(self, peer: Peer) -> None:
        """The peer is gone."""


class UdpPeer:
    """Whoever sent a datagram, known by the address it came from."""

    is_stream = False

    def __init__(self, transport: asyncio.DatagramTransport, address: tuple[str, int]) -> None:
        self._transport, self._address = transport, address
        self.name = f"udp {address[0]}:{address[1]}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UdpPeer) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def send(self, message: Message) -> None:
        """Send one datagram."""
        if not self._transport.is_closing():
            self._transport.sendto(osc.encode(message), self._address)

    def close(self) -> None:
        """Nothing to close."""


class UdpDoor(asyncio.DatagramProtocol):
    """One OSC packet a datagram, handled in the order they came."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._queue: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue(UDP_QUEUE)
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def open(self, port: int) -> None:
        """Listen on the port or the next free one (0: any)."""
        loop = asyncio.get_running_loop()

        async def bind(number: int) -> None:
            await loop.create_datagram_endpoint(lambda: self, local_addr=(LOOPBACK, number))

        await _next_free(port, bind)
        assert self._transport
        raw: socket.socket = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
        self.port = raw.getsockname()[1]
        self._task = asyncio.create_task(self._work())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio hands over the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio hands over a datagram."""
        try:
            self._queue.put_nowait((data, addr))
        except asyncio.QueueFull:
            log.warning("udp: over %d packets wait, one is dropped", UDP_QUEUE)

    def error_received(self, exc: Exception) -> None:
        """A client that is gone sends back "port unreachable"; nothing is to be done about it."""

    async def _work(self) -> None:
        while True:
            data, address = await self._queue.get()
            assert self._transport
            peer = UdpPeer(self._transport, address)
            try:
                messages = osc.decode(data)
            except osc.OscError as error:
                log.debug("%s sent no OSC: %s", peer.name, error)
                continue
            for message in messages:
                await self._app.receive(peer, message)

    async def close(self) -> None:
        """Stop listening."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._transport:
            self._transport.close()


class StreamPeer:
    """The other end of a connection."""

    is_stream = True

    def __init__(self, name: str, writer: asyncio.StreamWriter, framer: Framer) -> None:
        self.name = name
        self._writer, self._framer = writer, framer

    def send(self, message: Message) -> None:
        """Send in the framing the peer speaks; one that reads nothing for too long is cut off."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        self._writer.write(self._framer.frame(osc.encode(message)))
        if transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            log.warning("%s reads nothing; cut off", self.name)
            transport.abort()

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


class StreamDoor:
    """Connections over TCP or a unix socket, both framings of OSC."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._n_seen = 0
        self._kind = ""
        self.port = 0

    async def open_tcp(self, port: int) -> None:
        """Listen on the port or the next free one (0: any)."""
        self._kind = "tcp"

        async def bind(number: int) -> None:
            self._server = await asyncio.start_server(
                self._serve, LOOPBACK, number, limit=READ_BYTES
            )

        await _next_free(port, bind)
        assert self._server
        self.port = self._server.sockets[0].getsockname()[1]

    async def open_unix(self, path: Path) -> None:
        """Listen on a socket file only this user can reach; an old one is replaced."""
        if sys.platform == "win32":
            raise OSError("no unix sockets here")
        self._kind = "unix"
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path, limit=READ_BYTES)
        path.chmod(0o600)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= MAX_CONNECTIONS:
            log.warning("%s: over %d connections, one is refused", self._kind, MAX_CONNECTIONS)
            writer.close()
            return
        self._n_seen += 1
        framer = Framer()
        peer = StreamPeer(f"{self._kind} #{self._n_seen}", writer, framer)
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._follow(reader, writer, framer, peer)
        except (FramingError, osc.OscError) as error:
            log.warning("%s closed: %s", peer.name, error)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._app.forget(peer)
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _follow(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        framer: Framer,
        peer: StreamPeer,
    ) -> None:
        while data := await reader.read(READ_BYTES):
            for packet in framer.feed(data):
                for message in osc.decode(packet):
                    await self._app.receive(peer, message)
                    # Who doesn't read the answers is asked nothing more.
                    await writer.drain()
                    if writer.is_closing():
                        return

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if not self._server:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()


async def _next_free(port: int, bind: Callable[[int], Awaitable[None]]) -> None:
    """Bind to the port, or to the first free one after it."""
    for number in range(port, min(port + PORTS_TRIED, 65536) if port else 1):
        try:
            return await bind(number)
        except OSError as error:
            last = error
    raise last
