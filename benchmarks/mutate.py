"""Broken requests: good ones changed at random, those kept that reach lines nobody reached before.

What is run under the tracer is the way of a request through osc, messages and submission, and of a
request file through spool, in this process; what comes out is a corpus to change further.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from engine.edits import EDITS, Edit, Parameter
from engine.errors import RetakeError
from server import osc
from server.messages import REQUESTS, Argument, parse
from server.osc import Message
from server.spool import parse_request
from server.submission import PARAMETER_KEYS, parse_pairs

#: Files whose lines count.
WATCHED = ("osc.py", "messages.py", "submission.py", "spool.py", "edits.py")
NUMBERS = (0, 1, 3, 4, 7, 8, 127, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    *(b"/retake/submit", b"/retake/put", b"#bundle\0", b",ssb", b"TFNI", b"\0\0\0\0", b"\xff\xfe"),
    *(b"../../", b"nan", b"1e400", b"hole", b"0:1", b"curve", b"\xc0\xdb", b"=", b"\n", b"\r\n#"),
    *(b"request=", b"client=", b"\xf0\x9f\x8e\x9a", b"%n%s", b"\x1b[2J"),
)
MAX_BYTES = 60_000
#: Each request names another of so many jobs: some are made, some asked for again or cancelled.
JOB, N_JOBS = "job-0000", 400
SAMPLES: dict[str, Any] = {"s": JOB, "i": 1, "h": 48000, "f": 0.5, "d": 0.5, "b": b"\0" * 8}
#: A value of each kind of parameter that isn't a choice.
VALUES: dict[str, Any] = {
    **{"text": "x", "int": 1, "float": 0.5, "curve": "0:0.2 1:0.8"},
    **{"prompts": "0: rain | 1.5: thunder", "mask": "0:100:1", "around": "1"},
}


def good_packets(token: str) -> list[bytes]:
    """A request of each kind, and a submit for each edit."""
    found = []
    for route in REQUESTS.values():
        tags = "".join(argument.tag for argument in route.arguments)
        values = [_good_value(argument, SAMPLES[argument.tag]) for argument in route.arguments]
        found.append(osc.encode(Message(route.address, f"s{tags}", (token, *values))))
    for edit in EDITS.values():
        pairs = good_pairs(edit)
        tags = "ss" + "".join(_tag(value) for value in pairs)
        found.append(osc.encode(Message("/retake/submit", tags, (token, JOB, *pairs))))
    return found


def good_pairs(edit: type[Edit]) -> list[Any]:
    """A submit's keys and values that are taken: every parameter of the edit that travels."""
    pairs: list[Any] = ["edit", edit.name, "priority", "back"]
    pairs += [] if edit.name == "generate" else ["path", "/no/such.wav", "start", 0]
    has_hole = edit.name == "inpaint"  # a mask in its place would stand against it
    pairs += ["hole", "0:480:100:2000"] if has_hole else []
    for parameter in edit.parameters():
        if parameter.name in PARAMETER_KEYS and not (has_hole and parameter.kind == "mask"):
            pairs += [parameter.name, _good_value(parameter, VALUES.get(parameter.kind))]
    return pairs


def _good_value(of: Parameter | Argument, usual: Any) -> Any:
    """The usual value where there is no choice; a number no lower than it may be."""
    if of.choices:
        return of.choices[0]
    return usual if of.low is None else type(usual)(max(usual, of.low))


def good_texts() -> list[bytes]:
    """Request files of each kind."""
    return [
        b"request=hello\nclient=fuzz\n",
        b"request=list\nkind=edits\n",
        b"request=cancel\n",
        b"request=status\n",
        b"edit=transfer\npath=/no/such.wav\nstart=441\nframes=882\nstrength=0.5\ntakes=2\n",
        b"edit=inpaint\npath=/no/such.wav\nhole=0:480\nhole=500:20:100:2000\nprompt=x\n",
        b"edit=generate\nseconds=0.5\nprompt=rain = \xc3\xa9\nseed=7\npriority=front\n",
        b"edit=transfer\npath=/no/such.wav\ncurve=0:0.2 1.5:0.8\nmodel=pocket\n",
    ]


def _tag(value: Any) -> str:
    return {str: "s", int: "h", float: "d"}[type(value)]


