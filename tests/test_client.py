"""The bridge client against a wire that loses things, and against what it must find by itself."""

from __future__ import annotations

import ast
import math
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs.macos
import platformdirs.unix
import platformdirs.windows
import pytest
from running import wait_until

import daw_bridge
from daw_bridge import wire
from daw_bridge.client import Client
from daw_bridge.wire import ServerError, ServerNotRunning, StreamDoor, pack, unpack
from server import config, osc
from server.messages import build
from server.osc import Message

CONF = {"token": "t", "tcp": "1", "socket": ""}
DONE = ("job", 1, "/spool/job.1.wav", 10, 44100, 1, 5, math.nan)

Reply = Callable[[Message, int], list[Message]]


class FakeServer:
    """Answers datagrams as a test tells it to; counts how often each address was asked."""

    def __init__(self, reply: Reply) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.conf = {**CONF, "udp": str(self._socket.getsockname()[1])}
        self.asked: list[Message] = []
        self.n_answered = 0
        self._reply = reply
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            packet, address = self._socket.recvfrom(65507)
            if packet == b"stop":
                return
            [message] = osc.decode(packet)
            self.asked.append(message)
            n_asked = sum(m.address == message.address for m in self.asked)
            for answer in self._reply(message, n_asked):
                self._socket.sendto(osc.encode(answer), address)
            self.n_answered += 1

    def stop(self) -> None:
        self._socket.sendto(b"stop", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def fake() -> Iterator[Callable[[Reply], FakeServer]]:
    made: list[FakeServer] = []

    def make(reply: Reply) -> FakeServer:
        made.append(FakeServer(reply))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def hello(message: Message) -> list[Message]:
    return [build("/retake/hello", "1", 1, "m", "cpu", "/spool")]


def test_a_lost_answer_is_asked_for_again(fake: Callable[[Reply], FakeServer]) -> None:
    server = fake(lambda message, n: hello(message) if n == 3 else [])
    with Client(server.conf) as client:
        assert client.hello().model == "m"
    assert len(server.asked) == 3
    assert len({m.args for m in server.asked}) == 1


def test_what_was_answered_twice_is_heard_once(fake: Callable[[Reply], FakeServer]) -> None:
    """A busy server answers what was asked again as well: each answer must be its own request's."""

    def reply(message: Message, n: int) -> list[Message]:
        twice = build("/retake/status", "job", "running", n / 10, "denoising")
        return [twice, twice]

    server, heard = fake(reply), []
    with Client(server.conf) as client:
        for number in range(1, 5):
            heard.append(client.status("job")[1])
            wait_until(lambda: server.n_answered == number)  # noqa: B023 (it is called at once)
    assert heard == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_an_error_is_that_of_what_was_asked(fake: Callable[[Reply], FakeServer]) -> None:
    def reply(message: Message, n: int) -> list[Message]:
        stale = build("/retake/error", "/retake/status", "unknown-job", "no such job", "job")
        return [stale, build("/retake/queued", "job", 0)]

    with Client(fake(reply).conf) as client:
        assert client.submit("job", edit="vary", path="/c.wav") == "job"


def test_who_watched_by_datagrams_says_goodbye(fake: Callable[[Reply], FakeServer]) -> None:
    server = fake(lambda message, n: [build("/retake/watch", message.args[1])])
    with Client(server.conf) as client:
        client.watch()
    with Client(server.conf):
        pass
    wait_until(lambda: len(server.asked) == 2)
    assert [message.args[1] for message in server.asked] == [1, 0]


def test_too_long_for_a_frame_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 100)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(ServerError, match="give the file's path") as caught:
            StreamDoor(ours).send(bytes(101))
        assert caught.value.code == "too-long"
        StreamDoor(ours).send(bytes(100))
        assert len(theirs.recv(200)) == 104


