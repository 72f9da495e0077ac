"""Broken requests at every door: the short form of benchmarks/fuzz.py, and what it stands on."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import fuzz
from benchmarks.mutate import Mutator, good_packets, good_texts, read_packet, read_text, traced
from engine.edits import EDITS
from server import osc
from server.messages import parse
from server.osc import Message
from server.spool import parse_request
from server.submission import parse_pairs

TOKEN = "0123456789abcdef" * 2
KEEP = TOKEN.encode() + bytes(4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory and files are counted in /proc")
def test_a_server_bears_what_is_broken_at_every_door() -> None:
    results = fuzz(["udp", "tcp", "unix", "spool"], n_frames=1200, n_learned=1500, seed=3)
    assert [one.door for one in results] == ["udp", "tcp", "unix", "spool"]
    for one in results:
        assert one.is_well, one


def test_the_good_ones_are_good() -> None:
    """A server takes each as it is: what is changed at random stands near what makes a job."""
    asked = []
    for packet in good_packets(TOKEN):
        [message] = osc.decode(packet)
        assert not message.fault
        assert message.args[0] == TOKEN
        asked.append(Message(message.address, message.tags[1:], message.args[1:]))
    asked += [parse_request("good", text).message for text in good_texts()]
    edits = set()
    for message in asked:
        route, _, rest = parse(message)
        if route.address == "/retake/submit" and rest:
            edits.add(parse_pairs(rest).edit.name)
    assert edits == set(EDITS)


def test_the_same_seed_breaks_the_same_way_and_mostly_keeps_the_token() -> None:
    one, other = (Mutator(good_packets(TOKEN), KEEP, seed=5) for _ in range(2))
    made = [one.next() for _ in range(500)]
    assert made == [other.next() for _ in range(500)]
    assert len(set(made)) > 300
    assert sum(KEEP in packet for packet in made) > 350


def test_learning_finds_ways_that_good_requests_do_not_go() -> None:
    mutator = Mutator(good_packets(TOKEN), KEEP, seed=5)
    n_good = len(mutator.corpus)
    mutator.learn(read_packet, 300)
    assert len(mutator.corpus) > n_good
    assert mutator.seen > set().union(*(traced(read_packet, p) for p in good_packets(TOKEN)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(good_packets(TOKEN)), st.integers(0, 400))
def test_any_bytes_anywhere_are_read_or_refused(noise: bytes, packet: bytes, at: int) -> None:
    read_packet(packet[:at] + noise + packet[at + len(noise) :])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(good_texts()), st.integers(0, 100))
def test_any_text_anywhere_is_read_or_refused(noise: bytes, text: bytes, at: int) -> None:
    read_text(text[:at] + noise + text[at:])
