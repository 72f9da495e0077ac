"""OSC packets against bytes written by hand, against python-osc, and against noise."""

from __future__ import annotations

import contextlib
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder, build_msg

from server.osc import MAX_BUNDLE_DEPTH, Message, OscError, decode, encode, shortest

# The first two are the examples of the OSC 1.0 specification.
GOLDEN = [
    (
        Message("/oscillator/4/frequency", "f", (440.0,)),
        b"/oscillator/4/frequency\0,f\0\0\x43\xdc\0\0",
    ),
    (
        Message("/foo", "iisff", (1000, -1, "hello", 1.234, 5.678)),
        b"/foo\0\0\0\0,iisff\0\0\0\0\x03\xe8\xff\xff\xff\xffhello\0\0\0\x3f\x9d\xf3\xb6\x40\xb5\xb2\x2d",
    ),
    (Message("/a"), b"/a\0\0,\0\0\0"),
    (Message("/abc", "s", ("",)), b"/abc\0\0\0\0,s\0\0\0\0\0\0"),
    (Message("/a", "s", ("abcd",)), b"/a\0\0,s\0\0abcd\0\0\0\0"),
    (Message("/a", "s", ("é",)), b"/a\0\0,s\0\0\xc3\xa9\0\0"),
    (Message("/a", "h", (2**40,)), b"/a\0\0,h\0\0\0\0\x01\0\0\0\0\0"),
    (Message("/a", "d", (0.1,)), b"/a\0\0,d\0\0" + struct.pack(">d", 0.1)),
    (Message("/a", "b", (b"",)), b"/a\0\0,b\0\0\0\0\0\0"),
    (Message("/a", "b", (b"12345",)), b"/a\0\0,b\0\0\0\0\0\x0512345\0\0\0"),
    (Message("/a", "TFNI", (True, False, None, True)), b"/a\0\0,TFNI\0\0\0"),
]


@pytest.mark.parametrize(("message", "packet"), GOLDEN, ids=lambda case: str(case)[:40])
def test_golden_bytes(message: Message, packet: bytes) -> None:
    assert encode(message) == packet
    assert decode(packet) == [message]


@pytest.mark.parametrize(("message", "packet"), GOLDEN, ids=lambda case: str(case)[:40])
def test_every_cut_is_noticed(message: Message, packet: bytes) -> None:
    for length in range(len(packet)):
        try:
            [cut] = decode(packet[:length])
        except OscError:
            continue
        assert cut.fault
        assert cut.address == message.address
        assert message.args[: len(cut.args)] == cut.args


def test_bytes_after_the_last_argument_are_a_fault() -> None:
    [message] = decode(b"/a\0\0,i\0\0\0\0\0\x01\0\0\0\0")
    assert message.args == (1,)
    assert message.fault == "4 bytes follow the last argument"


@pytest.mark.parametrize(
    ("packet", "word"),
    [
        (b"/a\0\0", "without its closing NUL"),
        (b"/a\0\0iii\0", "doesn't start with ','"),
        (b"/a\0\0,sQ\0ok\0\0", "argument 2: type tag 'Q'"),
        (b"/a\0\0,s\0\0\xff\xfe\0\0", "not UTF-8 at its byte 0"),
        (b"/a\0\0,s\0\0abc", "without its closing NUL"),
        (b"/a\0\0,s\0\0abc\0\0", "1 bytes follow"),
        (b"/a\0\0,s\0\0ab\0", "not padded"),
        (b"/a\0\0,b\0\0\xff\xff\xff\xff", "blob of -1 bytes"),
        (b"/a\0\0,b\0\0\x7f\xff\xff\xff", "blob of 2147483647 bytes"),
        (b"/a\0\0,h\0\0\0\0\0\0", "inside a number"),
    ],
)
def test_faults_are_said(packet: bytes, word: str) -> None:
    [message] = decode(packet)
    assert message.address == "/a"
    assert word in message.fault


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0\0\0\0",
        b"abc\0,\0\0\0",
        b"/\xff\0\0,\0\0\0",
        b"#bundle\0",
        b"#bundle\0" + bytes(8) + b"\0\0",
        b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc",
        b"#bundle\0" + bytes(8) + b"\0\0\0\0",
        b"#bundle\0" + bytes(8) + b"\0\0\0\x40/a\0\0,\0\0\0",
    ],
)
def test_what_is_no_osc_is_refused(packet: bytes) -> None:
    with pytest.raises(OscError):
        decode(packet)


