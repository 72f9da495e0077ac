"""The spool door: a host that can only write and read files."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from running import DEADLINE_S, RATE, Running, wait_until

from daw_bridge.client import Client
from engine.errors import FaultError, RequestError
from engine.region import read
from server import spool, spool_files
from server.folder_watch import FolderWatch, parse_events
from server.messages import build
from server.osc import Message
from server.spool import MAX_REQUEST_BYTES, parse_request
from server.spool_door import SpoolDoor

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


@pytest.fixture
def folder(server: Running) -> Path:
    return server.folder / "spool"


def ask(folder: Path, name: str, text: str | bytes) -> None:
    """Write a request as a host does: beside, then renamed."""
    temporary = folder / f".{name}.tmp"
    temporary.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(temporary, folder / f"{name}.request")


def answer(path: Path, key: str = "state", *values: str) -> dict[str, str]:
    """What a file of `key=value` lines says, once a key of it is there (with one of the values)."""
    found: dict[str, str] = {}

    def is_there() -> bool:
        if path.exists():
            found.update(spool.read_lines(path.read_text(encoding="utf-8")))
        return key in found and (not values or found[key] in values)

    wait_until(is_there, timeout_s=DEADLINE_S)
    return found


def ended(folder: Path, name: str) -> dict[str, str]:
    return answer(folder / f"{name}.status", "state", "done", "failed", "cancelled", "refused")


def job_request(clip_file: Path, **keys: object) -> str:
    pairs = {"edit": "transfer", "path": clip_file, "prompt": "x"} | keys
    return "".join(f"{key}={value}\n" for key, value in pairs.items())


def test_a_file_goes_in_and_a_take_comes_out(folder: Path, clip_file: Path, name: str) -> None:
    ask(folder, name, job_request(clip_file, start=100, frames=2000, takes=2, seed=7, strength=0.4))
    status = ended(folder, name)
    assert (status["state"], status["fraction"]) == ("done", "1.0000")
    *numbers, path = status["take"].split(" ", 6)
    assert numbers[:5] == ["2", "2000", str(RATE), "2", "8"]
    assert np.array_equal(read(path).samples, -read(clip_file, 100, 2000).samples / 2)
    wait_until(lambda: not (folder / f"{name}.request").exists())


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(
    folder: Path, clip_file: Path, name: str
) -> None:
    text = "# made by hand\r\n\r\n" + job_request(clip_file, prompt="ein Tür=Schlag").replace(
        "\n", "\r\n"
    )
    ask(folder, name, text.encode("utf-8-sig"))
    assert ended(folder, name)["state"] == "done"


def test_a_running_job_is_followed_and_cancelled_by_files(
    folder: Path, clip_file: Path, name: str
) -> None:
    ask(folder, name, job_request(clip_file, prompt="slow"))
    assert answer(folder / f"{name}.status", "stage", "denoising")["state"] == "running"
    ask(folder, name, job_request(clip_file, prompt="another"))
    told = answer(folder / f"{name}.status", "refused")
    assert told["refused"].startswith("conflict job ")
    assert told["state"] == "running"
    ask(folder, name, "request=cancel\n")
    assert ended(folder, name)["state"] == "cancelled"
    assert not list(folder.glob(f"{name}.*.wav"))


def test_lists_and_hello_are_answered_beside(server: Running, folder: Path, name: str) -> None:
    ask(folder, name, "request=list\nkind=edits\n")
    answer(folder / f"{name}.answer", "end")
    lines = spool.read_lines((folder / f"{name}.answer").read_text())
    items = [value.split("\t")[0] for key, value in lines if key == "item"]
    assert lines[-1] == ("end", str(len(items)))
    assert {"transfer", "inpaint", "loop"} <= set(items)
    ask(folder, f"{name}-2", "request=hello\nclient=me\n")
    assert answer(folder / f"{name}-2.answer", "end")["protocol"] == "1"


def test_both_doors_speak_of_the_same_jobs(
    server: Running, folder: Path, clip_file: Path, name: str
) -> None:
    ask(folder, name, job_request(clip_file))
    assert ended(folder, name)["state"] == "done"
    with Client.connect(server.folder) as client:
        assert client.status(name)[0] == "done"
        assert len(client.wait(name)) == 1


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("edit=transmute\n", "unknown-edit", "transmute"),
        ("edit=transfer\npath=clip.wav\n", "bad-value", "absolute"),
        ("edit=transfer\npath=/c.wav\nstrength=much\n", "bad-value", "much"),
        ("edit=transfer\npath=/c.wav\ntakes=1.5\n", "bad-value", "1.5"),
        (f"edit=transfer\npath=/c.wav\nstart={10**400}\n", "bad-request", "whole number"),
        ("edit=transfer\ncolour=red\n", "unknown-key", "colour"),
        ("request=put\n", "bad-request", "put"),
        ("request=cancel\n", "unknown-job", "no job"),
        ("just words\n", "bad-request", "key=value"),
        (b"edit=\xff\xfe\n", "bad-request", "UTF-8"),
        (b"edit=trans\0fer\n", "bad-request", "zero byte"),
        (b"#" * (MAX_REQUEST_BYTES + 1), "bad-request", str(MAX_REQUEST_BYTES)),
    ],
)
def test_what_cannot_be_met_is_refused_in_the_status_file(
    folder: Path, name: str, text: str | bytes, code: str, word: str
) -> None:
    ask(folder, name, text)
    status = ended(folder, name)
    assert (status["state"], status["code"]) == ("refused", code)
    assert word in status["message"]
    wait_until(lambda: not (folder / f"{name}.request").exists())


@needs_links
def test_links_pipes_and_folders_are_refused_and_what_they_lead_to_stays(
    folder: Path, clip_file: Path, name: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(job_request(clip_file))
    (folder / f"{name}-soft.request").symlink_to(secret)
    os.link(secret, folder / f"{name}-hard.request")
    os.mkfifo(folder / f"{name}-pipe.request")
    (folder / f"{name}-dir.request").mkdir()
    for kind, word in (("soft", "link"), ("hard", "link"), ("pipe", "plain"), ("dir", "plain")):
        status = ended(folder, f"{name}-{kind}")
        assert status["state"] == "refused"
        assert word in status["message"]
    assert secret.read_text() == job_request(clip_file)
    wait_until(lambda: not list(folder.glob(f"{name}-*.request")))


def test_names_that_are_no_names_are_refused(folder: Path, name: str) -> None:
    ask(folder, f"two words {name}", "request=hello\n")
    assert ended(folder, f"two words {name}")["code"] == "bad-value"


def test_a_request_nobody_waits_for_is_refused(folder: Path, clip_file: Path, name: str) -> None:
    temporary = folder / f".{name}"
    temporary.write_text(job_request(clip_file))
    os.utime(temporary, (time.time() - 7200,) * 2)
    os.replace(temporary, folder / f"{name}.request")
    assert "2.0 h" in ended(folder, name)["message"]


@needs_links
def test_another_users_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.request"
    path.write_text("request=hello\n")
    assert spool_files.read_request(path) == b"request=hello\n"
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(RequestError, match=f"belongs to user {user}"):
        spool_files.read_request(path)


def test_a_half_written_request_is_left_alone(folder: Path, name: str) -> None:
    half = folder / f".{name}.request"
    half.write_text("request=he")
    ask(folder, name, "request=hello\n")
    answer(folder / f"{name}.answer", "end")
    assert half.read_text() == "request=he"


def test_requests_of_one_name_are_all_answered_in_turn(
    folder: Path, clip_file: Path, name: str
) -> None:
    ask(folder, name, job_request(clip_file, prompt="slow"))
    wait_until(lambda: not (folder / f"{name}.request").exists())  # taken, perhaps not answered yet
    ask(folder, name, "request=cancel\n")
    assert ended(folder, name)["state"] == "cancelled"


def test_what_a_killed_server_had_taken_is_taken_up_again(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "spool"
    folder.mkdir(parents=True)
    (folder / ".old.request.taken").write_text("request=hello\n")
    running = Running(tmp_path / "state")
    try:
        answer(folder / "old.answer", "end")
    finally:
        running.stop()


def test_where_nothing_tells_of_files_the_folder_is_looked_at(
    tmp_path: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderWatch, "open", lambda self: None)
    running = Running(tmp_path / "state")
    folder = running.folder / "spool"
    try:
        for name in ("one", "two"):
            ask(folder, name, job_request(clip_file))
            assert ended(folder, name)["state"] == "done"
        half = folder / "half.request"  # opened and not written yet
        half.touch()
        ask(folder, "three", job_request(clip_file))
        assert ended(folder, "three")["state"] == "done"
        half.write_text(job_request(clip_file))
        assert ended(folder, "half")["state"] == "done"
    finally:
        running.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_files_are_told_of_as_they_come(tmp_path: Path) -> None:
    came: list[str] = []

    async def listen() -> None:
        watch = FolderWatch(tmp_path, came.extend)
        watch.open()
        assert watch.is_watching
        (tmp_path / "a").write_text("x")
        (tmp_path / ".b").write_text("x")
        os.replace(tmp_path / ".b", tmp_path / "b é")
        (tmp_path / "c").touch()
        while "c" not in came:
            await asyncio.sleep(0.01)
        watch.close()

    asyncio.run(asyncio.wait_for(listen(), DEADLINE_S))
    assert came == ["a", ".b", "b é", "c"]


def test_events_missed_are_noticed() -> None:
    one = struct.pack("iIII", 1, 0x80, 0, 8) + b"name\0\0\0\0"
    lost = struct.pack("iIII", -1, 0x4000, 0, 0)
    assert parse_events(one + one) == (["name", "name"], False)
    assert parse_events(one + lost) == (["name"], True)
    assert parse_events(one + lost[:7]) == (["name"], False)


def test_a_clients_requests_begin_in_the_order_they_were_left(
    tmp_path: Path, clip_file: Path
) -> None:
    folder = tmp_path / "state" / "spool"
    folder.mkdir(parents=True)
    for number in range(30):
        ask(folder, f"job-{number}", job_request(clip_file, client="me", prompt=f"p{number}"))
        os.utime(folder / f"job-{number}.request", (time.time() - 60 + number,) * 2)
    running = Running(tmp_path / "state")
    try:
        ended(folder, "job-29")
        begun = [line[:-2] for line in running.steps.read_text().splitlines() if line[-2:] == " 0"]
    finally:
        running.stop()
    assert begun == [f"p{number}" for number in range(30)]


def test_values_get_their_own_types() -> None:
    text = "path=7\nstart=10\nstrength=0.5\ntakes=2\nprompt=3\nseed=-1\nclient=a  b\n"
    request = parse_request("job", text.encode())
    assert request.client == "spool a b"
    pairs = dict(zip(request.message.args[1::2], request.message.args[2::2], strict=True))
    wanted = {"path": "7", "start": 10, "strength": 0.5, "takes": 2, "prompt": "3", "seed": -1}
    assert pairs == wanted
    assert all(type(pairs[key]) is type(value) for key, value in wanted.items())


def test_every_answer_that_stands_apart_becomes_lines() -> None:
    hello = build("/retake/hello", "1", 1, "pocket", "cpu", "/spool")
    assert spool.answer_lines(hello)[-1] == ("end", "1")
    item = build("/retake/item", "edits", "loop", "about", more=("seam",))
    assert spool.answer_lines(item) == [("item", "loop\tabout\tseam")]
    assert spool.answer_lines(Message("/retake/end", "si", ("edits", 7))) == [("end", "7")]


def test_no_room_is_said_with_its_numbers(tmp_path: Path) -> None:
    spool_files.check_room(tmp_path, 0, 0)
    with pytest.raises(FaultError, match=r"\d+ MiB are free at .*make room") as caught:
        spool_files.check_room(tmp_path, 2**60, 0)
    assert caught.value.code == "out-of-disk"


@pytest.mark.skipif(sys.platform == "win32", reason="processor time of a thread")
def test_idle_the_door_costs_under_a_hundredth(tmp_path: Path) -> None:
    for i in range(500):
        (tmp_path / f"{i}.status").touch()
    os.utime(tmp_path, (time.time() - 60,) * 2)
    n_heard = 0

    class App:
        async def receive_trusted(self, peer: object, message: Message) -> None:
            nonlocal n_heard
            n_heard += 1

        def refuse_file(self, name: str, code: str, message: str) -> None:
            raise AssertionError(message)

        async def written(self) -> None:
            pass

    async def idle() -> float:
        door = SpoolDoor(App(), tmp_path)
        await door.open()
        await asyncio.sleep(0.5)
        began_s = time.thread_time()
        await asyncio.sleep(3.0)
        used_s = time.thread_time() - began_s
        ask(tmp_path, "still-awake", "request=hello\n")
        while not n_heard:
            await asyncio.sleep(0.02)
        await door.close()
        return used_s

    assert asyncio.run(asyncio.wait_for(idle(), DEADLINE_S)) < 0.03
