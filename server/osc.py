"""OSC 1.0 packets to messages and back. Bytes in, messages out; no sockets.

python-osc writes the numbers and strings. Its packet reader is not used on what strangers send: it
copies the rest of the packet for every argument, loops for ever on a bundle element of negative
size, steps out of line on a type tag it doesn't know and raises UnicodeDecodeError. The tests hold
this reader against it on well-formed packets.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pythonosc.parsing import osc_types

Value = str | bytes | int | float | bool | None

BUNDLE = b"#bundle\0"
BUNDLE_HEADER_BYTES = 16
MAX_BUNDLE_DEPTH = 8
MAX_BUNDLE_MESSAGES = 1000
#: Of one message: more than fit a datagram with a reasonable request, few enough to be read fast.
MAX_ARGUMENTS = 20_000
TAGS = "ifhdsbTFNI"

_FIXED = {
    "i": struct.Struct(">i"),
    "h": struct.Struct(">q"),
    "f": struct.Struct(">f"),
    "d": struct.Struct(">d"),
}
_CONSTANT: dict[str, Value] = {"T": True, "F": False, "N": None, "I": True}


class OscError(ValueError):
    """A packet that isn't OSC at all: no address can be read from it."""


@dataclass(frozen=True)
class Message:
    """One OSC message.

    Parameters
    ----------
    address : str
    tags : str
        Type tags without the comma, one for each of `args`.
    args : tuple
    fault : str
        Empty, or a sentence saying where the packet stopped making sense. The arguments before that
        place are kept, so that a faulty request with a good token can be answered.
    """

    address: str
    tags: str = ""
    args: tuple[Value, ...] = ()
    fault: str = ""


class _FaultError(Exception):
    """Reading an argument failed; the text says why."""


def encode(message: Message) -> bytes:
    """The packet of a message. What OSC text can't hold (lone surrogates, NUL) becomes `?`."""
    parts = [_write_string(message.address), _write_string("," + message.tags)]
    for tag, value in zip(message.tags, message.args, strict=True):
        if tag not in _CONSTANT:
            parts.append(_WRITERS[tag](value))
    return b"".join(parts)


def _write_string(text: str) -> bytes:
    return osc_types.write_string(
        text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")
    )


def _write_blob(data: bytes) -> bytes:
    # python-osc refuses the empty blob and pads by copying the whole.
    return b"".join((struct.pack(">i", len(data)), data, bytes(-len(data) % 4)))


_WRITERS: dict[str, Callable[..., bytes]] = {
    "i": osc_types.write_int,
    "h": osc_types.write_int64,
    "f": osc_types.write_float,
    "d": osc_types.write_double,
    "s": _write_string,
    "b": _write_blob,
}


def decode(packet: bytes) -> list[Message]:
    """The messages of a packet, bundles flattened in order and their time tags ignored.

    Raises
    ------
    OscError
        Nothing to answer: no readable address, a broken bundle, or one too deep or too long.
    """
    messages: list[Message] = []
    for element in _elements(packet, 0):
        messages.append(_decode_message(element))
        if len(messages) > MAX_BUNDLE_MESSAGES:
            raise OscError(f"bundle holds over {MAX_BUNDLE_MESSAGES} messages")
    return messages


def _elements(packet: bytes, depth: int) -> Iterator[bytes]:
    if not packet.startswith(BUNDLE):
        yield packet
        return
    if depth == MAX_BUNDLE_DEPTH:
        raise OscError(f"bundles nested over {MAX_BUNDLE_DEPTH} deep")
    if len(packet) < BUNDLE_HEADER_BYTES:
        raise OscError(
            f"bundle of {len(packet)} bytes; its header alone takes {BUNDLE_HEADER_BYTES}"
        )
    at = BUNDLE_HEADER_BYTES
    while at < len(packet):
        start = at + 4
        size = int.from_bytes(packet[at:start], "big", signed=True)
        if start > len(packet) or not 0 < size <= len(packet) - start:
            raise OscError(
                f"bundle element of {size} bytes at {at}; {max(len(packet) - start, 0)} are left"
            )
        yield from _elements(packet[start : start + size], depth + 1)
        at = start + size


def _decode_message(packet: bytes) -> Message:
    try:
        address, at = _read_string(packet, 0)
    except _FaultError as fault:
        raise OscError(f"no address: {fault}") from None
    if not address.startswith("/"):
        raise OscError(f"address {address[:40]!r} doesn't start with '/'")
    try:
        tags, at = _read_string(packet, at)
        if not tags.startswith(","):
            raise _FaultError(f"type tag string {tags[:20]!r} doesn't start with ','")
    except _FaultError as fault:
        return Message(address, fault=str(fault))
    return _decode_arguments(packet, at, address, tags[1:])


def _decode_arguments(packet: bytes, at: int, address: str, tags: str) -> Message:
    args: list[Value] = []
    try:
        for tag in tags[:MAX_ARGUMENTS]:
            value, at = _read_argument(packet, at, tag)
            args.append(value)
        if len(tags) > MAX_ARGUMENTS:
            raise _FaultError(f"a message has at most {MAX_ARGUMENTS} arguments")
        if at != len(packet):
            raise _FaultError(f"{len(packet) - at} bytes follow the last argument")
    except _FaultError as fault:
        where = f"argument {len(args) + 1}: {fault}" if len(args) < len(tags) else str(fault)
        return Message(address, tags[: len(args)], tuple(args), where)
    return Message(address, tags, tuple(args))


def _read_argument(packet: bytes, at: int, tag: str) -> tuple[Value, int]:
    if tag in _CONSTANT:
        return _CONSTANT[tag], at
    if tag in _FIXED:
        form = _FIXED[tag]
        if at + form.size > len(packet):
            raise _FaultError(f"packet ends inside a number ({tag!r})")
        number: int | float = form.unpack_from(packet, at)[0]
        return (shortest(number) if tag == "f" else number), at + form.size
    if tag == "s":
        return _read_string(packet, at)
    if tag == "b":
        return _read_blob(packet, at)
    raise _FaultError(f"type tag {tag!r} is not read here; {', '.join(TAGS)} are")


def shortest(number: float) -> float:
    """The shortest decimal that a 32-bit float stands for: 0.6, not 0.6000000238418579.

    So a 0.6 sent as `f` asks for the same job as a 0.6 sent as `d`. NaN and infinities stay.
    """
    if not math.isfinite(number):
        return number
    decimals = (float(f"{number:.{digits}g}") for digits in range(6, 10))
    return next(d for d in decimals if _FIXED["f"].pack(d) == _FIXED["f"].pack(number))


def _read_string(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    if end < 0:
        raise _FaultError("text without its closing NUL")
    after = at + (end - at) // 4 * 4 + 4
    if after > len(packet):
        raise _FaultError("text not padded to four bytes")
    try:
        return packet[at:end].decode("utf-8"), after
    except UnicodeDecodeError as error:
        raise _FaultError(f"text is not UTF-8 at its byte {error.start}") from None


def _read_blob(packet: bytes, at: int) -> tuple[bytes, int]:
    start = at + 4
    if start > len(packet):
        raise _FaultError("packet ends inside a blob's size")
    size = int.from_bytes(packet[at:start], "big", signed=True)
    after = start + size + -size % 4
    if size < 0 or after > len(packet):
        raise _FaultError(f"blob of {size} bytes where {len(packet) - start} are left")
    return packet[start : start + size], after
