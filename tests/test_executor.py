"""The seam between the server and what runs its jobs: several at once, slots that come and go."""

from __future__ import annotations

import argparse
import asyncio
import io
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import DEADLINE_S, RATE, Running, wait_for_a_step, wait_until

from daw_bridge.client import Client, JobCancelled
from daw_bridge.wire import ServerError
from engine import Engine
from engine.edits import Vary
from engine.errors import RequestError
from engine.region import Region, Take, read, write
from server import executor_options, executor_process, ray_executor
from server.cli import build_parser, serve_settings
from server.ray_actor import FOLLOW_S, RaySlot
from server.ray_bridge import Bridge, Slot
from server.ray_cluster import cpus_a_slot
from server.submission import parse_pairs
from server.watchdog import Limits

DOUBLE = Path(__file__).with_name("bridge_double.py")


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    write(path, np.full((RATE // 10, 1), 0.1, np.float32), RATE)
    return path


class Clustered(Running):
    """A server whose cluster is a double's."""

    def __init__(self, tmp_path: Path, slots: int = 2, **more: Any) -> None:
        self.double = tmp_path / "double"
        self.double.mkdir()
        self.set_slots(slots)
        command = [sys.executable, str(DOUBLE), str(self.double)]
        super().__init__(tmp_path / "state", executor="ray", command=command, **more)

    def set_slots(self, n_slots: int) -> None:
        (self.double / "slots").write_text(str(n_slots))

    def log(self) -> list[str]:
        path = self.double / "log"
        return path.read_text().splitlines() if path.exists() else []

    def attempts(self) -> dict[str, int]:
        with sqlite3.connect(self.folder / "jobs.sqlite") as db:
            rows = dict(db.execute("SELECT name, attempts FROM job"))
        db.close()
        return rows


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Clustered]:
    running = Clustered(tmp_path)
    yield running
    running.stop()


def test_as_many_jobs_run_at_once_as_there_are_slots(cluster: Clustered, clip_path: Path) -> None:
    with Client.connect(cluster.folder, "tcp") as client:
        names = [f"slow-{index}" for index in range(4)]
        for name in names:
            client.submit(name, edit="vary", path=clip_path, prompt="slow")
        wait_until(lambda: len(cluster.log()) == 2)
        wait_for_a_step(client, names[1])
        assert [client.status(name)[0] for name in names] == ["running"] * 2 + ["queued"] * 2
        client.cancel(names[0])
        wait_until(lambda: client.status(names[2])[0] == "running")
        states = [client.status(name)[0] for name in names]
        assert states == ["cancelled", "running", "running", "queued"]
        for name in names[1:]:
            client.cancel(name)
            with pytest.raises(JobCancelled):
                client.wait(name)
        assert "cancel slow-1" in cluster.log()


def test_clients_share_the_slots(cluster: Clustered, clip_path: Path) -> None:
    with (
        Client.connect(cluster.folder, "tcp", name="one") as one,
        Client.connect(cluster.folder, "tcp", name="two") as two,
    ):
        for index in range(3):
            one.submit(f"one-{index}", edit="vary", path=clip_path, prompt="slow")
        two.submit("two-0", edit="vary", path=clip_path, prompt="slow")
        wait_until(lambda: len(cluster.log()) == 2)
        one.cancel("one-0")
        wait_until(lambda: len(cluster.log()) == 4)
        assert "run two-0" in cluster.log()


def test_jobs_wait_where_there_is_no_slot(tmp_path: Path, clip_path: Path) -> None:
    cluster = Clustered(tmp_path, slots=0)
    try:
        with Client.connect(cluster.folder, "tcp") as client:
            wait_until(lambda: client.hello().device == "ray: 0")
            job = client.submit(edit="vary", path=clip_path)
            assert client.status(job)[0] == "queued"
            cluster.set_slots(1)
            assert len(client.wait(job)) == 1
            assert client.hello().device == "ray: 1"
            assert cluster.attempts() == {job: 1}
    finally:
        cluster.stop()


def test_a_job_whose_node_died_is_done_by_another(cluster: Clustered, clip_path: Path) -> None:
    with Client.connect(cluster.folder, "tcp") as client:
        job = client.submit("lost", edit="vary", path=clip_path, prompt="lose")
        takes = client.wait(job)
        assert np.array_equal(read(takes[0].path).samples, read(clip_path).samples)
        assert cluster.log() == ["run lost", "run lost"]
        assert cluster.attempts() == {"lost": 2}


def test_when_the_bridge_dies_its_jobs_are_queued_again(
    cluster: Clustered, clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client.connect(cluster.folder, "tcp") as client:
        client.submit("slow", edit="vary", path=clip_path, prompt="slow")
        wait_for_a_step(client, "slow")
        client.submit("quit", edit="vary", path=clip_path, prompt="quit")
        assert len(client.wait("quit")) == 1
        wait_until(lambda: client.status("slow")[0] == "running")
        assert cluster.attempts() == {"slow": 2, "quit": 2}
        client.cancel("slow")
        with pytest.raises(JobCancelled):
            client.wait("slow")


def test_a_job_that_hangs_is_dropped_and_the_others_go_on(tmp_path: Path, clip_path: Path) -> None:
    cluster = Clustered(tmp_path, limits=Limits(stall_s=4.0))
    try:
        with Client.connect(cluster.folder, "tcp") as client:
            client.submit("slow", edit="vary", path=clip_path, prompt="slow")
            client.submit("hang", edit="vary", path=clip_path, prompt="hang")
            with pytest.raises(ServerError, match="no progress for 4 s") as caught:
                client.wait("hang")
            assert caught.value.code == "worker-died"
            assert client.status("slow")[0] == "running"
            assert cluster.attempts() == {"slow": 1, "hang": 3}
            assert cluster.log().count("drop hang") == 3
    finally:
        cluster.stop()


def test_a_bridge_that_does_not_obey_is_ended(
    tmp_path: Path, clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "DROP_S", 0.5)
    for module in (executor_process, ray_executor):
        monkeypatch.setattr(module, "FIRST_WAIT_S", 0.1)
    cluster = Clustered(tmp_path, limits=Limits(stall_s=2.0))
    try:
        with Client.connect(cluster.folder, "tcp") as client:
            job = client.submit("stubborn", edit="vary", path=clip_path, prompt="stubborn")
            with pytest.raises(ServerError, match="no progress for 2 s"):
                client.wait(job)
            assert len(client.wait(client.submit(edit="vary", path=clip_path))) == 1
    finally:
        cluster.stop()


class NoCluster:
    """Kills actors, and nothing else."""

    def kill(self, actor: Any, is_for_good: bool) -> None:
        assert actor is not None


@pytest.mark.parametrize("wish", ["cancel", "drop"])
def test_a_job_whose_actor_was_given_up_may_be_ended(wish: str) -> None:
    """The run's error comes when the actor is gone already; a cancel in between ends no bridge."""

    async def end() -> Slot:
        bridge = Bridge(NoCluster(), "pocket", "cpu", io.StringIO())  # type: ignore[arg-type]
        slot = Slot(actor=None, job="a", ticket="a 1")
        bridge._slots.append(slot)
        async with asyncio.TaskGroup() as tasks:
            bridge._obey({"do": wish, "job": "a"}, tasks)
        return slot

    assert asyncio.run(end()).wish == wish


@given(st.lists(st.integers(1, 64), min_size=1, max_size=6), st.integers(1, 40))
def test_actors_get_the_most_cpus_that_fit(cpus: list[int], n_slots: int) -> None:
    def n_fit(n_cpus: float) -> int:
        return sum(int(cpu // n_cpus) for cpu in cpus)

    share = cpus_a_slot([float(cpu) for cpu in cpus], n_slots)
    assert share == 1.0 or n_fit(share) >= n_slots
    assert n_fit(share + 1) < n_slots
    # Unless told otherwise, one a node: it fits on the smallest, and fills it.
    assert cpus_a_slot([float(cpu) for cpu in cpus]) == min(cpus)


def serve_options(*given: str) -> argparse.Namespace:
    return build_parser().parse_args(["serve", *given])


class TestOptions:
    def test_the_worker_is_the_default(self) -> None:
        settings = serve_settings(serve_options())
        assert (settings.executor, settings.limits.memory_bytes > 0) == ("local", True)

    def test_a_cluster_is_taken_as_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executor_options.importlib.util, "find_spec", lambda name: name)
        given = ("--executor", "ray", "--address", "head:6379", "--slots", "3")
        settings = serve_settings(serve_options(*given))
        assert (settings.executor, settings.address, settings.slots) == ("ray", "head:6379", 3)
        # This machine's memory says nothing of the nodes'.
        assert settings.limits.memory_bytes == 0
        assert serve_settings(serve_options("--executor", "ray")).address == "auto"

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (("--address", "head:6379"), "--executor ray"),
            (("--slots", "2"), "--executor ray"),
            (("--executor", "ray", "--address", "ray://head:10001"), "HOST:PORT"),
            (("--executor", "ray", "--address", "head"), "HOST:PORT"),
            (("--executor", "ray", "--address", ""), "HOST:PORT"),
            (("--executor", "ray", "--slots", "-1"), "from 0 to"),
            (("--executor", "ray", "--slots", "1001"), "from 0 to"),
        ],
    )
    def test_what_does_not_fit_is_named(self, given: tuple[str, ...], says: str) -> None:
        with pytest.raises(RequestError, match=says) as caught:
            serve_settings(serve_options(*given))
        assert caught.value.code == "bad-value"

    def test_a_missing_ray_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executor_options.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(RequestError, match="-m pip install ray"):
            serve_settings(serve_options("--executor", "ray"))


class TestSlot:
    """An actor's own side, without a cluster: its methods are plain ones."""

    @pytest.fixture
    def slot(self, tiny_folder: Path) -> RaySlot:
        return RaySlot(str(tiny_folder), "cpu")

    @staticmethod
    def text(**keys: Any) -> str:
        pairs = [value for pair in ({"path": "/clip.wav"} | keys).items() for value in pair]
        return parse_pairs(tuple(pairs)).to_json()

    def test_it_edits_as_the_engine_does(
        self, slot: RaySlot, clip: Region, tiny_folder: Path
    ) -> None:
        facts = slot.hello()
        assert (facts["model"], facts["device"]) == ("tiny", "cpu")
        slot.follow()
        # As it comes out of Ray's store: not to be written to.
        for samples in (clip.samples, clip.before, clip.after):
            samples.flags.writeable = False
        answer = slot.run("a 1", self.text(edit="vary", steps=2, takes=2, seed=5), clip)
        assert answer["event"] == "finish"
        expected = Engine.load(tiny_folder, "cpu").takes(clip, Vary(steps=2, takes=2, seed=5))
        for made, wanted in zip(answer["takes"], expected, strict=True):
            assert np.array_equal(made.samples, wanted.samples)
            assert (made.seed, made.score) == (wanted.seed, wanted.score)
        points, memory_bytes = slot.follow()
        fractions = [fraction for _, fraction, _ in points]
        assert {ticket for ticket, _, _ in points} == {"a 1"}
        assert fractions == sorted(fractions)
        assert (fractions[0], fractions[-1]) == (0.0, 1.0)
        assert memory_bytes > 2**20
        assert slot.follow()[0] == []

    def test_a_cancel_stops_that_run_only(self, slot: RaySlot, clip: Region) -> None:
        text = self.text(edit="vary", steps=400)
        answers: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: answers.append(slot.run("a 1", text, clip)))
        thread.start()
        n_points = 0
        while not n_points:
            n_points = sum(stage == "denoising" for _, _, stage in slot.follow()[0])
        slot.cancel("a 1")
        thread.join(DEADLINE_S)
        assert answers == [{"event": "stop"}]
        short = self.text(edit="vary", steps=1)
        assert slot.run("a 2", short, clip)["event"] == "finish"
        slot.cancel("a 3")  # comes before it begins
        assert slot.run("a 3", short, clip) == {"event": "stop"}
        assert slot._cancelled == set()  # nothing is kept of runs that are over

    def test_mistakes_come_back_with_their_codes(self, slot: RaySlot, clip: Region) -> None:
        silence = Region(np.zeros((4000, 1), np.float32), RATE)
        answer = slot.run("a 1", self.text(edit="vary", steps=1), silence)
        assert (answer["event"], answer["code"]) == ("fail", "bad-value")
        answer = slot.run("a 2", self.text(edit="vary", model="nobody/nothing"), clip)
        assert (answer["event"], answer["code"]) == ("fail", "unknown-model")
        assert isinstance(slot.run("a 3", self.text(edit="vary", steps=1), clip)["takes"][0], Take)

    def test_a_model_that_is_not_there_is_said_at_once(self, tmp_path: Path) -> None:
        facts = RaySlot(str(tmp_path / "nothing"), "cpu").hello()
        assert (facts["device"], facts["code"]) == ("none", "unknown-model")

    def test_a_follower_is_not_kept_waiting(self, slot: RaySlot) -> None:
        assert 0 < FOLLOW_S < 2
        assert slot.follow() == ([], pytest.approx(slot.follow()[1], rel=0.5))
