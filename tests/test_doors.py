"""What stands at the doors: broken bytes, strangers, other programs' OSC."""

from __future__ import annotations

import logging
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from shutil import which

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import build_msg
from running import DEADLINE_S, RATE, Running, ask_udp, hello, wait_until

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.errors import RequestError
from server import osc
from server.framing import Framer, frame_slip
from server.messages import build
from server.osc import Message
from server.seldom import Seldom
from server.transports import SLOW_BACKLOG_BYTES, StreamPeer


def test_a_bad_token_gets_no_answer_over_udp_and_the_door_over_tcp(server: Running) -> None:
    assert ask_udp(server, hello("wrong"), timeout_s=0.2) == []
    assert ask_udp(server, hello("\u00e9"), timeout_s=0.2) == []
    assert ask_udp(server, osc.encode(Message("/retake/hello")), timeout_s=0.2) == []
    with socket.create_connection(("127.0.0.1", server.conf.tcp)) as sock:
        sock.settimeout(5)
        packet = hello("wrong")
        sock.sendall(struct.pack(">i", len(packet)) + packet)
        assert sock.recv(100) == b""
    assert ask_udp(server, hello(server.conf.token))


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        struct.pack(">I", 2**31 - 1) + b"x",
        struct.pack(">I", 0),
        struct.pack(">I", 4) + b"#bun",
        b"\xc0\xdb\x00\xc0",
    ],
)
def test_what_is_no_osc_closes_the_stream_and_nothing_else(server: Running, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.conf.tcp)) as sock:
        sock.settimeout(5)
        sock.sendall(junk)
        assert sock.recv(100) == b""
    assert ask_udp(server, hello(server.conf.token))[0][0] == "/retake/hello"


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\0",
        b"/retake",
        b"#bundle\0",
        b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc",
        b"\xff" * 99,
    ],
)
def test_datagrams_that_are_no_osc_are_passed_over(server: Running, junk: bytes) -> None:
    assert ask_udp(server, junk, timeout_s=0.1) == []
    assert ask_udp(server, hello(server.conf.token))[0][0] == "/retake/hello"


def test_faulty_requests_with_a_good_token_are_answered(server: Running) -> None:
    good = osc.encode(Message("/retake/hello", "ssi", (server.conf.token, "caller", 1)))
    not_utf8 = good.replace(b"caller", b"call\xff\xfe")
    unknown_tag = good.replace(b",ssi", b",ssQ")
    cut = good[:-4]
    for packet, word in ((not_utf8, "UTF-8"), (unknown_tag, "'Q'"), (cut, "ends inside")):
        [(address, values)] = ask_udp(server, packet)
        assert (address, values[:2]) == ("/retake/error", ("/retake/hello", "bad-request"))
        assert word in values[2]


def test_unknown_addresses_and_misplaced_audio_are_answered(server: Running) -> None:
    for address, tags, args, word in (
        ("/retake/dance", "s", (), "no address '/retake/dance'"),
        ("/retake/status", "s", (), "it takes: job"),
        ("/retake/status", "si", (3,), "job is 3; it must be a text"),
        ("/retake/watch", "si", (7,), "from 0 to 1"),
        ("/retake/get", "ssi", ("j", 1), "stream door"),
    ):
        packet = osc.encode(Message(address, tags, (server.conf.token, *args)))
        [(reply, values)] = ask_udp(server, packet)
        assert reply == "/retake/error"
        assert word in values[2]


def test_a_bundle_from_the_future_is_handled_now(server: Running) -> None:
    bundle = OscBundleBuilder(time.time() + 3600)
    inner = OscBundleBuilder(IMMEDIATELY)
    inner.add_content(build_msg("/retake/hello", [server.conf.token, "bundled", 1]))
    bundle.add_content(inner.build())
    assert ask_udp(server, bundle.build().dgram)[0][0] == "/retake/hello"


def test_slip_is_answered_in_slip(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.conf.tcp)) as sock:
        sock.settimeout(5)
        sock.sendall(frame_slip(hello(server.conf.token)))
        framer = Framer()
        packets: list[bytes] = []
        while not packets:
            packets = framer.feed(sock.recv(4096))
        assert framer.is_slip
        assert osc.decode(packets[0])[0].address == "/retake/hello"


