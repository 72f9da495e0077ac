"""Stream framing against bytes written by hand, however they are cut."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.framing import Framer, FramingError, frame_prefixed, frame_slip

GOLDEN_PREFIXED = [
    ([b"abcd"], b"\0\0\0\x04abcd"),
    ([b"abcd", b"x"], b"\0\0\0\x04abcd\0\0\0\x01x"),
    ([b"\xc0\xdb" * 2], b"\0\0\0\x04\xc0\xdb\xc0\xdb"),
]
GOLDEN_SLIP = [
    ([b"abcd"], b"\xc0abcd\xc0"),
    ([b"abcd", b"x"], b"\xc0abcd\xc0\xc0x\xc0"),
    ([b"a\xc0b\xdbc"], b"\xc0a\xdb\xdcb\xdb\xddc\xc0"),
    ([b"\xdb\xdc\xdb\xdd"], b"\xc0\xdb\xdd\xdc\xdb\xdd\xdd\xc0"),
]
GOLDEN = [*GOLDEN_PREFIXED, *GOLDEN_SLIP]


@pytest.mark.parametrize(("packets", "stream"), GOLDEN)
def test_fed_whole(packets: list[bytes], stream: bytes) -> None:
    assert Framer().feed(stream) == packets


@pytest.mark.parametrize(("packets", "stream"), GOLDEN)
def test_fed_byte_by_byte(packets: list[bytes], stream: bytes) -> None:
    framer = Framer()
    assert [p for byte in stream for p in framer.feed(bytes([byte]))] == packets


@pytest.mark.parametrize(("packets", "stream"), GOLDEN)
def test_fed_with_the_beginning_of_the_next(packets: list[bytes], stream: bytes) -> None:
    framer = Framer()
    assert framer.feed(stream + stream[:3]) == packets
    assert framer.feed(stream[3:]) == packets


@pytest.mark.parametrize(("packets", "stream"), GOLDEN_PREFIXED)
def test_prefixed_is_written(packets: list[bytes], stream: bytes) -> None:
    assert b"".join(map(frame_prefixed, packets)) == stream


@pytest.mark.parametrize(("packets", "stream"), GOLDEN_SLIP)
def test_slip_is_written(packets: list[bytes], stream: bytes) -> None:
    assert b"".join(map(frame_slip, packets)) == stream


def test_the_answer_comes_in_the_asker_s_framing() -> None:
    prefixed, slip = Framer(), Framer()
    assert prefixed.frame(b"x") == frame_prefixed(b"x")
    prefixed.feed(frame_prefixed(b"a"))
    slip.feed(frame_slip(b"a"))
    assert prefixed.frame(b"x") == frame_prefixed(b"x")
    assert slip.frame(b"x") == frame_slip(b"x")


def test_slip_frames_may_share_an_end() -> None:
    assert Framer().feed(b"\xc0\xc0ab\xc0cd\xc0") == [b"ab", b"cd"]


@pytest.mark.parametrize(
    ("stream", "word"),
    [
        (b"\0\0\0\0", "frame of 0 bytes"),
        (b"\0\0\x04\x01", "frame of 1025 bytes"),
        (b"\x7f\xff\xff\xff", "frame of 2147483647 bytes"),
        (b"GET / HTTP/1.1\r\n", "frame of 1195725856 bytes"),
        (b"\xc0a\xdbb\xc0", "DB followed by neither"),
        (b"\xc0a\xdb\xc0", "DB followed by neither"),
        (b"\xc0" + b"a" * 2049, "over 1024 bytes"),
    ],
)
def test_what_is_no_framing_ends_the_stream(stream: bytes, word: str) -> None:
    with pytest.raises(FramingError, match=word):
        Framer(max_bytes=1024).feed(stream)


def test_a_long_slip_frame_is_searched_once() -> None:
    framer = Framer()
    framer.feed(b"\xc0")
    for _ in range(2000):  # quadratic searching would take minutes
        framer.feed(b"a" * 4096)
    [packet] = framer.feed(b"\xc0")
    assert len(packet) == 2000 * 4096


@given(
    packets=st.lists(st.binary(min_size=1, max_size=60), max_size=6),
    slip=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_packets_survive_any_cut(packets: list[bytes], slip: bool, cuts: list[int]) -> None:
    stream = b"".join(map(frame_slip if slip else frame_prefixed, packets))
    framer = Framer()
    at, got = 0, []
    for cut in sorted(min(cut, len(stream)) for cut in [*cuts, len(stream)]):
        got += framer.feed(stream[at:cut])
        at = cut
    assert got == packets


@given(st.binary(max_size=300))
def test_noise_is_cut_or_refused(stream: bytes) -> None:
    with contextlib.suppress(FramingError):
        Framer(max_bytes=64).feed(stream)
