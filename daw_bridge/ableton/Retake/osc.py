"""OSC 1.0 packets to messages and back, as far as this script speaks it. No sockets."""

from __future__ import annotations

import math
import struct
from typing import Tuple, Union

Value = Union[str, int, float, bytes, None]
Message = Tuple[str, Tuple[Value, ...]]

BUNDLE = b"#bundle\0"
BUNDLE_HEADER_BYTES = 16
MAX_DEPTH = 4
NUMBERS = {"i": ">i", "h": ">q", "f": ">f", "d": ">d"}
CONSTANTS = {"T": 1, "F": 0, "N": None, "I": 1}
INT32_MAX = 2**31 - 1


class OscError(ValueError):
    """A packet that can't be read; the text says where it stops making sense."""


def encode(address: str, *values: Value, is_narrow: bool = False) -> bytes:
    """The packet of a message.

    Parameters
    ----------
    address : str
    *values : str, int, float, bytes
    is_narrow : bool
        Numbers in 32 bits, for control surfaces that read no others.
    """
    tags = "".join(_tag(value, is_narrow) for value in values)
    parts = [_text(address), _text("," + tags)]
    for tag, value in zip(tags, values):
        parts += _argument(tag, value)
    return b"".join(parts)


def _tag(value: Value, is_narrow: bool) -> str:
    if isinstance(value, str):
        return "s"
    if isinstance(value, bytes):
        return "b"
    if isinstance(value, int):
        return "i" if is_narrow and abs(value) <= INT32_MAX else "h"
    if isinstance(value, float):
        return "f" if is_narrow else "d"
    if value is None:
        return "N"
    raise TypeError(f"no OSC argument is made of a {type(value).__name__}")


def _argument(tag: str, value: Value) -> list[bytes]:
    if isinstance(value, str):
        return [_text(value)]
    if isinstance(value, bytes):
        return [struct.pack(">i", len(value)), value, bytes(-len(value) % 4)]
    return [] if tag == "N" else [struct.pack(NUMBERS[tag], value)]


def _text(text: str) -> bytes:
    data = text.replace("\0", "?").encode("utf-8", "replace")
    return data + bytes(4 - len(data) % 4)


def decode(packet: bytes, depth: int = 0) -> list[Message]:
    """The messages of a packet, bundles flattened, their time tags ignored.

    Raises
    ------
    OscError
        Not OSC, or cut short.
    """
    try:
        if packet.startswith(BUNDLE):
            return _decode_bundle(packet, depth)
        address, at = _read_text(packet, 0)
        if not address.startswith("/"):
            raise OscError("no address at the packet's beginning")
        tags, at = _read_text(packet, at) if at < len(packet) else (",", at)
        values = []
        for tag in tags[1:]:
            value, at = _read(packet, at, tag)
            values.append(value)
        return [(address, tuple(values))]
    except (struct.error, UnicodeDecodeError) as error:
        raise OscError(str(error)) from None


def _decode_bundle(packet: bytes, depth: int) -> list[Message]:
    if depth >= MAX_DEPTH:
        raise OscError("bundles in bundles in bundles")
    messages: list[Message] = []
    at = BUNDLE_HEADER_BYTES
    while at < len(packet):
        (size,) = struct.unpack_from(">i", packet, at)
        at += 4
        if not 0 < size <= len(packet) - at:
            raise OscError(f"a bundle's element of {size} bytes")
        messages += decode(packet[at : at + size], depth + 1)
        at += size
    return messages


def _read_text(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    if end < 0:
        raise OscError("text without its end")
    return packet[at:end].decode("utf-8"), end + 4 - (end - at) % 4


def _read(packet: bytes, at: int, tag: str) -> tuple[Value, int]:
    if tag in NUMBERS:
        (number,) = struct.unpack_from(NUMBERS[tag], packet, at)
        value = _shortest(number) if tag == "f" else number
        return value, at + struct.calcsize(NUMBERS[tag])
    if tag == "s":
        return _read_text(packet, at)
    if tag == "b":
        (size,) = struct.unpack_from(">i", packet, at)
        if not 0 <= size <= len(packet) - at - 4:
            raise OscError(f"a blob of {size} bytes")
        return packet[at + 4 : at + 4 + size], at + 4 + size + -size % 4
    if tag in CONSTANTS:
        return CONSTANTS[tag], at
    raise OscError(f"type tag {tag!r}")


def _shortest(number: float) -> float:
    """The shortest decimal that a 32-bit float stands for: 0.6, not 0.6000000238418579."""
    if not math.isfinite(number):
        return number
    decimals = (float(f"{number:.{digits}g}") for digits in range(6, 10))
    return next(d for d in decimals if struct.pack(">f", d) == struct.pack(">f", number))