def test_datagrams_over_8192_bytes_arrive(server: Running, clip_file: Path) -> None:
    holes = [f"{i}:1" for i in range(3000)]
    with Client.connect(server.folder) as client:
        job = client.submit(edit="inpaint", path=clip_file, hole=holes)
        assert len(client.wait(job)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a POSIX thing")
def test_only_the_user_can_read_conf_spool_and_socket(server: Running) -> None:
    modes = {
        name: (server.folder / name).stat().st_mode & 0o777 for name in ("server.conf", "spool")
    }
    assert modes == {"server.conf": 0o600, "spool": 0o700}
    if server.conf.socket:
        assert Path(server.conf.socket).stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_gives_the_next(tmp_path: Path) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        taken_tcp, taken_udp = tcp.getsockname()[1], udp.getsockname()[1]
        running = Running(tmp_path / "state", taken_udp, taken_tcp)
        running.stop()
    assert taken_tcp < running.conf.tcp < taken_tcp + 100
    assert taken_udp < running.conf.udp < taken_udp + 100


@pytest.mark.skipif(which("oscsend") is None, reason="liblo's oscsend is not installed")
@pytest.mark.parametrize("door", ["udp", "tcp"])
def test_liblo_asks_for_an_edit(server: Running, clip_file: Path, name: str, door: str) -> None:
    port = server.conf.udp if door == "udp" else server.conf.tcp
    values = [server.conf.token, name, "edit", "transfer", "path", str(clip_file), "start", "441"]
    values += ["strength", "0.6", "prompt", "rain"]
    command = [
        "oscsend",
        f"osc.{door}://127.0.0.1:{port}",
        "/retake/submit",
        "sssssssisfss",
        *values,
    ]
    with Client.connect(server.folder) as client:
        client.watch()
        subprocess.run(command, check=True, timeout=10)
        takes = client.wait(name)
    assert takes[0].frames == RATE // 10 - 441


def test_a_senders_datagrams_are_answered_in_order(server: Running) -> None:
    names = [f"nobody-{number}" for number in range(40)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", server.conf.udp))
        for name in names:
            sock.send(osc.encode(Message("/retake/status", "ss", (server.conf.token, name))))
        answers = [osc.decode(sock.recv(65507))[0] for _ in names]
    assert [answer.args[3] for answer in answers] == names


def test_one_senders_wait_for_the_disk_holds_up_no_other(
    fresh: Running, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_free = threading.Event()
    monkeypatch.setattr("server.store.bring_to_disk", lambda descriptor: is_free.wait(DEADLINE_S))
    with Client.connect(fresh.folder) as slow, Client.connect(fresh.folder) as quick:
        thread = threading.Thread(target=lambda: slow.submit("held", edit="vary", path=clip_file))
        thread.start()
        try:
            wait_until(lambda: any(item[0] == "held" for item in quick.items("jobs")))
            assert quick.hello().model == "double"
            assert thread.is_alive()
        finally:
            is_free.set()
            thread.join(DEADLINE_S)
        assert len(slow.wait("held")) == 1


class Pipe:
    """A transport whose other side reads nothing."""

    def __init__(self) -> None:
        self.backlog = 0
        self.is_cut_off = False

    @property
    def transport(self) -> Pipe:
        return self

    def is_closing(self) -> bool:
        return self.is_cut_off

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def write(self, data: bytes) -> None:
        self.backlog += len(data)

    def abort(self) -> None:
        self.is_cut_off = True


def test_who_reads_nothing_hears_no_progress_and_is_cut_off_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.transports.MAX_BACKLOG_BYTES", SLOW_BACKLOG_BYTES + 10_000)
    pipe = Pipe()
    peer = StreamPeer("tcp", 1, pipe, Framer())  # type: ignore[arg-type]
    progress = build("/retake/progress", "job", 0.5, "denoising", 1.0)
    for _ in range(2 * SLOW_BACKLOG_BYTES // 40):
        peer.send(progress)
    assert pipe.backlog < SLOW_BACKLOG_BYTES + 100
    assert not pipe.is_cut_off
    for _ in range(1000):
        peer.send(build("/retake/started", "job"))
    assert pipe.is_cut_off
    assert pipe.backlog < SLOW_BACKLOG_BYTES + 10_100


def test_a_take_too_large_for_a_frame_is_left_in_its_file(
    server: Running, clip_file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client.connect(server.folder, "tcp") as client:
        [take] = client.wait(client.submit(name, edit="vary", path=clip_file))
        assert client.get(name)[1] == 2
        monkeypatch.setattr("server.audio.MAX_FRAME_BYTES", 10_000)
        with pytest.raises(ServerError) as caught:
            client.get(name)
    assert caught.value.code == "too-long"
    assert take.path in caught.value.message


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_that_is_none_is_said(tmp_path: Path, port: int) -> None:
    with pytest.raises(RequestError, match=f"port is {port}; it must be from 0 to 65535"):
        Running(tmp_path / "state", udp_port=port)


def test_lines_that_come_by_the_hundred_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Seldom(logging.getLogger("retake.server"), every_s=0.2)
    for _ in range(100):
        complaints.warning("bad token from %s", "x")
    wait_until(lambda: complaints.warning("again") or len(caplog.records) > 1, every_s=0.05)
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "bad token from x"
    assert second.startswith("again (and ")
    assert int(second.split()[2]) >= 99
