"""Conversations of other programs with a server: heard by a tap, written down, and said again.

A transcript has a line for each packet: `> ` and the client's bytes in hex, `< ` and the answer as
the client understood it. `T` stands for the token's characters, SPOOL and VERSION for what they
are; progress and how long a job took are left out.
"""

from __future__ import annotations

import math
import re
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from running import DEADLINE_S, Running, wait_until

from server import osc
from server.framing import Framer, frame_prefixed
from server.osc import Message

TRANSCRIPTS = Path(__file__).with_name("conversations")
HOST = "127.0.0.1"


def worth_keeping(message: Message) -> bool:
    """Whether an answer is the same each time."""
    return message.address != "/retake/progress"


class Mask:
    """What differs from run to run, and stands for something else in a transcript."""

    def __init__(self, server: Running) -> None:
        self._token = server.conf.token
        self._words = {
            server.conf.spool: "SPOOL",
            server.conf.version: "VERSION",
        }

    def request(self, packet: bytes) -> str:
        """A request's line."""
        return f"> {packet.replace(self._token.encode(), b'T' * len(self._token)).hex()}"

    def packet(self, line: str) -> bytes:
        """The request of a line, with this server's token in it."""
        return bytes.fromhex(line[2:]).replace(b"T" * len(self._token), self._token.encode())

    def answer(self, text: str) -> str:
        """An answer's line."""
        for word, name in self._words.items():
            text = re.sub(rf"(?<=[\"'/]){re.escape(word)}(?=[\"'/])|^{re.escape(word)}", name, text)
        return "< " + re.sub(r"(/retake/done\b.* )[0-9.e-]+( \]|)$", r"\1SECONDS\2", text)


class Tap:
    """Stands between a client and the server, hands on every byte, and keeps what was said.

    Parameters
    ----------
    server : Running
    door : str
        "udp" or "tcp".
    answers_to : int, optional
        Answers go to this port; back to where the requests come from if not given.
    """

    def __init__(self, server: Running, door: str, answers_to: int | None = None) -> None:
        self._door, self._answers_to = door, answers_to
        self.said: list[bytes | Message] = []  # requests and answers, in order
        self._framers = (Framer(), Framer())  # of requests, of answers
        kind = socket.SOCK_DGRAM if door == "udp" else socket.SOCK_STREAM
        port = server.conf.udp if door == "udp" else server.conf.tcp
        self._front = socket.socket(socket.AF_INET, kind)
        self._up = socket.socket(socket.AF_INET, kind)
        self._front.bind((HOST, 0))
        self._up.connect((HOST, port))
        self._clients: list[socket.socket] = []
        self._back: socket.socket | tuple[str, int] | None = None
        if door == "tcp":
            self._front.listen()
        if answers_to:
            self._back = self._reach(answers_to)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    @property
    def port(self) -> int:
        """Where the client is to go."""
        return int(self._front.getsockname()[1])

    def __enter__(self) -> Tap:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join(DEADLINE_S)
        back = [self._back] if isinstance(self._back, socket.socket) else []
        for sock in (self._front, self._up, *self._clients, *back):
            sock.close()

    def wait_for(self, address: str, n_times: int = 1) -> None:
        """Until the server has answered so."""

        def n_heard() -> int:
            return sum(isinstance(one, Message) and one.address == address for one in self.said)

        wait_until(lambda: n_heard() >= n_times)

    def lines(self, mask: Mask, show: Callable[[Message], str]) -> list[str]:
        """What was said so far, as a transcript has it."""
        kept = [one for one in self.said if isinstance(one, bytes) or worth_keeping(one)]
        return [
            mask.request(one) if isinstance(one, bytes) else mask.answer(show(one)) for one in kept
        ]

    def _reach(self, port: int) -> socket.socket | tuple[str, int]:
        return (HOST, port) if self._door == "udp" else socket.create_connection((HOST, port))

    def _work(self) -> None:
        while not self._is_over.is_set():
            waiting = [self._front, self._up, *self._clients]
            for sock in select.select(waiting, [], [], 0.05)[0]:
                if sock is self._up:
                    self._hand_back(sock.recv(2**20))
                elif sock is self._front and self._door == "tcp":
                    self._clients.append(sock.accept()[0])
                else:
                    self._hand_on(sock)

    def _hand_on(self, sock: socket.socket) -> None:
        data, address = sock.recvfrom(2**20)
        if not data and self._door == "tcp":
            self._clients.remove(sock)
            sock.close()
            return
        self.said += self._packets(data, 0)
        if not self._answers_to:
            self._back = address if self._door == "udp" else sock
        self._up.sendall(data)

    def _hand_back(self, data: bytes) -> None:
        if isinstance(self._back, tuple):
            self._front.sendto(data, self._back)
        elif self._back:
            self._back.sendall(data)
        for packet in self._packets(data, 1):
            self.said += osc.decode(packet)

    def _packets(self, data: bytes, way: int) -> list[bytes]:
        return [data] if self._door == "udp" else self._framers[way].feed(data)


def as_oscdump(message: Message) -> str:
    """A message as liblo's oscdump prints it."""
    words = [message.address, message.tags]
    for tag, value in zip(message.tags, message.args, strict=True):
        if tag == "s":
            words.append(f'"{value}"')
        else:
            words.append(f"{value:f}" if isinstance(value, float) else str(value))
    return " ".join(words)


def as_sclang(message: Message) -> str:
    """A message as SuperCollider prints the list it makes of it."""
    words = [f"'{message.address}'"]
    for tag, value in zip(message.tags, message.args, strict=True):
        if tag == "s":
            words.append("'" + str(value).replace("'", "\\'") + "'")
        elif isinstance(value, float) and math.isnan(value):
            words.append("nan.0")
        else:
            words.append(str(value))
    return f"[ {', '.join(words)} ]"


def transcript(name: str) -> list[str]:
    """The lines of a transcript, comments aside."""
    text = (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def say_again(
    server: Running, lines: list[str], door: str, show: Callable[[Message], str]
) -> list[str]:
    """Say a transcript's requests, each once the answers before it have come; what was answered."""
    mask, framer = Mask(server), Framer()
    heard: list[str] = []
    n_wanted = 0
    frame = {"udp": bytes, "tcp": frame_prefixed}[door]
    kind = socket.SOCK_DGRAM if door == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect((HOST, server.conf.udp if door == "udp" else server.conf.tcp))
        for line in lines:
            if line.startswith("> "):
                sock.sendall(frame(mask.packet(line)))
                continue
            n_wanted += 1
            while len(heard) < n_wanted:
                data = sock.recv(2**20)
                for packet in [data] if door == "udp" else framer.feed(data):
                    kept = filter(worth_keeping, osc.decode(packet))
                    heard += [mask.answer(show(message)) for message in kept]
    return heard