class Mutator:
    """Changes requests at random; the same seed makes the same ones.

    Parameters
    ----------
    corpus : list of bytes
        What is changed; `learn` adds to it.
    keep : bytes
        A stretch that mostly stays whole (the token), so that what follows it is read at all.
    seed : int
    """

    def __init__(self, corpus: list[bytes], keep: bytes = b"", seed: int = 0) -> None:
        self.corpus, self._keep, self._random = list(corpus), keep, random.Random(seed)
        self.seen: set[tuple[str, int, int]] = set()
        self.first_job = 0

    def next(self) -> bytes:
        """One request, most often broken."""
        pick = self._random
        packet = pick.choice(self.corpus)
        changes = self._changes()
        for _ in range(pick.choice((0, 1, 1, 1, 2, 3, 8))):
            packet = self._change(packet, pick.choice(changes))
        job = b"job-%04d" % (self.first_job + pick.randrange(N_JOBS))
        return packet[:MAX_BYTES].replace(JOB.encode(), job)

    def learn(self, run: Callable[[bytes], None], n_tries: int) -> None:
        """Try so many; keep those that go a way through the code that none went before."""
        for packet in list(self.corpus):
            self._is_new(run, packet)
        for _ in range(n_tries):
            packet = self.next()
            if self._is_new(run, packet):
                self.corpus.append(packet)

    def _is_new(self, run: Callable[[bytes], None], packet: bytes) -> bool:
        ways = traced(run, packet)
        is_new = not ways <= self.seen
        self.seen |= ways
        return is_new

    def _change(self, packet: bytes, change: Callable[[bytearray, int], None]) -> bytes:
        at = packet.find(self._keep) if self._keep else -1
        changed = bytearray(packet)
        if at < 0 or self._random.random() < 0.02:
            change(changed, self._random.randrange(len(changed) + 1))
            return bytes(changed)
        stop = at + len(self._keep)
        # The token stays; what is changed lies before it (seldom) or behind it.
        start = 0 if self._random.random() < 0.1 else stop
        part = bytearray(packet[start : at if start == 0 else len(packet)])
        change(part, self._random.randrange(len(part) + 1))
        return bytes(part) + packet[at:] if start == 0 else packet[:stop] + bytes(part)

    def _changes(self) -> list[Callable[[bytearray, int], None]]:
        pick = self._random

        def flip(data: bytearray, at: int) -> None:
            if at < len(data):
                data[at] ^= 1 << pick.randrange(8)

        def overwrite(data: bytearray, at: int) -> None:
            at -= at % 4
            data[at : at + 4] = pick.choice(NUMBERS).to_bytes(4, "big")

        def insert(data: bytearray, at: int) -> None:
            data[at:at] = pick.choice(WORDS)

        def noise(data: bytearray, at: int) -> None:
            data[at:at] = pick.randbytes(pick.choice((1, 2, 4, 30)))

        def remove(data: bytearray, at: int) -> None:
            del data[at : at + pick.choice((1, 2, 4, 16))]

        def cut(data: bytearray, at: int) -> None:
            del data[at:]

        def repeat(data: bytearray, at: int) -> None:
            data[at:at] = data[at : at + pick.choice((4, 16, 64))] * pick.choice((1, 2, 50))

        def splice(data: bytearray, at: int) -> None:
            other = pick.choice(self.corpus)
            data[at:] = other[pick.randrange(len(other) + 1) :]

        def bundle(data: bytearray, at: int) -> None:
            for _ in range(pick.choice((1, 1, 2, 9))):
                data[:] = b"#bundle\0" + pick.randbytes(8) + len(data).to_bytes(4, "big") + data

        return [flip, overwrite, insert, noise, remove, cut, repeat, splice, bundle]


def traced(run: Callable[[bytes], None], packet: bytes) -> set[tuple[str, int, int]]:
    """The steps from line to line that a call takes in the watched files."""
    ways: set[tuple[str, int, int]] = set()

    def on_call(frame: FrameType, event: str, arg: Any) -> Any:
        name = Path(frame.f_code.co_filename).name
        return _line_tracer(name, ways) if name in WATCHED else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        run(packet)
    finally:
        sys.settrace(before)
    return ways


def _line_tracer(name: str, ways: set[tuple[str, int, int]]) -> Callable[..., Any]:
    last = 0

    def on_line(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal last
        ways.add((name, last, frame.f_lineno))
        last = frame.f_lineno
        return on_line

    return on_line


def read_packet(packet: bytes) -> None:
    """A packet's way through the server, whatever its token; unforeseen errors are raised."""
    try:
        for message in osc.decode(packet):
            bare = Message(message.address, message.tags[1:], message.args[1:], message.fault)
            route, _, rest = parse(bare)
            if route.rest:
                parse_pairs(rest).to_json()
    except (osc.OscError, RetakeError):
        pass


def read_text(text: bytes) -> None:
    """A request file's way."""
    try:
        message = parse_request("fuzz", text).message
        route, _, rest = parse(message)
        if route.rest:
            parse_pairs(rest).to_json()
    except RetakeError:
        pass


def pieces(data: bytes, pick: random.Random) -> Iterator[bytes]:
    """The bytes in pieces of random length."""
    at = 0
    while at < len(data):
        stop = at + pick.choice((1, 3, 100, 4096, len(data)))
        yield data[at:stop]
        at = stop
