"""A server in this process, its worker in another, and real clients at every door."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import DEADLINE_S, DOUBLE, RATE, Running, wait_for_a_step, wait_until

from daw_bridge.client import Client, JobCancelled
from daw_bridge.wire import ServerError, ServerNotRunning
from engine.errors import RequestError
from engine.region import read
from server.config import Config
from server.executor_process import worker_environment
from server.jobs import MAX_ATTEMPTS, Jobs
from server.osc import Message, encode


@pytest.fixture(params=["udp", "tcp", "unix"])
def client(server: Running, request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "unix" and not server.conf.socket:
        pytest.skip("no unix sockets here")
    with Client.connect(server.folder, request.param) as client:
        yield client


def test_a_region_goes_in_and_a_take_comes_back(client: Client, clip_file: Path) -> None:
    fractions: list[float] = []
    job = client.submit(
        edit="transfer", path=clip_file, start=100, frames=2000, prompt="x", takes=2, seed=7
    )
    takes = client.wait(job, lambda fraction, stage, left_s: fractions.append(fraction))
    source = read(clip_file, 100, 2000).samples
    assert [take.index for take in takes] == [1, 2]
    assert [take.seed for take in takes] == [7, 8]
    assert takes[0].score == 0.5
    assert np.isnan(takes[1].score)
    made = read(takes[0].path)
    assert (made.rate, takes[0].frames, takes[0].channels) == (RATE, 2000, 2)
    assert np.array_equal(made.samples, -source)
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)
    assert client.status(job)[:2] == ("done", 1.0)


def test_audio_goes_both_ways_over_the_stream(client: Client) -> None:
    samples = np.linspace(-1, 1, 3000, dtype="<f4").reshape(-1, 3)
    upload = client.put(samples.tobytes(), 48000, 3)
    job = client.submit(edit="vary", upload=upload, amount=0.4)
    client.wait(job)
    rate, channels, data = client.get(job, 1)
    assert (rate, channels) == (48000, 3)
    assert np.array_equal(np.frombuffer(data, "<f4").reshape(-1, 3), -samples)


def test_an_upload_may_be_sent_twice_but_not_changed(server: Running) -> None:
    with Client.connect(server.folder, "tcp") as client:
        client.put(b"\0" * 8, 48000, 1, "u1")
        client.put(b"\0" * 8, 48000, 1, "u1")
        with pytest.raises(ServerError, match="other audio") as caught:
            client.put(b"\0" * 12, 48000, 1, "u1")
        assert caught.value.code == "conflict"
        with pytest.raises(ServerError, match="multiple of 8") as caught:
            client.put(b"\0" * 12, 48000, 2, "u2")
        assert caught.value.code == "bad-value"


def test_submit_is_idempotent(client: Client, clip_file: Path, name: str) -> None:
    keys: dict[str, Any] = {"edit": "transfer", "path": clip_file, "prompt": "same"}
    client.wait(client.submit(name, **keys))
    assert client.submit(name, **keys) == name
    assert len(client.wait(name)) == 1
    with pytest.raises(ServerError) as caught:
        client.submit(name, **keys | {"prompt": "other"})
    assert caught.value.code == "conflict"
    assert caught.value.message.startswith(f"job {name!r} is there already")


@pytest.mark.parametrize("door", ["udp", "tcp"])
def test_cancel_stops_within_a_step_and_touches_that_job_only(
    fresh: Running, clip_file: Path, door: str
) -> None:
    with Client.connect(fresh.folder, door) as client:
        _cancel_one_of_three(fresh, client, clip_file)


def _cancel_one_of_three(fresh: Running, client: Client, clip_file: Path) -> None:
    running = client.submit(edit="transfer", path=clip_file, prompt="slow")
    waiting = client.submit(edit="transfer", path=clip_file, prompt="quick")
    doomed = client.submit(edit="transfer", path=clip_file, prompt="never")
    wait_for_a_step(client, running)
    assert client.cancel(doomed) == "cancelled"
    assert client.cancel(running) == "cancelled"
    with pytest.raises(JobCancelled):
        client.wait(running)
    assert len(client.wait(waiting)) == 1
    lines = fresh.steps.read_text().splitlines()
    slow = [line for line in lines if line.startswith("slow")]
    assert len(slow) < 1000  # far from the 3000 it would have taken
    assert lines[len(slow) :] == [f"quick {step}" for step in range(4)]
    assert not list((fresh.folder / "spool").glob(f"{running}.*.wav"))


def test_cancel_of_an_ended_or_unknown_job(client: Client, clip_file: Path) -> None:
    job = client.submit(edit="transfer", path=clip_file, prompt="x")
    client.wait(job)
    assert client.cancel(job) == "done"
    with pytest.raises(ServerError) as caught:
        client.cancel("nobody")
    assert caught.value.code == "unknown-job"


@pytest.mark.parametrize(
    ("prompt", "code"),
    [("die", "worker-died"), ("memory", "out-of-memory"), ("break", "internal")],
)
def test_a_failing_job_fails_alone(
    server: Running, clip_file: Path, prompt: str, code: str
) -> None:
    with Client.connect(server.folder) as client:
        job = client.submit(edit="transfer", path=clip_file, prompt=prompt)
        with pytest.raises(ServerError) as caught:
            client.wait(job)
        assert caught.value.code == code
        assert client.status(job)[0] == "failed"
        assert len(client.wait(client.submit(edit="transfer", path=clip_file, prompt="fine"))) == 1


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({}, "bad-request"),
        ({"edit": "transmute"}, "unknown-edit"),
        ({"preset": "rain"}, "unknown-preset"),
        ({"edit": "transfer"}, "bad-request"),
        ({"edit": "transfer", "path": "clip.wav"}, "bad-value"),
        ({"edit": "transfer", "path": "/c.wav", "upload": "u"}, "bad-request"),
        ({"edit": "transfer", "upload": "nothing"}, "no-such-file"),
        ({"edit": "transfer", "upload": "../x"}, "bad-value"),
        ({"edit": "transfer", "path": "/c.wav", "colour": "red"}, "unknown-key"),
        ({"edit": "transfer", "path": "/c.wav", "cutoff": 9.0}, "unknown-key"),
        ({"edit": "transfer", "path": "/c.wav", "strength": 1.5}, "bad-value"),
        ({"edit": "transfer", "path": "/c.wav", "start": -1}, "bad-value"),
        ({"edit": "transfer", "path": "/c.wav", "prompt": "x" * 2001}, "too-long"),
        ({"edit": "inpaint", "path": "/c.wav", "hole": "1:2:3"}, "bad-value"),
        ({"edit": "generate", "path": "/c.wav"}, "unknown-key"),
    ],
)
def test_what_cannot_be_met_is_refused_with_a_code(
    server: Running, keys: dict[str, Any], code: str
) -> None:
    with Client.connect(server.folder) as client:
        with pytest.raises(ServerError) as caught:
            client.submit("refused", **keys)
        assert caught.value.code == code
        with pytest.raises(ServerError, match="no job is called 'refused'"):
            client.status("refused")


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"path": "/no/such.wav"}, "no-such-file"),
        ({"path": __file__}, "unreadable-audio"),
        ({"start": 10**6}, "region-outside-file"),
        ({"model": "missing"}, "unknown-model"),
    ],
)
def test_what_shows_only_later_fails_the_job(
    server: Running, clip_file: Path, keys: dict[str, Any], code: str
) -> None:
    with Client.connect(server.folder) as client:
        job = client.submit(**{"edit": "transfer", "path": clip_file} | keys)
        with pytest.raises(ServerError) as caught:
            client.wait(job)
        assert caught.value.code == code


@pytest.mark.parametrize("job", ["", "../up", "a/b", ".hidden", "x" * 65, "a\\b", "é"])
def test_job_names_are_file_names(server: Running, clip_file: Path, job: str) -> None:
    with Client.connect(server.folder) as client:
        with pytest.raises(ServerError) as caught:
            client._ask(client._pack("/retake/submit", job), "/retake/queued", subject=job)
        assert caught.value.code == "bad-value"


def test_lists(client: Client, clip_file: Path, name: str) -> None:
    client.wait(client.submit(name, edit="vary", path=clip_file))
    assert {entry[0] for entry in client.items("edits")} >= {"transfer", "inpaint", "loop"}
    assert {"telephone", "cathedral"} <= {entry[0] for entry in client.items("presets")}
    assert (name, "vary", "done") in client.items("jobs")
    with pytest.raises(ServerError, match="must be one of edits"):
        client.items("secrets")


def test_a_watcher_hears_other_clients_jobs(server: Running, clip_file: Path, name: str) -> None:
    with Client.connect(server.folder, "tcp") as watcher, Client.connect(server.folder) as client:
        watcher.watch()
        client.submit(name, edit="transfer", path=clip_file, prompt="x")
        names = [event.name for event in watcher.events(name)]
        assert names[0] == "started"
        assert names[-2:] == ["take", "done"]


def test_the_status_file_tells_the_same(server: Running, clip_file: Path) -> None:
    with Client.connect(server.folder) as client:
        client.wait(client.submit("filed", edit="transfer", path=clip_file, prompt="x"))
    path = server.folder / "spool" / "filed.status"
    wait_until(lambda: "state=done\n" in path.read_text())
    text = path.read_text()
    assert f"take=1 {RATE // 10} {RATE} 2 0 0.500000 " in text


def test_jobs_are_taken_in_turn_over_clients(fresh: Running, clip_file: Path) -> None:
    with (
        Client.connect(fresh.folder, "tcp") as flood,
        Client.connect(fresh.folder, "tcp") as other,
    ):
        blocker = flood.submit(edit="transfer", path=clip_file, prompt="slow")
        wait_for_a_step(flood, blocker)
        flooded = [
            flood.submit(edit="transfer", path=clip_file, prompt=f"flood {i}") for i in range(5)
        ]
        mine = other.submit(edit="transfer", path=clip_file, prompt="mine")
        front = flood.submit(edit="transfer", path=clip_file, prompt="front", priority="front")
        flood.cancel(blocker)
        flood.wait(flooded[-1])
        assert other.status(mine)[0] == flood.status(front)[0] == "done"
    order = [line[:-2] for line in fresh.steps.read_text().splitlines() if line.endswith(" 0")]
    assert order[:4] == ["slow", "front", "mine", "flood 0"]


@pytest.mark.parametrize("said", ["flood", ""])
def test_a_flood_from_fresh_ports_keeps_nobody_waiting(
    fresh: Running, clip_file: Path, said: str
) -> None:
    keys: dict[str, Any] = {"edit": "transfer", "path": clip_file}
    with (
        Client.connect(fresh.folder, "tcp", name="blocker") as blocker,
        Client.connect(fresh.folder, "tcp", name="studio") as studio,
    ):
        studio.wait(studio.submit(prompt="served once", **keys))
        slow = blocker.submit(prompt="slow", **keys)
        wait_for_a_step(blocker, slow)
        for number in range(10):
            submit_from_a_fresh_port(fresh, said, f"flood-{number}", clip_file)
        mine = studio.submit(prompt="mine", **keys)
        again = studio.submit(prompt="again", **keys)
        blocker.cancel(slow)
        studio.wait(mine)
        studio.wait(again)
        blocker.wait("flood-9")
    lines = fresh.steps.read_text().splitlines()
    order = [line[:-2] for line in lines if line.endswith(" 0") and not line.startswith("slow")]
    assert order[:5] == ["served once", "flood", "mine", "flood", "again"]


def submit_from_a_fresh_port(server: Running, said: str, job: str, clip: Path) -> None:
    pairs = ("edit", "transfer", "path", str(clip), "prompt", "flood")
    submit = Message("/retake/submit", "s" * 8, (server.conf.token, job, *pairs))
    hello = Message("/retake/hello", "ssi", (server.conf.token, said, 1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", server.conf.udp))
        for message in [hello, submit] if said else [submit]:
            sock.send(encode(message))
            assert sock.recv(65507).startswith(message.address.replace("submit", "queued").encode())


def test_jobs_outlive_the_server(fresh: Running, clip_file: Path) -> None:
    with Client.connect(fresh.folder) as client:
        running = client.submit(edit="transfer", path=clip_file, prompt="slow")
        queued = client.submit(edit="transfer", path=clip_file, prompt="later")
        wait_for_a_step(client, running)
    fresh.stop()
    assert not (fresh.folder / "server.conf").exists()
    again = Running(fresh.folder)
    try:
        with Client.connect(fresh.folder) as client:
            wait_for_a_step(client, running)
            assert client.cancel(running) == "cancelled"
            assert len(client.wait(queued)) == 1
    finally:
        again.stop()


def test_a_server_that_is_stopped_uses_up_no_attempt(tmp_path: Path, clip_file: Path) -> None:
    folder = tmp_path / "state"
    for number in range(MAX_ATTEMPTS + 1):
        running = Running(folder)
        with Client.connect(folder) as client:
            client.submit("long", edit="transfer", path=clip_file, prompt="short")
            wait_for_a_step(client, "long")
        if number == 1:  # a worker that is told to leave may be at its last step
            (folder / "spool" / "long.1.wav").write_bytes(b"a take of this job")
        running.stop()
        assert "state=queued\n" in (folder / "spool" / "long.status").read_text()
        assert not list((folder / "spool").glob("*.wav"))
    last = Running(folder)
    try:
        with Client.connect(folder) as client:
            assert len(client.wait("long")) == 1
    finally:
        last.stop()
    assert Jobs(folder / "jobs.sqlite").get("long").attempts == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_jobs_outlive_a_killed_server_and_its_worker_does_not(
    tmp_path: Path, clip_file: Path
) -> None:
    folder, steps = tmp_path / "state", tmp_path / "steps.log"
    code = (
        "import sys; from pathlib import Path; from server.serve import Settings, serve\n"
        "serve(Settings(Path(sys.argv[1]), 0, 0, 'double', command=sys.argv[2:]))"
    )
    command = [sys.executable, "-c", code, str(folder), sys.executable, str(DOUBLE), str(steps)]
    process = subprocess.Popen(command, env=worker_environment(), stderr=subprocess.DEVNULL)
    wait_until((folder / "server.conf").exists)
    with Client.connect(folder) as client:
        running = client.submit(edit="transfer", path=clip_file, prompt="slow")
        queued = client.submit(edit="transfer", path=clip_file, prompt="later")
        wait_for_a_step(client, running)
    process.kill()
    process.wait()
    n_steps = 0

    def stands_still() -> bool:
        nonlocal n_steps
        n_before, n_steps = n_steps, len(steps.read_text().splitlines())
        return n_before == n_steps

    wait_until(stands_still, every_s=20 * 0.01)
    again = Running(folder)
    try:
        with Client.connect(folder) as client:
            wait_for_a_step(client, running)
            assert client.cancel(running) == "cancelled"
            assert len(client.wait(queued)) == 1
    finally:
        again.stop()


def test_a_stored_request_nobody_can_read_fails_alone(tmp_path: Path, clip_file: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    jobs = Jobs(folder / "jobs.sqlite")
    jobs.submit("old", "me", '{"edit": "transmute", "values": {}}')
    jobs.close()
    running = Running(folder)
    try:
        with Client.connect(folder) as client:
            with pytest.raises(ServerError, match="another version"):
                client.wait("old")
            assert len(client.wait(client.submit(edit="vary", path=clip_file))) == 1
    finally:
        running.stop()


def test_one_server_a_state_folder(server: Running) -> None:
    with pytest.raises(RequestError, match=r"a server runs already in .* \(pid \d+\)"):
        Running(server.folder)


def test_takes_of_an_unknown_past_are_not_written_over(tmp_path: Path, clip_file: Path) -> None:
    spool = tmp_path / "state" / "spool"
    spool.mkdir(parents=True)
    (spool / "old.1.wav").write_bytes(b"precious")
    running = Running(tmp_path / "state")
    try:
        with Client.connect(running.folder) as client:
            with pytest.raises(ServerError) as caught:
                client.submit("old", edit="transfer", path=clip_file)
            assert caught.value.code == "conflict"
    finally:
        running.stop()
    assert (spool / "old.1.wav").read_bytes() == b"precious"


def test_no_server_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ServerNotRunning, match="retake serve"):
        Client.connect(tmp_path)
    stale = Config(1, "0", 1, 1, 1, "", "", "t")
    (tmp_path / "server.conf").write_text(stale.text())
    with pytest.raises(ServerNotRunning, match="retake serve"):
        Client.connect(tmp_path)