def _bundle(*elements: bytes) -> bytes:
    sized = (len(element).to_bytes(4, "big") + element for element in elements)
    return b"#bundle\0" + bytes(7) + b"\x01" + b"".join(sized)


def test_bundles_are_flattened_in_order() -> None:
    a, b, c = (encode(Message(address)) for address in ("/a", "/b", "/c"))
    assert [m.address for m in decode(_bundle(a, _bundle(b), c))] == ["/a", "/b", "/c"]
    assert decode(_bundle()) == []


def test_bundles_nest_only_so_deep() -> None:
    packet = encode(Message("/a"))
    for _ in range(MAX_BUNDLE_DEPTH):
        packet = _bundle(packet)
    assert len(decode(packet)) == 1
    with pytest.raises(OscError, match="deep"):
        decode(_bundle(packet))


def test_bundles_hold_only_so_many() -> None:
    with pytest.raises(OscError, match="over 1000"):
        decode(_bundle(*[encode(Message("/a"))] * 1001))


VALUES: Any = st.one_of(
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("d"), st.floats(allow_nan=False)),
    st.tuples(st.just("s"), st.text(st.characters(blacklist_characters="\0", codec="utf-8"))),
    st.tuples(st.just("b"), st.binary(min_size=1)),
    st.tuples(st.just("T"), st.just(True)),
    st.tuples(st.just("N"), st.none()),
)


@given(st.lists(VALUES, max_size=8))
def test_python_osc_agrees_both_ways(values: list[tuple[str, Any]]) -> None:
    tags = "".join(tag for tag, _ in values)
    ours = encode(Message("/retake/x", tags, tuple(value for _, value in values)))
    builder = OscMessageBuilder("/retake/x")
    for tag, value in values:
        builder.add_arg(value, tag)
    assert ours == builder.build().dgram
    assert list(decode(ours)[0].args) == OscMessage(ours).params


def test_python_osc_bundles_are_read() -> None:
    builder = OscBundleBuilder(IMMEDIATELY)
    builder.add_content(build_msg("/a", [1, "x"]))
    builder.add_content(build_msg("/b", 2.5))
    messages = decode(builder.build().dgram)
    assert [(m.address, m.args) for m in messages] == [("/a", (1, "x")), ("/b", (2.5,))]


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused(packet: bytes) -> None:
    for start in (b"", b"/a\0\0,sib", b"#bundle\0" + bytes(8)):
        with contextlib.suppress(OscError):
            decode(start + packet)


@given(st.floats(width=32, allow_nan=False))
def test_a_32_bit_float_keeps_its_bits(number: float) -> None:
    assert struct.pack(">f", shortest(number)) == struct.pack(">f", number)


def test_a_32_bit_float_means_its_shortest_decimal() -> None:
    for number in (0.6, 0.1, 1 / 3, 16777216.0, 1e-40, 440.0):
        [message] = decode(encode(Message("/a", "f", (number,))))
        assert message.args[0] == pytest.approx(number, rel=1e-6)
    [message] = decode(encode(Message("/a", "f", (0.6,))))
    assert message.args == (0.6,)
    [message] = decode(encode(Message("/a", "f", (math.nan,))))
    assert math.isnan(message.args[0])


def test_text_osc_cannot_hold_is_replaced() -> None:
    packet = encode(Message("/a", "s", ("nul \0 surrogate \udcff",)))
    assert decode(packet)[0].args == ("nul ? surrogate ?",)
