"""Strangers, liars and greedy ones at every door: none harms the server or what lies beside it."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import DEADLINE_S, Running, ask_udp, hello, wait_until

from benchmarks.serving import Served, memory_bytes, served
from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from server import osc
from server.framing import frame_prefixed, frame_slip
from server.osc import Message
from server.transports import MAX_CONNECTIONS, STRANGER_BYTES

MIB = 2**20
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="counts what /proc shows")


@pytest.fixture(scope="module")
def apart() -> Iterator[Served]:
    """A server in a process of its own, so that its memory and files can be counted."""
    with served() as server:
        yield server


def connect(server: Running, door: str) -> socket.socket:
    if door == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(server.conf.socket)
    else:
        sock = socket.create_connection(("127.0.0.1", server.conf.tcp))
    sock.settimeout(DEADLINE_S)
    return sock


def is_hung_up(sock: socket.socket) -> bool:
    """Whether the other side closes without a word."""
    try:
        return sock.recv(100) == b""
    except ConnectionResetError:
        return True


def is_alive(server: Running) -> bool:
    return bool(ask_udp(server, hello(server.conf.token), DEADLINE_S))


TOKENS = ("", "x", "0" * 32, "é", "0" * 1000)


@pytest.mark.parametrize("token", TOKENS, ids=repr)
def test_a_wrong_token_gets_silence_over_udp(server: Running, token: str) -> None:
    for address, tags, args in (
        ("/retake/hello", "si", ("x", 1)),
        ("/retake/submit", "sss", ("stolen", "edit", "generate")),
        ("/retake/list", "s", ("jobs",)),
        ("/retake/watch", "i", (1,)),
    ):
        packet = osc.encode(Message(address, f"s{tags}", (token, *args)))
        assert ask_udp(server, packet, timeout_s=0.1) == []
    with Client.connect(server.folder) as client, pytest.raises(ServerError, match="no job"):
        client.status("stolen")


@pytest.mark.parametrize("door", ["tcp", "unix"])
@pytest.mark.parametrize("frame", [frame_prefixed, frame_slip], ids=["size", "slip"])
def test_a_wrong_token_ends_a_stream(server: Running, door: str, frame: Any) -> None:
    for token in TOKENS:
        with connect(server, door) as sock:
            sock.sendall(frame(hello(token)))
            assert is_hung_up(sock)
    for packet in (osc.encode(Message("/retake/hello")), osc.encode(Message("/x", "i", (1,)))):
        with connect(server, door) as sock:
            sock.sendall(frame(packet))
            assert is_hung_up(sock)
    assert is_alive(server)


def test_a_right_token_is_no_pass_for_the_next_message(server: Running) -> None:
    with connect(server, "tcp") as sock:
        sock.sendall(frame_prefixed(hello(server.conf.token)))
        assert sock.recv(4)
        sock.sendall(frame_prefixed(hello("wrong")))
        while data := sock.recv(4096):
            assert b"/retake/error" not in data


def test_the_tokens_of_two_starts_differ(server: Running, fresh: Running) -> None:
    assert len(server.conf.token) == 32
    assert server.conf.token != fresh.conf.token


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /retake/submit HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"OPTIONS * HTTP/1.1\r\nOrigin: http://evil.example\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
    ],
    ids=["GET", "POST", "OPTIONS", "HTTP/2", "TLS"],
)
def test_a_browser_is_hung_up_on_without_an_answer(server: Running, request_text: bytes) -> None:
    with connect(server, "tcp") as sock:
        sock.sendall(request_text)
        assert is_hung_up(sock)
    assert is_alive(server)


def test_a_frame_of_2_gib_is_refused_at_its_header(apart: Served) -> None:
    before = memory_bytes(apart.pid) if sys.platform == "linux" else 0
    for size in (2**31 - 1, 2**31, 2**32 - 1, 2**28 + 1):
        with socket.create_connection(("127.0.0.1", tcp_port(apart)), DEADLINE_S) as sock:
            sock.sendall(size.to_bytes(4, "big"))
            assert is_hung_up(sock)
    if sys.platform == "linux":
        assert memory_bytes(apart.pid) - before < 8 * MIB


@on_linux
@pytest.mark.parametrize("beginning", [(2**28).to_bytes(4, "big"), b"\xc0"], ids=["size", "slip"])
def test_a_long_frame_of_a_stranger_is_not_gathered(apart: Served, beginning: bytes) -> None:
    before = memory_bytes(apart.pid)
    for packet in (hello("wrong"), osc.encode(Message("/retake/put", "s", ("x" * 9000,)))):
        with socket.create_connection(("127.0.0.1", tcp_port(apart)), DEADLINE_S) as sock:
            sent = 0
            with contextlib.suppress(OSError):
                sock.sendall(beginning + packet)
                while sent < 200 * MIB:
                    sent += sock.send(b"a" * STRANGER_BYTES)
            assert sent < 50 * MIB
    assert memory_bytes(apart.pid) - before < 16 * MIB


def test_a_long_frame_with_the_token_is(server: Running) -> None:
    audio = b"\0\0\0\0" * (4 * STRANGER_BYTES)
    for door in ("tcp", "unix"):
        with Client.connect(server.folder, door) as client:
            assert client.put(audio, 48000, 1)
    packet = osc.encode(
        Message("/retake/put", "ssiib", (server.conf.token, "slip", 48000, 1, audio))
    )
    with connect(server, "tcp") as sock:  # nothing was said before
        sock.sendall(frame_slip(packet))
        assert b"/retake/put" in sock.recv(100)


@on_linux
def test_ten_thousand_half_open_connections(apart: Served) -> None:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 10_000
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n_most = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    before = memory_bytes(apart.pid)
    socks: list[socket.socket] = []
    try:
        while len(socks) < n_most:
            socks.append(socket.create_connection(("127.0.0.1", tcp_port(apart)), DEADLINE_S))
            if len(socks) % 1000 == 0:
                with apart.client("tcp") as client:  # who has the token gets in all the while
                    assert client.hello().model == "double"
        assert apart.open_files() < 2 * MAX_CONNECTIONS + 100
        assert memory_bytes(apart.pid) - before < 64 * MIB
        for door in ("udp", "tcp", "unix"):
            with apart.client(door) as client:
                assert client.hello().model == "double"
    finally:
        for sock in socks:
            sock.close()
    assert not apart.traces()
    assert len(socks) == n_most
    wait_until(lambda: apart.open_files() < 100)


def test_who_showed_the_token_is_not_put_out_for_strangers(apart: Served) -> None:
    with apart.client("tcp") as client:
        socks = [
            socket.create_connection(("127.0.0.1", tcp_port(apart)), DEADLINE_S)
            for _ in range(MAX_CONNECTIONS + 50)
        ]
        assert client.hello().model == "double"
        for sock in socks:
            sock.close()


def tcp_port(server: Served) -> int:
    text = (server.folder / "server.conf").read_text()
    return int(dict(line.split("=", 1) for line in text.splitlines())["tcp"])


JOBS = (
    *("../../etc/passwd", "..", "a/../../b", "/etc/passwd", "a\\..\\b", ".hidden", "-rf", "a b"),
    *("a\nstate=done", "con:", "\u202ea", "", "x" * 65, "%2e%2e%2f"),
)


@pytest.mark.parametrize("job", JOBS, ids=repr)
def test_a_jobs_name_leads_nowhere(server: Running, clip_file: Path, job: str) -> None:
    before = everything_in(server.folder)
    with Client.connect(server.folder, "tcp") as client:
        for request in (
            client._pack("/retake/submit", job, "edit", "vary", "path", clip_file),
            client._pack("/retake/cancel", job),
            client._pack("/retake/status", job),
            client._pack("/retake/get", job, 1),
            client._pack("/retake/put", job, 48000, 1, b"\0" * 4),
        ):
            with pytest.raises(ServerError) as caught:
                client._ask(request, "/retake/nothing")
            assert caught.value.code == "bad-value"
    assert everything_in(server.folder) == before


def everything_in(folder: Path) -> set[Path]:
    volatile = {"jobs.sqlite-wal", "jobs.sqlite-shm"}
    return {path for path in folder.rglob("*") if path.name not in volatile}


def test_a_name_of_a_megabyte(server: Running) -> None:
    for job in ("x" * MIB, "\u00e9" * MIB):
        with Client.connect(server.folder, "tcp") as client:
            with pytest.raises(ServerError, match="1 to 64") as caught:
                client._ask(client._pack("/retake/submit", job), "/retake/queued")
            assert caught.value.code == "bad-value"
            assert len(caught.value.message) < 300
            with pytest.raises(ServerError, match="no address") as caught:
                client._ask(client._pack(f"/retake/{'y' * MIB}"), "/retake/queued")
            assert len(caught.value.message) < 500


def test_what_is_too_long_to_be_meant_is_refused(server: Running) -> None:
    with Client.connect(server.folder, "tcp") as client:
        for keys in (
            {"edit": "vary", "path": "/" + "p" * MIB},
            {"edit": "vary", "path": "/c.wav", "model": "m" * 2 * MIB},
            {"edit": "vary", "path": "/c.wav", "model": "m" * 4097},
            {"edit": "inpaint", "path": "/c.wav", "mask": f"/{'k' * 100_000}.png"},
            {"edit": "vary", "path": "/c.wav", "prompt": "m" * 2 * MIB},
        ):
            with pytest.raises(ServerError) as caught:
                client.submit(**keys)
            assert caught.value.code == "too-long"
        with pytest.raises(ServerError, match="at most 20000 arguments"):
            client.submit(edit="inpaint", path="/c.wav", hole=["0:1"] * 20_000)


@pytest.mark.parametrize("door", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        (__file__, "unreadable-audio"),
        ("/etc/passwd", "unreadable-audio"),
        ("/dev/zero", "no-such-file"),
        ("/dev/stdin", "no-such-file"),
        ("/", "no-such-file"),
    ],
)
def test_a_file_that_is_no_audio_tells_nothing(
    server: Running, door: str, path: str, code: str
) -> None:
    if not os.path.exists(path):
        pytest.skip("it isn't there")
    with Client.connect(server.folder, door) as client:
        job = client.submit(edit="vary", path=path)
        with pytest.raises(ServerError) as caught:
            client.wait(job)
    assert caught.value.code == code
    assert "root:" not in caught.value.message
    assert not list((server.folder / "spool").glob(f"{job}.*.wav"))


def test_no_file_is_written_over(fresh: Running, clip_file: Path) -> None:
    spool = fresh.folder / "spool"
    with Client.connect(fresh.folder, "tcp") as client:
        # What comes while the job waits is no less precious.
        blocker = client.submit(edit="vary", path=clip_file, prompt="slow")
        client.submit("meanwhile", edit="vary", path=clip_file)
        (spool / "meanwhile.1.wav").write_bytes(b"precious")
        client.cancel(blocker)
        with pytest.raises(ServerError, match="choose a new name") as caught:
            client.wait("meanwhile")
        assert caught.value.code == "conflict"
    assert (spool / "meanwhile.1.wav").read_bytes() == b"precious"
    assert clip_file.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_in_the_spool_are_not_followed(
    fresh: Running, clip_file: Path, tmp_path: Path
) -> None:
    spool = fresh.folder / "spool"
    secret, outside = tmp_path / "secret.txt", tmp_path / "outside.wav"
    secret.write_text("edit=vary\nprompt=a secret\n")
    (spool / "steal.request").symlink_to(secret)
    (spool / "linked.1.wav").symlink_to(outside)
    (spool / "told.status").symlink_to(tmp_path / "told")
    wait_until(lambda: (spool / "steal.status").exists())
    assert "a secret" not in (spool / "steal.status").read_text()
    assert secret.read_text().startswith("edit=vary")
    with Client.connect(fresh.folder) as client:
        with pytest.raises(ServerError, match="choose a new name"):
            client.wait(client.submit("linked", edit="vary", path=clip_file))
        client.wait(client.submit("told", edit="vary", path=clip_file))
    assert not outside.exists()
    assert not (tmp_path / "told").exists()
    assert not (spool / "told.status").is_symlink()


def test_a_name_cannot_forge_log_lines() -> None:
    import io
    import logging

    from server.console import Console

    stream = io.StringIO()
    words = "\x1b[2Jfriend\n10:00:00 job a: done\r\u2028\x9b31m"
    record = logging.LogRecord("retake", logging.INFO, "", 0, "%s is here", (words,), None)
    Console(stream).emit(record)
    shown = stream.getvalue()
    assert shown.count("\n") == 1
    assert len(shown.splitlines()) == 1
    assert "\\x1b[2Jfriend\\x0a10:00:00" in shown


def test_a_flood_of_strangers_writes_few_log_lines(apart: Served) -> None:
    began_s, n_before = time.monotonic(), len(apart.lines())
    with apart.client("tcp") as client:
        port = int(client._conf["udp"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(300):
            sock.sendto(hello("wrong"), ("127.0.0.1", port))
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", tcp_port(apart)), DEADLINE_S) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert is_hung_up(sock)
    n_seconds = time.monotonic() - began_s
    assert len(apart.lines()) - n_before < 10 + 3 * n_seconds
