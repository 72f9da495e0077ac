"""Programs that nobody here wrote talk with the server; what they said is said again without them.

Between them stands a tap, so that what they sent and what they understood can be held against the
transcripts in tests/conversations. `python tests/test_conversations.py` writes those anew.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest
from conversing import (
    TRANSCRIPTS,
    Mask,
    Tap,
    as_oscdump,
    as_sclang,
    say_again,
    transcript,
)
from running import DEADLINE_S, Running, wait_until

from daw_bridge.client import Client, TakeFile
from server.osc import Message

SCLANG = Path(__file__).with_name("conversations") / "sclang.scd"
#: What oscsend asks for: address, type tags and values after the token, and the last answer to it.
LIBLO_ASKS = [
    ("/retake/hello", "si", "liblo 1", "hello"),
    ("/retake/watch", "T", "", "watch"),
    (
        "/retake/submit",
        "ssssfsssisi",
        "lo-DOOR edit generate seconds 0.5 prompt rain_on_tin seed 7 takes 2",
        "done",
    ),
    ("/retake/status", "s", "lo-DOOR", "status"),
    ("/retake/cancel", "s", "lo-DOOR", "done"),
    ("/retake/submit", "ssssssd", "lo-bad edit vary path /c.wav amount 7.5", "error"),
    ("/retake/status", "TFNI", "", "error"),
    ("/retake/watch", "h", "0", "watch"),
]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that never met the programs themselves."""
    running = wait_until_ready(Running(tmp_path_factory.mktemp("other") / "state"))
    yield running
    running.stop()


def talk_with_liblo(server: Running, door: str) -> tuple[list[str], list[str]]:
    """oscsend asks and oscdump hears: the transcript, and the answers as oscdump printed them."""
    with tempfile.NamedTemporaryFile("r+") as heard:
        port = free_port(door)
        dump = subprocess.Popen(
            ["oscdump", "-L", f"osc.{door}://:{port}"], stdout=heard, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: is_heard(door, port, Path(heard.name)), every_s=0.1)
            with Tap(server, door, port) as tap:
                ask_with_oscsend(tap, door, server.conf.token)
                lines = tap.lines(Mask(server), as_oscdump)
                n_answers = sum(isinstance(one, Message) for one in tap.said)
                wait_until(lambda: len(printed(Path(heard.name))) >= n_answers)
        finally:
            dump.terminate()
            dump.wait()
        shown = [line for line in printed(Path(heard.name)) if not line.startswith("/retake/prog")]
    return lines, [Mask(server).answer(line) for line in shown]


def ask_with_oscsend(tap: Tap, door: str, token: str) -> None:
    """Each of LIBLO_ASKS, once the one before it is answered."""
    n_answers: dict[str, int] = {}
    for address, tags, values, last in LIBLO_ASKS:
        words = values.replace("DOOR", door).split()
        command = ["oscsend", f"osc.{door}://127.0.0.1:{tap.port}", address, f"s{tags}", token]
        subprocess.run([*command, *words], check=True, timeout=DEADLINE_S)
        n_answers[last] = n_answers.get(last, 0) + 1
        tap.wait_for(f"/retake/{last}", n_answers[last])


def is_heard(door: str, port: int, heard: Path) -> bool:
    """Whether oscdump listens by now."""
    if door == "tcp":
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0
    subprocess.run(["oscsend", f"osc.udp://127.0.0.1:{port}", "/probe"], check=True)
    return "/probe" in heard.read_text()


def printed(heard: Path) -> list[str]:
    """What oscdump printed, its time stamps and the probes aside."""
    lines = [line.split(" ", 1)[1] for line in heard.read_text().splitlines() if " " in line]
    return [line.rstrip() for line in lines if not line.startswith("/probe")]


def free_port(door: str) -> int:
    """A port nobody listens on just now."""
    kind = socket.SOCK_DGRAM if door == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def talk_with_sclang(server: Running, door: str) -> tuple[list[str], list[str]]:
    """sclang asks and hears: the transcript, and the answers as sclang printed them."""
    with Tap(server, door) as tap, tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "QT_QPA_PLATFORM": "offscreen",
            "QTWEBENGINE_DISABLE_SANDBOX": "1",  # its help browser won't start as root otherwise
        }
        command = ["sclang", str(SCLANG), str(tap.port), door, server.conf.token]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=2 * DEADLINE_S
        )
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
        lines = tap.lines(Mask(server), as_sclang)
    return lines, [
        Mask(server).answer(line) for line in re.findall(r"^GOT (.*)$", run.stdout, re.M)
    ]


