"""What stands at the doors: broken bytes, strangers, other programs' OSC."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import build_msg
from running import RATE, Running, ask_udp, hello

from daw_bridge.client import Client
from engine.region import write
from server import osc
from server.framing import Framer, frame_slip
from server.osc import Message


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests that leave it as it was."""
    running = Running(tmp_path_factory.mktemp("shared") / "state")
    yield running
    running.stop()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    noise = np.random.default_rng(1).standard_normal((RATE // 10, 2)).astype(np.float32) * 0.1
    write(path, noise, RATE)
    return path


@pytest.fixture
def name() -> str:
    """A job's name nobody used before."""
    return f"test-{uuid.uuid4().hex[:8]}"


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


def test_datagrams_over_8192_bytes_arrive(server: Running, clip: Path) -> None:
    holes = [f"{i}:1" for i in range(3000)]
    with Client.connect(server.folder) as client:
        job = client.submit(edit="inpaint", path=clip, hole=holes)
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
def test_liblo_asks_for_an_edit(server: Running, clip: Path, name: str, door: str) -> None:
    port = server.conf.udp if door == "udp" else server.conf.tcp
    values = [server.conf.token, name, "edit", "transfer", "path", str(clip), "start", "441"]
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
