"""How packets lie in a byte stream: OSC 1.0's size prefix and OSC 1.1's SLIP. No sockets.

The first byte of a stream tells them apart. A size prefix of at most 256 MiB starts with 0x00 to
0x10, SLIP with 0xC0::

    size prefix   00 00 00 0C | twelve bytes of packet | 00 00 00 10 | ...
    SLIP          C0 | packet, C0 as DB DC and DB as DB DD | C0 C0 | packet | C0
"""

from __future__ import annotations

MAX_FRAME_BYTES = 256 * 2**20
PREFIX_BYTES = 4
END, ESC = b"\xc0", b"\xdb"
ESC_END, ESC_ESC = b"\xdb\xdc", b"\xdb\xdd"


class FramingError(ValueError):
    """The stream can't be followed any further; the connection is to be closed."""


def frame_prefixed(packet: bytes) -> bytes:
    """The packet behind its size, as OSC 1.0 streams carry it."""
    return len(packet).to_bytes(PREFIX_BYTES, "big") + packet


def frame_slip(packet: bytes) -> bytes:
    """The packet between two END bytes, as OSC 1.1 streams carry it."""
    return END + packet.replace(ESC, ESC_ESC).replace(END, ESC_END) + END


def unescape_slip(body: bytes) -> bytes:
    """The packet of a SLIP frame's body.

    Raises
    ------
    FramingError
        An escape byte followed by anything but its two partners.
    """
    if body.count(ESC) != body.count(ESC_END) + body.count(ESC_ESC):
        raise FramingError("SLIP escape byte DB followed by neither DC nor DD")
    return body.replace(ESC_END, END).replace(ESC_ESC, ESC)


class Framer:
    """Cuts one connection's bytes into packets, however they arrive.

    Parameters
    ----------
    max_bytes : int
        The longest frame taken; a longer one is refused as soon as its size is known.
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._searched = 0  # SLIP: how far the buffer is known to hold no END
        self.is_slip: bool | None = None  # None until the first byte is seen

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes, in order; the rest is kept for the next call.

        Raises
        ------
        FramingError
            Not OSC framing, or a frame over the limit.
        """
        self._buffer += data
        if not self._buffer:
            return []
        if self.is_slip is None:
            self.is_slip = self._buffer[:1] == END
        return self._cut_slip() if self.is_slip else self._cut_prefixed()

    def frame(self, packet: bytes) -> bytes:
        """A packet in the framing the other side speaks (size prefix until it has spoken)."""
        return frame_slip(packet) if self.is_slip else frame_prefixed(packet)

    @property
    def n_waiting(self) -> int:
        """How many bytes of an unfinished frame are kept."""
        return len(self._buffer)

    def beginning(self, n_bytes: int) -> bytes:
        """The first bytes of the unfinished frame's packet; up to so many.

        Raises
        ------
        FramingError
            As `feed`.
        """
        if not self.is_slip:
            return bytes(self._buffer[PREFIX_BYTES : PREFIX_BYTES + n_bytes])
        return unescape_slip(bytes(self._buffer[:n_bytes]).removesuffix(ESC))

    def _cut_prefixed(self) -> list[bytes]:
        packets: list[bytes] = []
        at = 0
        while len(self._buffer) - at >= PREFIX_BYTES:
            size = int.from_bytes(self._buffer[at : at + PREFIX_BYTES], "big")
            if not 0 < size <= self._max_bytes:
                raise FramingError(f"frame of {size} bytes; 1 to {self._max_bytes} are taken")
            stop = at + PREFIX_BYTES + size
            if len(self._buffer) < stop:
                break
            packets.append(bytes(memoryview(self._buffer)[at + PREFIX_BYTES : stop]))
            at = stop
        del self._buffer[:at]
        return packets

    def _cut_slip(self) -> list[bytes]:
        packets: list[bytes] = []
        at = 0
        while (end := self._buffer.find(END, max(at, self._searched))) >= 0:
            if end > at:
                packets.append(unescape_slip(bytes(memoryview(self._buffer)[at:end])))
            at = end + 1
        del self._buffer[:at]
        self._searched = len(self._buffer)
        # Escaping at most doubles a packet.
        if len(self._buffer) > 2 * self._max_bytes:
            raise FramingError(f"SLIP frame over {self._max_bytes} bytes")
        return packets
