"""Golden bytes of every message: written and read, whole, byte by byte and with more behind."""

from __future__ import annotations

import pytest
from conversing import TRANSCRIPTS, transcript
from golden_wire import ANSWERS, EVENTS, REQUESTS, SPOOL_REQUESTS

from engine.errors import RequestError
from server import messages
from server.framing import Framer, frame_prefixed, frame_slip
from server.osc import Message, decode, encode
from server.spool import parse_request

GOLDEN = [*REQUESTS, *ANSWERS, *EVENTS]
golden = pytest.mark.parametrize(
    ("message", "packet"), GOLDEN, ids=[f"{m.address} {m.tags}" for m, _ in GOLDEN]
)
RECORDED = [path.stem for path in sorted(TRANSCRIPTS.glob("*.txt"))]
#: Each framing's bytes by hand: a packet as it is, and as it stands between two SLIP ends.
SLIP_ESCAPES = {0xC0: b"\xdb\xdc", 0xDB: b"\xdb\xdd"}


def by_hand(packet: bytes, is_slip: bool) -> bytes:
    if not is_slip:
        return bytes([len(packet) >> shift & 0xFF for shift in (24, 16, 8, 0)]) + packet
    return b"\xc0" + b"".join(SLIP_ESCAPES.get(b, bytes([b])) for b in packet) + b"\xc0"


def test_every_message_of_the_tables_is_there() -> None:
    for table, cases in (
        (messages.REQUESTS, REQUESTS),
        (messages.ANSWERS, ANSWERS),
        (messages.EVENTS, EVENTS),
    ):
        assert {message.address for message, _ in cases} == set(table)


@pytest.mark.parametrize(
    ("message", "packet"), [*ANSWERS, *EVENTS], ids=lambda case: str(case)[:30]
)
def test_the_tables_build_these_very_messages(message: Message, packet: bytes) -> None:
    route = messages.EVENTS.get(message.address) or messages.ANSWERS[message.address]
    n_own = len(route.arguments)
    more = tuple(str(text) for text in message.args[n_own:])
    assert encode(messages.build(message.address, *message.args[:n_own], more=more)) == packet


@golden
def test_written_and_read(message: Message, packet: bytes) -> None:
    assert encode(message) == packet
    assert decode(packet) == [message]


@golden
def test_more_behind_a_packet_is_a_fault_that_names_it(message: Message, packet: bytes) -> None:
    for more in (b"\0", b"\0\0\0\0", b"/retake/watch\0\0\0"):
        [read] = decode(packet + more)
        assert (read.address, read.args) == (message.address, message.args)
        assert read.fault == f"{len(more)} bytes follow the last argument"


@golden
@pytest.mark.parametrize("is_slip", [False, True], ids=["size", "slip"])
def test_framed_whole_byte_by_byte_and_with_the_next_behind(
    message: Message, packet: bytes, is_slip: bool
) -> None:
    stream = by_hand(packet, is_slip)
    assert (frame_slip if is_slip else frame_prefixed)(packet) == stream
    assert Framer().feed(stream) == [packet]
    framer = Framer()
    assert [found for byte in stream for found in framer.feed(bytes([byte]))] == [packet]
    for n_more in (1, 3, len(stream) - 1):
        framer = Framer()
        assert framer.feed(stream + stream[:n_more]) == [packet]
        assert framer.feed(stream[n_more:]) == [packet]


@pytest.mark.parametrize("name", RECORDED)
def test_what_other_programs_wrote_is_written_the_same(name: str) -> None:
    packets = [bytes.fromhex(line[2:]) for line in transcript(name) if line.startswith("> ")]
    assert len(packets) > 4
    for packet in packets:
        [message] = decode(packet)
        assert not message.fault
        assert encode(message) == packet


@pytest.mark.parametrize(("text", "message"), SPOOL_REQUESTS, ids=lambda case: str(case)[:30])
def test_request_files(text: bytes, message: Message) -> None:
    read = parse_request("job-1", text).message
    assert (read.address, read.args) == (message.address, message.args)
    assert list(map(type, read.args)) == list(map(type, message.args))
    padded = parse_request("job-1", text.rstrip(b"\r\n") + b"\n\n# and no more\n").message
    assert padded.args == message.args


def test_every_cut_of_a_request_file_is_read_or_refused() -> None:
    for text, message in SPOOL_REQUESTS:
        for length in range(len(text)):
            try:
                read = parse_request("job-1", text[:length]).message
            except RequestError:
                continue
            assert read.address in ("/retake/submit", message.address)
