"""Where control surfaces and the `retake live` panel come in: OSC over UDP, on this machine only.

A surface sends `/retake/live/set strength 0.6`, `/retake/live/go`, and hears what becomes of it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Iterator, Tuple

from . import conf, osc

FIRST_PORT = 9142
N_PORTS = 20
CONF_NAME = "live.conf"
MAX_PACKETS = 20
MAX_BYTES = 65507
MAX_LISTENERS = 8
#: A listener that says nothing for so long is gone; one that gave a port stays until it says 0.
LEASE_S = 60.0

Peer = Tuple[str, int]

#: What is understood: address, arguments, what it does.
COMMANDS = (
    ("/retake/live/hello", "", "who is there; answer: hello, form and server"),
    ("/retake/live/set", "key s, value", "a setting, by the keys of submit; an empty text unsets"),
    ("/retake/live/go", "text s (may be missing)", "make takes of the clip in the clip view"),
    ("/retake/live/again", "", "the last job again with a new seed"),
    ("/retake/live/cancel", "job s (may be missing)", "stop a job, the latest if none is named"),
    ("/retake/live/clip", "", "which clip would be read; answer: clip"),
    ("/retake/live/presets", "", "the server's presets; answer: preset for each, then presets"),
    ("/retake/live/watch", "on i, port i (may be missing)", "hear everything, on that port"),
)
#: What is said.
EVENTS = (
    ("/retake/live/hello", "version s, edit or preset s", "answer to hello"),
    ("/retake/live/form", "key s, value, …", "all settings, whenever one has changed"),
    ("/retake/live/server", "is there i, text s", "whether the server answers"),
    ("/retake/live/clip", "name s, start s f, length s f", "the clip that would be read"),
    ("/retake/live/preset", "name s, description s, family s, edit s", "one preset"),
    ("/retake/live/presets", "n i", "end of the presets"),
    ("/retake/live/job", "job s, text s", "a job was sent"),
    ("/retake/live/progress", "job s, fraction f, stage s, seconds left f", "how far it is"),
    ("/retake/live/take", "job s, where s, title s", "a take is in the set"),
    ("/retake/live/ended", "job s, how s, text s", "done, failed or cancelled"),
    ("/retake/live/error", "text s", "what was asked for can't be done, and what would do"),
)


class Door:
    """The socket and who listens.

    Parameters
    ----------
    folder : str
        The state folder; `live.conf` there tells the panel the port.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, CONF_NAME)
        self._listeners: dict[Peer, float] = {}
        self._socket = _bind()
        self.port = self._socket.getsockname()[1] if self._socket else 0
        if self._socket:
            with contextlib.suppress(OSError):  # the panel finds no note then; surfaces need none
                os.makedirs(folder, mode=0o700, exist_ok=True)
                conf.write_pairs(self._path, {"port": self.port, "pid": os.getpid()})

    def poll(self) -> Iterator[tuple[Peer, osc.Message]]:
        """What came since the last tick, a tick's share of it."""
        for _ in range(MAX_PACKETS if self._socket else 0):
            try:
                packet, peer = self._socket.recvfrom(MAX_BYTES)  # type: ignore[union-attr]
            except BlockingIOError:
                return
            except OSError:  # Windows: an earlier answer's receiver was gone
                continue
            try:
                messages = osc.decode(packet)
            except osc.OscError:
                continue
            for message in messages:
                yield peer, message

    def listen(self, peer: Peer, now_s: float, is_on: bool = True, port: int = 0) -> None:
        """Tell a peer everything from now on, or no longer."""
        listener = (peer[0], port or peer[1])
        self._listeners.pop(listener, None)
        if is_on:
            while len(self._listeners) >= MAX_LISTENERS:
                del self._listeners[next(iter(self._listeners))]
            self._listeners[listener] = float("inf") if port else now_s + LEASE_S

    def forget_silent(self, now_s: float) -> None:
        """Drop the listeners whose time has run out."""
        self._listeners = {one: end for one, end in self._listeners.items() if end > now_s}

    def tell_all(self, peer: Peer, address: str, *values: osc.Value) -> None:
        """Say something to all that listen, and to one that needn't."""
        self.tell(address, *values)
        if peer not in self._listeners:
            self.tell(address, *values, to=peer)

    def tell(self, address: str, *values: osc.Value, to: Peer | None = None) -> None:
        """Say something to one peer, or to all that listen."""
        packet = osc.encode(address, *values, is_narrow=True)
        for peer in [to] if to else list(self._listeners):
            with contextlib.suppress(OSError, OverflowError):  # it isn't there any more
                if self._socket:
                    self._socket.sendto(packet, peer)

    def close(self) -> None:
        """Shut it, and take back the note of its port."""
        if self._socket:
            self._socket.close()
            self._socket = None
            if conf.read_pairs(self._path).get("port") == str(self.port):
                os.unlink(self._path)


def _bind() -> socket.socket | None:
    """A socket on the first free port; None where none of twenty is."""
    for port in range(FIRST_PORT, FIRST_PORT + N_PORTS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        sock.setblocking(False)
        return sock
    return None