def wait_until_ready(server: Running) -> Running:
    """Until hello names the worker's device."""
    with Client.connect(server.folder) as client:
        wait_until(lambda: client.hello().device != "starting")
    return server


TALKS: dict[str, tuple[Callable[[Running, str], tuple[list[str], list[str]]], Callable[..., str]]]
TALKS = {"liblo": (talk_with_liblo, as_oscdump), "sclang": (talk_with_sclang, as_sclang)}
PROGRAMS = {"liblo": ("oscsend", "oscdump"), "sclang": ("sclang",)}
RECORDED = [f"{program}-{door}" for program in TALKS for door in ("udp", "tcp")]


@pytest.mark.parametrize("name", RECORDED)
def test_a_program_says_what_it_said_and_hears_what_it_heard(server: Running, name: str) -> None:
    program, door = name.split("-")
    if not all(map(which, PROGRAMS[program])):
        pytest.skip(f"{' and '.join(PROGRAMS[program])} not installed")
    lines, understood = TALKS[program][0](wait_until_ready(server), door)
    assert lines == transcript(name)
    assert understood == [line for line in lines if line.startswith("< ")]


@pytest.mark.parametrize("name", RECORDED)
def test_what_a_program_said_is_answered_the_same_without_it(other: Running, name: str) -> None:
    program, door = name.split("-")
    lines = transcript(name)
    heard = say_again(other, lines, door, TALKS[program][1])
    assert heard == [line for line in lines if line.startswith("< ")]


def test_a_conversation_in_slip_made_by_hand(other: Running) -> None:
    token = other.conf.token.encode() + b"\0\0\0\0"
    asks_and_answers = [
        (
            b"\xc0/retake/watch\0\0\0,si\0" + token + b"\0\0\0\x01\xc0",
            b"\xc0/retake/watch\0\0\0,i\0\0\0\0\0\x01\xc0",
        ),
        (  # a job called "slip"; its prompt is U+06C0 (DB 80 in UTF-8), its seed 192 (C0)
            b"\xc0/retake/submit\0\0,sssssssssi\0"
            + token
            + b"slip\0\0\0\0edit\0\0\0\0generate\0\0\0\0prompt\0\0\xdb\xdd\x80\0\0"
            + b"sampler\0ddim\0\0\0\0seed\0\0\0\0\0\0\0\xdb\xdc\xc0",
            b"\xc0/retake/queued\0\0,si\0slip\0\0\0\0\0\0\0\0\xc0",
        ),
    ]
    with socket.create_connection(("127.0.0.1", other.conf.tcp), DEADLINE_S) as sock:
        for ask, answer in asks_and_answers:
            sock.sendall(ask)
            assert read_exactly(sock, len(answer)) == answer
        heard = b""
        while b"/retake/done\0\0\0\0,sif" not in heard and (more := sock.recv(4096)):
            heard += more
        sock.sendall(b"\xc0/retake/cancel\0\0,ss\0" + token + b"slip\0\0\0\0\xc0")
        take = b"\xc0/retake/take\0\0\0\0,sishiihf\0\0\0slip\0\0\0\0\0\0\0\x01"
        assert read_exactly(sock, len(take)) == take
    [seed] = [take.seed for take in take_files(other, "slip")]
    assert seed == 192


def take_files(server: Running, job: str) -> list[TakeFile]:
    with Client.connect(server.folder, "tcp") as client:
        return client.wait(job)


def read_exactly(sock: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes and (more := sock.recv(n_bytes - len(data))):
        data += more
    return data


def record(folder: Path) -> None:
    """Write the transcripts anew, of the programs that are here."""
    server = wait_until_ready(Running(folder / "state"))
    try:
        for name in RECORDED:
            program, door = name.split("-")
            if all(map(which, PROGRAMS[program])):
                lines, understood = TALKS[program][0](server, door)
                assert understood == [line for line in lines if line.startswith("< ")], name
                head = f"# {' and '.join(PROGRAMS[program])} over {door}\n"
                (TRANSCRIPTS / f"{name}.txt").write_text(head + "\n".join(lines) + "\n")
    finally:
        server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        record(Path(place))
        sys.exit()
