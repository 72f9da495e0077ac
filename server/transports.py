"""The doors: sockets that hand bytes to osc and framing, messages to the app, and parse nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, cast

from engine.errors import RequestError
from server import osc
from server.audience import Peer
from server.framing import Framer, FramingError
from server.osc import Message
from server.seldom import Seldom

log = logging.getLogger("retake.server")

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100
MAX_CONNECTIONS = 256
#: Packets that may wait between the UDP socket and the app; more are dropped, and the log says so.
UDP_QUEUE, UDP_QUEUE_BYTES = 4096, 32 * 2**20
UDP_BUFFER_BYTES = 4 * 2**20
SIO_UDP_CONNRESET = 0x9800000C  # mswsock.h
#: What a stream client may leave unread before it is told of no more progress, and before it is
#: cut off.
SLOW_BACKLOG_BYTES = 2**20
MAX_BACKLOG_BYTES = 600 * 2**20
READ_BYTES = 256 * 2**10
#: So much of a frame is taken from a connection before its token is looked for in it.
STRANGER_BYTES = 64 * 2**10
TOKEN_WITHIN_BYTES = 4096


class App(Protocol):
    """What the doors need of the application."""

    async def receive(self, peer: Peer, message: Message) -> bool:
        """Handle one message; whether its token was right. Never raises."""

    def is_known(self, message: Message) -> bool:
        """Whether a message carries the token."""

    def forget(self, peer: Peer) -> None:
        """The peer is gone."""


class UdpPeer:
    """Whoever sent a datagram, known by the address it came from."""

    is_stream, door = False, "udp"

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


def _stay_open(sock: socket.socket) -> None:
    """On Windows, don't hear of datagrams that nobody took: asyncio would stop to read (CPython
    issue 127057)."""
    if sys.platform == "win32":
        import ctypes

        off, n_bytes = ctypes.c_ulong(0), ctypes.c_ulong(0)
        ctypes.windll.ws2_32.WSAIoctl(
            *(ctypes.c_size_t(sock.fileno()), SIO_UDP_CONNRESET),
            *(ctypes.byref(off), ctypes.sizeof(off), None, 0, ctypes.byref(n_bytes), None, None),
        )


class UdpDoor(asyncio.DatagramProtocol):
    """One OSC packet a datagram; each sender's are handled in the order they came."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._queues: dict[tuple[str, int], deque[bytes]] = {}
        self._n_waiting = self._n_bytes = 0
        self._dropped = Seldom(log)
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
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
        _stay_open(raw)
        self.port = raw.getsockname()[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio hands over the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Asyncio hands over a datagram."""
        if self._n_waiting >= UDP_QUEUE or self._n_bytes + len(data) > UDP_QUEUE_BYTES:
            self._dropped.warning("udp: %d packets wait, one is dropped", self._n_waiting)
            return
        self._n_waiting += 1
        self._n_bytes += len(data)
        if addr in self._queues:
            self._queues[addr].append(data)
            return
        self._queues[addr] = deque([data])
        task = asyncio.create_task(self._serve(addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def error_received(self, exc: Exception) -> None:
        """A client that is gone sends back "port unreachable"; nothing is to be done about it."""

    async def _serve(self, address: tuple[str, int]) -> None:
        """Handle one sender's datagrams until none waits."""
        assert self._transport
        peer, queue = UdpPeer(self._transport, address), self._queues[address]
        try:
            while queue:
                data = queue.popleft()
                self._n_waiting -= 1
                self._n_bytes -= len(data)
                await self._handle(peer, data)
                await asyncio.sleep(0)  # the others' turn
        finally:
            del self._queues[address]

    async def _handle(self, peer: UdpPeer, data: bytes) -> None:
        try:
            messages = osc.decode(data)
        except osc.OscError as error:
            log.debug("%s sent no OSC: %s", peer.name, error)
            return
        for message in messages:
            await self._app.receive(peer, message)

    async def close(self) -> None:
        """Stop listening."""
        if self._transport:
            self._transport.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class StreamPeer:
    """The other end of a connection."""

    is_stream = True

    def __init__(
        self, door: str, number: int, writer: asyncio.StreamWriter, framer: Framer
    ) -> None:
        self.name, self.door = f"{door} #{number}", door
        self._writer, self._framer = writer, framer

    def send(self, message: Message) -> None:
        """Send in the framing the peer speaks; one that reads nothing for too long is cut off."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        backlog_bytes = transport.get_write_buffer_size()
        if message.address == "/retake/progress" and backlog_bytes > SLOW_BACKLOG_BYTES:
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
        self._strangers: dict[asyncio.StreamWriter, None] = {}  # of them; in the order they came
        self._complaints = Seldom(log)
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
        if not self._has_room():
            self._complaints.warning(
                "%s: over %d connections, one is refused", self._kind, MAX_CONNECTIONS
            )
            writer.close()
            return
        self._n_seen += 1
        framer = Framer()
        peer = StreamPeer(self._kind, self._n_seen, writer, framer)
        self._writers.add(writer)
        self._strangers[writer] = None
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._follow(reader, writer, framer, peer)
        except (FramingError, osc.OscError, MemoryError) as error:
            self._complaints.warning("%s closed: %s", peer.name, error)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._app.forget(peer)
            self._writers.discard(writer)
            self._strangers.pop(writer, None)
            self._tasks.discard(task)
            writer.close()

    def _has_room(self) -> bool:
        """Whether one more may come; whoever has shown no token for the longest time makes room."""
        if len(self._writers) >= MAX_CONNECTIONS and self._strangers:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            self._writers.discard(oldest)
            oldest.transport.abort()
            self._complaints.warning(
                "%s: over %d connections, one without a token is closed",
                *(self._kind, MAX_CONNECTIONS),
            )
        return len(self._writers) < MAX_CONNECTIONS

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
                    if await self._app.receive(peer, message):
                        self._strangers.pop(writer, None)
                    # Who doesn't read the answers is asked nothing more.
                    await writer.drain()
                    if writer.is_closing():
                        return
            if writer in self._strangers and framer.n_waiting > STRANGER_BYTES:
                self._look_for_token(framer, writer)

    def _look_for_token(self, framer: Framer, writer: asyncio.StreamWriter) -> None:
        """A long frame is waited for only if its beginning holds the token."""
        messages = osc.decode(framer.beginning(TOKEN_WITHIN_BYTES))
        if not messages or not all(map(self._app.is_known, messages)):
            raise FramingError("a long frame without the right token")
        self._strangers.pop(writer, None)

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
    if not 0 <= port <= 65535:
        raise RequestError("bad-value", f"port is {port}; it must be from 0 to 65535")
    for number in range(port, min(port + PORTS_TRIED, 65536) if port else 1):
        try:
            return await bind(number)
        except OSError as error:
            last = error
    raise last