def test_a_lost_ending_is_asked_for_again(
    fake: Callable[[Reply], FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daw_bridge.client.QUIET_S", 0.05)

    def reply(message: Message, n: int) -> list[Message]:
        if n == 1:
            return [build("/retake/queued", "job", 0), build("/retake/started", "job")]
        return [build("/retake/take", *DONE), build("/retake/done", "job", 1, 0.5)]

    with Client(fake(reply).conf) as client:
        client.submit("job", edit="vary", path="/c.wav")
        [take] = client.wait("job")
    assert (take.index, take.path, take.frames, take.seed) == (1, "/spool/job.1.wav", 10, 5)


def test_events_of_other_jobs_are_kept_for_them(fake: Callable[[Reply], FakeServer]) -> None:
    def reply(message: Message, n: int) -> list[Message]:
        job = str(message.args[1])
        if job == "a":
            return [build("/retake/queued", "a", 0)]
        ends = [build("/retake/cancelled", "a"), build("/retake/fail", "b", "internal", "broken")]
        return [build("/retake/queued", "b", 1), *ends]

    with Client(fake(reply).conf) as client:
        client.submit("a", edit="vary")
        client.submit("b", edit="vary")
        with pytest.raises(ServerError, match="broken"):
            client.wait("b")
        assert [event.name for event in client.events("a")] == ["queued", "cancelled"]


def test_values_travel_in_full_width(fake: Callable[[Reply], FakeServer]) -> None:
    server = fake(lambda message, n: [build("/retake/queued", "j", 0)])
    with Client(server.conf) as client:
        client.submit(
            "j",
            path=Path("/c.wav"),
            start=2**40,
            strength=0.1,
            seed=3,
            cutoff=None,
            hole=["0:1", "2:3"],
        )
    [message] = server.asked
    assert message.tags == "s" + "s" + "ss" + "sh" + "sd" + "sh" + "ssss"
    assert message.args[2:] == (
        *("path", str(Path("/c.wav")), "start", 2**40, "strength", 0.1, "seed", 3),
        *("hole", "0:1", "hole", "2:3"),
    )


def test_too_long_for_a_datagram_is_said(fake: Callable[[Reply], FakeServer]) -> None:
    server = fake(lambda message, n: [])
    with Client(server.conf) as client, pytest.raises(ServerError, match="door='tcp'"):
        client.submit(prompt="x" * 70_000)


def test_a_stream_is_read_however_it_is_cut() -> None:
    here, there = socket.socketpair()
    with here, there:
        door = StreamDoor(here)
        for byte in b"\0\0\0\x03abc\0\0\0\x01":
            there.sendall(bytes([byte]))
        assert door.receive(1.0) == b"abc"
        assert door.receive(0.01) is None
        there.sendall(b"z")
        assert door.receive(1.0) == b"z"
        there.close()
        with pytest.raises(ServerNotRunning):
            door.receive(1.0)


def test_the_state_folder_is_the_server_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETAKE_STATE_DIR", raising=False)
    assert wire.state_folder() == config.state_folder()
    monkeypatch.setenv("RETAKE_STATE_DIR", "/elsewhere")
    assert wire.state_folder() == Path("/elsewhere").absolute() == config.state_folder()


@pytest.mark.skipif(sys.platform == "win32", reason="compares POSIX paths")
@pytest.mark.parametrize(
    ("platform", "folders"),
    [
        ("linux", platformdirs.unix.Unix("retake", appauthor=False)),
        ("darwin", platformdirs.macos.MacOS("retake", appauthor=False)),
    ],
)
def test_the_state_folder_of_every_system_is_platformdirs_s(
    platform: str, folders: platformdirs.api.PlatformDirsABC, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert str(wire.state_folder(platform, {})) == folders.user_state_dir


def test_the_state_folder_on_windows() -> None:
    env = {"LOCALAPPDATA": "/Users/me/AppData/Local"}
    assert wire.state_folder("win32", env) == Path("/Users/me/AppData/Local/retake")


def test_the_bridge_imports_nothing_of_ours() -> None:
    """Standard library only, so that a DAW's own Python can run it."""
    allowed = {"daw_bridge", *sys.stdlib_module_names}
    folder = Path(daw_bridge.__file__).parent
    shared = [folder / "ableton" / "Retake" / name for name in ("__init__.py", "osc.py")]
    for path in [*folder.glob("*.py"), *shared]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            assert {name.split(".")[0] for name in names} <= allowed, path.name


@pytest.mark.parametrize("step", [1, 5, 2**18, 2**30])
def test_packets_of_a_stream_are_cut_however_they_come(step: int) -> None:
    sent = [pack("/a", 1), pack("/long", bytes(range(256)) * 4000), pack("/b", "x"), pack("/c", 2)]
    stream = b"".join(len(packet).to_bytes(4, "big") + packet for packet in sent)
    if step == 1:  # the long one is long enough in pieces of five
        sent, stream = sent[:1], stream[: 4 + len(sent[0])]
    here, there = socket.socketpair()
    with here, there:
        door = StreamDoor(here)

        def feed() -> None:
            for at in range(0, len(stream), step):
                there.sendall(stream[at : at + step])

        feeder = threading.Thread(target=feed)
        feeder.start()
        got = []
        while len(got) < len(sent):
            packet = door.receive(5.0)
            assert packet is not None
            got.append(packet)
        feeder.join()
        assert got == sent
        assert door.receive(0.0) is None
        assert not door._buffer
        assert door._long is None
        there.close()
        with pytest.raises(ServerNotRunning):
            door.receive(5.0)


def test_another_programs_answer_is_not_waited_for() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        with pytest.raises(ServerNotRunning, match="no Retake server"):
            StreamDoor(here).receive(5.0)


@pytest.mark.parametrize("value", [None, "a\0b", "/clips/\udcff.wav"])
def test_what_osc_cant_hold_is_not_sent(value: object) -> None:
    with pytest.raises(ServerError, match="can't be sent"):
        pack("/a", value)


def test_scores_come_as_they_were_sent() -> None:
    for number in (0.6, 0.12345679, -1e-7, 3.4e38, math.inf):
        sent = osc.encode(Message("/a", "f", (number,)))
        assert unpack(sent) == ("/a", osc.decode(sent)[0].args)
    assert unpack(osc.encode(Message("/a", "f", (0.6,)))) == ("/a", (0.6,))
    assert math.isnan(unpack(osc.encode(Message("/a", "f", (math.nan,))))[1][0])
