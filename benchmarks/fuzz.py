"""Broken requests at every door of a real server, by the hundred thousand.

    python -m benchmarks.fuzz [--frames N] [--learn N] [--seed N] [--doors udp,tcp,unix,spool]

First a corpus is learned in this process: changed requests that reach new ways through the code.
Then each door is sent N frames changed from it. At the end the server has to have made jobs of
some, to answer hello at every door, to have grown by no more than a few MiB, to hold no more files
open, and to have written no traceback. Exit status 1 where it doesn't.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutate import (
    N_JOBS,
    Mutator,
    good_packets,
    good_texts,
    pieces,
    read_packet,
    read_text,
)
from benchmarks.serving import Served, memory_bytes, served
from server.framing import Framer, FramingError, frame_prefixed, frame_slip
from server.osc import Message, OscError, decode, encode

DOORS = ("udp", "tcp", "unix", "spool")
ANSWER_S = 60.0
#: The server may be so much larger after the second half than after the first.
MOST_GROWTH_BYTES = 32 * 2**20
MORE_FILES = 8
#: Frames after which it is asked whether it still lives.
ASK_EVERY = 32
SOCKETS = 8
SPOOL_NAMES, SPOOL_WAITING = 400, 100


Sender = Callable[[Served, Mutator, int, random.Random], None]


@dataclass(frozen=True)
class Result:
    """What became of a door."""

    door: str
    n_frames: int
    seconds: float
    grown_bytes: int
    more_files: int
    n_traces: int
    n_jobs: int
    n_dropped: int = 0

    @property
    def is_well(self) -> bool:
        """Whether the server bore it."""
        has_grown = self.grown_bytes > MOST_GROWTH_BYTES or self.more_files > MORE_FILES
        return self.n_jobs > 0 and not (has_grown or self.n_traces)


def main(argv: list[str] | None = None) -> int:
    """Fuzz each door and print what came of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=200_000, metavar="N")
    parser.add_argument("--learn", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--doors", default=",".join(DOORS))
    options = parser.parse_args(argv)
    results = fuzz(options.doors.split(","), options.frames, options.learn, options.seed)
    columns = "door, frames, dropped by UDP, jobs, seconds, grown in MiB, more files, tracebacks"
    print(f"| {columns.replace(', ', ' | ')} |")
    print("|---|---|---|---|---|---|---|---|")
    for one in results:
        n_dropped = one.n_dropped if one.door == "udp" else 0
        grown = one.grown_bytes / 2**20
        counts = f"{one.n_frames:,} | {n_dropped} | {one.n_jobs} | {one.seconds:.0f} | {grown:.1f}"
        print(f"| {one.door} | {counts} | {one.more_files} | {one.n_traces} |")
    return 0 if all(one.is_well for one in results) else 1


def fuzz(doors: list[str], n_frames: int, n_learned: int, seed: int) -> list[Result]:
    """Each door of one server, one after the other."""
    with served() as server:
        token = _conf(server.folder)["token"]
        packets = Mutator(good_packets(token), token.encode() + bytes(4), seed)
        packets.learn(read_packet, n_learned)
        texts = Mutator(good_texts(), seed=seed)
        texts.learn(read_text, n_learned)
        n_ways = len(packets.seen | texts.seen)
        print(f"corpus: {len(packets.corpus)} packets, {len(texts.corpus)} files, {n_ways} ways")
        return [
            _fuzz_door(server, door, n_frames, texts if door == "spool" else packets, seed)
            for door in doors
        ]


def _fuzz_door(server: Served, door: str, n_frames: int, mutator: Mutator, seed: int) -> Result:
    send: Sender = {"udp": _send_udp, "spool": _send_spool}.get(door, _send_stream(door))
    pick = random.Random(seed)
    began_s, n_traces = time.monotonic(), len(server.traces())
    n_jobs = _n_jobs(server.folder)
    mutator.first_job = DOORS.index(door) * N_JOBS  # jobs of its own
    send(server, mutator, n_frames // 2, pick)
    n_bytes, n_files = memory_bytes(server.pid), server.open_files()
    send(server, mutator, n_frames - n_frames // 2, pick)
    _ask_everywhere(server)
    return Result(
        *(door, n_frames, time.monotonic() - began_s),
        *(memory_bytes(server.pid) - n_bytes, server.open_files() - n_files),
        *(len(server.traces()) - n_traces, _n_jobs(server.folder) - n_jobs),
        dropped(int(_conf(server.folder)["udp"])),
    )


def _n_jobs(folder: Path) -> int:
    """Jobs the server ever made; ended ones stay for days."""
    with closing(sqlite3.connect(folder / "jobs.sqlite")) as db:
        return int(db.execute("SELECT count(*) FROM job").fetchone()[0])


def dropped(port: int) -> int:
    """Datagrams to a port that the system threw away because its buffer was full."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if int(row[1].split(":")[1], 16) == port)


def _ask_everywhere(server: Served) -> None:
    for door in ("udp", "tcp", "unix"):
        with server.client(door) as client:
            client.hello()
    _ask_spool(server.folder / "spool")


def _send_udp(server: Served, mutator: Mutator, n_frames: int, pick: random.Random) -> None:
    conf = _conf(server.folder)
    port, token = int(conf["udp"]), conf["token"]
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    try:
        for sock in socks:
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
        for number in range(n_frames):
            sock = pick.choice(socks)
            with suppress(OSError):  # the buffer is full: it is emptied below
                sock.send(mutator.next())
            if number % ASK_EVERY == 0:
                _ask_udp(sock, encode(Message("/retake/hello", "ssi", (token, "fuzz", 1))))
                for other in socks:
                    _empty(other)
    finally:
        for sock in socks:
            sock.close()


def _ask_udp(sock: socket.socket, hello: bytes) -> None:
    """Until hello is answered, so that no more is sent than the server can take."""
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            sock.send(hello)
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            with suppress(BlockingIOError):
                if sock.recv(65507).startswith(b"/retake/hello"):
                    return
                continue
            time.sleep(0.0005)
    raise TimeoutError("the server doesn't answer hello any more")


def _empty(sock: socket.socket) -> None:
    """Take what has come back."""
    sock.setblocking(False)
    with suppress(BlockingIOError):
        while sock.recv(65536):
            pass


class Stream:
    """A connection, and what the server must think of it by now.

    Parameters
    ----------
    server : Served
    door : str
        "tcp" or "unix".
    is_slip : bool
    """

    def __init__(self, server: Served, door: str, is_slip: bool) -> None:
        self._sock = _connect(server.folder, door)
        self.frame = frame_slip if is_slip else frame_prefixed
        self._framer = Framer()
        self._token = _conf(server.folder)["token"]

    def push(self, data: bytes, pick: random.Random) -> bool:
        """Send, read what has come back; False once the server has hung up, as it must."""
        if self._ends_it(data):
            with suppress(OSError):  # it may hang up before all is sent
                self._send(data, pick)
            self.close(is_waiting=True)
            return False
        self._send(data, pick)
        _empty(self._sock)
        return True

    def close(self, is_waiting: bool = False) -> None:
        """Hang up, or wait until the server does."""
        self._sock.settimeout(ANSWER_S)
        with suppress(ConnectionError):
            while is_waiting and self._sock.recv(65536):
                pass
        self._sock.close()

    def _send(self, data: bytes, pick: random.Random) -> None:
        self._sock.settimeout(ANSWER_S)
        for piece in pieces(data, pick) if pick.random() < 0.05 else [data]:
            self._sock.sendall(piece)
            _empty(self._sock)

    def _ends_it(self, data: bytes) -> bool:
        try:
            messages = [m for packet in self._framer.feed(data) for m in decode(packet)]
        except (FramingError, OscError):
            return True
        return any(message.args[:1] != (self._token,) for message in messages)

    @property
    def is_in_mid_frame(self) -> bool:
        """Whether the server waits for the rest of something."""
        return self._framer.n_waiting > 0


def _send_stream(door: str) -> Sender:
    def send(server: Served, mutator: Mutator, n_frames: int, pick: random.Random) -> None:
        stream: Stream | None = None
        for number in range(n_frames):
            stream = stream or Stream(server, door, pick.random() < 0.5)
            data = stream.frame(mutator.next())
            if pick.random() < 0.02:  # the framing itself is broken
                at = pick.randrange(len(data))
                data = data[:at] + pick.randbytes(pick.choice((1, 4))) + data[at + 1 :]
            if not stream.push(data, pick):
                stream = None
            elif stream.is_in_mid_frame and pick.random() < 0.5:
                stream.close()
                stream = None
            if number % ASK_EVERY == 0:
                with server.client(door) as client:
                    client.hello()
        if stream:
            stream.close()

    return send


def _conf(folder: Path) -> dict[str, str]:
    text = (folder / "server.conf").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines())


def _connect(folder: Path, door: str) -> socket.socket:
    if door == "tcp":
        return socket.create_connection(("127.0.0.1", int(_conf(folder)["tcp"])))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(_conf(folder)["socket"])
    return sock


def _send_spool(server: Served, mutator: Mutator, n_frames: int, pick: random.Random) -> None:
    folder = server.folder / "spool"
    for number in range(n_frames):
        name = f"fuzz-{number % SPOOL_NAMES}"
        if pick.random() < 0.05:
            name = os.fsdecode(pick.randbytes(pick.choice((1, 8, 100)))).replace("/", "_")
            name = name.replace("\0", "_").lstrip(".") or "x"
        half = folder / ".half"
        half.write_bytes(mutator.next())
        with suppress(OSError):
            os.replace(half, folder / f"{name}.request")
        if number % SPOOL_WAITING == 0:
            _ask_spool(folder)


def _ask_spool(folder: Path) -> None:
    """Until hello is answered and the requests before it are gone."""
    answer = folder / "alive.answer"
    answer.unlink(missing_ok=True)
    (folder / ".alive").write_bytes(b"request=hello\n")
    os.replace(folder / ".alive", folder / "alive.request")
    deadline = time.monotonic() + ANSWER_S
    while not answer.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the spool isn't looked at any more")
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
