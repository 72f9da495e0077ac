"""Jobs on a real Ray cluster of two nodes on this machine, one of which is killed in mid-job.

Skipped only where Ray isn't installed (the extra `ray`).
"""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from running import wait_for_a_step, wait_until

from daw_bridge.client import Client, JobCancelled
from daw_bridge.wire import ServerError
from engine import Engine
from engine.edits import Transfer
from engine.region import Region, read, write
from server.executor_process import worker_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray isn't installed"),
]

CLUSTER = Path(__file__).with_name("ray_cluster.py")
RATE = 44100
#: Starting a node's processes takes its time on a machine that is busy.
NODE_S = 240.0
LONG = 250  # steps: some seconds


class Nodes:
    """The cluster, in a process of its own."""

    def __init__(self) -> None:
        environment = worker_environment() | {
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(CLUSTER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self._process.stdout
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            self._process.communicate()
            pytest.fail("the cluster doesn't start")

    def tell(self, order: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def close(self) -> None:
        """Stop every process of the cluster."""
        if self._process.poll() is None:
            self._process.communicate("stop\n", timeout=NODE_S)


class RayServer:
    """`retake serve --executor ray`, as a user starts it."""

    def __init__(self, folder: Path, address: str, model: Path) -> None:
        self.folder = folder
        options = ["--executor", "ray", "--address", address, "--device", "cpu"]
        options += ["--model", str(model), "--state-dir", str(folder)]
        command = [sys.executable, "-m", "server.cli", "serve", *options]
        self._process = subprocess.Popen(
            [*command, "--udp-port", "0", "--tcp-port", "0"],
            env=worker_environment() | {"OMP_NUM_THREADS": "1"},
        )
        wait_until(lambda: (folder / "server.conf").exists() or self.is_over, 0.1, NODE_S)

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait_for(self, device: str) -> None:
        """Until hello says so of the cluster."""
        with Client.connect(self.folder, "tcp") as client:
            wait_until(lambda: device in client.hello().device, 0.2, NODE_S)

    def attempts(self) -> dict[str, int]:
        db = sqlite3.connect(f"file:{self.folder}/jobs.sqlite?mode=ro", uri=True)
        try:
            return dict(db.execute("SELECT name, attempts FROM job"))
        finally:
            db.close()

    def close(self) -> None:
        self._process.terminate()
        assert self._process.wait(60) is not None


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.close()


@pytest.fixture(scope="module")
def server(
    nodes: Nodes, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RayServer]:
    server = RayServer(tmp_path_factory.mktemp("ray") / "state", nodes.address, tiny_folder)
    try:
        server.wait_for("1 slot, cpu")
        nodes.tell("add")
        server.wait_for("2 slots, cpu")
        yield server
    finally:
        server.close()


@pytest.fixture
def clip_path(tmp_path: Path, clip: Region) -> Path:
    path = tmp_path / "clip.wav"
    write(path, clip.samples, clip.rate)
    return path


def test_a_take_of_the_cluster_is_the_one_made_here(
    server: RayServer, clip_path: Path, tiny_folder: Path
) -> None:
    wanted = Engine.load(tiny_folder, "cpu", threads=1).takes(
        read(clip_path, 1000, 30000), Transfer(prompt="rain", steps=3, takes=2, seed=4)
    )
    with Client.connect(server.folder, "tcp") as client:
        keys = {"edit": "transfer", "prompt": "rain", "steps": 3, "takes": 2, "seed": 4}
        fractions: list[float] = []
        job = client.submit(path=clip_path, start=1000, frames=30000, **keys)
        takes = client.wait(job, lambda fraction, stage, left_s: fractions.append(fraction))
        for take, expected in zip(takes, wanted, strict=True):
            made = read(take.path)
            assert (made.rate, take.seed) == (expected.rate, expected.seed)
            assert take.score == pytest.approx(expected.score, abs=1e-5)
            assert np.array_equal(made.samples, expected.samples)
        assert fractions == sorted(fractions)
        assert len(set(fractions)) > 3

        samples = read(clip_path).samples
        upload = client.put(samples.tobytes(), RATE, 2)
        job = client.submit(upload=upload, edit="vary", amount=0.4, steps=2)
        assert client.wait(job)[0].frames == len(samples)


def test_a_cancel_reaches_the_node_and_that_job_only(server: RayServer, clip_path: Path) -> None:
    with Client.connect(server.folder, "tcp") as client:
        stays = client.submit(edit="transfer", path=clip_path, prompt="x", steps=100)
        goes = client.submit(edit="transfer", path=clip_path, prompt="y", steps=1000)
        wait_for_a_step(client, goes)
        client.cancel(goes)
        with pytest.raises(JobCancelled):
            client.wait(goes)
        assert len(client.wait(stays)) == 1
        assert not list((server.folder / "spool").glob(f"{goes}.*.wav"))


def test_mistakes_have_their_codes_there_too(server: RayServer, clip_path: Path) -> None:
    with Client.connect(server.folder, "tcp") as client:
        for keys, code in (
            ({"path": clip_path.with_name("none.wav")}, "no-such-file"),
            ({"path": clip_path, "start": 10**9}, "region-outside-file"),
            ({"path": clip_path, "model": "nobody/nothing"}, "unknown-model"),
        ):
            with pytest.raises(ServerError) as caught:
                client.wait(client.submit(edit="vary", steps=1, **keys))
            assert caught.value.code == code
        assert len(client.wait(client.submit(edit="vary", steps=1, path=clip_path))) == 1


def endings_until(watcher: Client, last: str) -> list[str]:
    """The jobs that ended, as often as they did, up to one."""
    ended = []
    for job, event in watcher.all_events():
        if event.name in ("done", "fail", "cancelled"):
            ended.append(job)
        if job == last and event.name == "done":
            break
    return ended


def test_a_node_that_is_killed_in_mid_job_loses_nothing(
    server: RayServer, nodes: Nodes, clip_path: Path, clip: Region
) -> None:
    with (
        Client.connect(server.folder, "tcp") as client,
        Client.connect(server.folder, "tcp", name="watcher") as watcher,
    ):
        names = [f"killed-{index}" for index in range(6)]
        watcher.watch(True)
        for index, name in enumerate(names):
            steps = LONG if index < 2 else 5
            client.submit(name, edit="transfer", path=clip_path, prompt=name, steps=steps)
        for name in names[:2]:
            wait_for_a_step(client, name)
        assert [client.status(name)[0] for name in names] == ["running"] * 2 + ["queued"] * 4
        nodes.tell("kill")
        takes = {name: client.wait(name) for name in names}
        attempts = server.attempts()
        assert sorted(attempts[name] for name in names) == [1, 1, 1, 1, 1, 2]
        assert max(attempts, key=lambda name: attempts[name]) in names[:2]
        for made in takes.values():
            assert [(take.index, take.frames, take.channels) for take in made] == [
                (1, clip.n_frames, 2)
            ]
            assert read(made[0].path).samples.shape == clip.samples.shape
        client.submit("last", edit="vary", path=clip_path, steps=1)
        assert sorted(endings_until(watcher, "last")) == sorted([*names, "last"])
        files = {path.name for path in (server.folder / "spool").glob("killed-*.wav")}
        assert files == {f"{name}.1.wav" for name in names}
        assert not list((server.folder / "spool").glob("*.part"))
    nodes.tell("add")
    server.wait_for("2 slots, cpu")


def test_a_server_outlives_its_cluster(server: RayServer, nodes: Nodes, clip_path: Path) -> None:
    """The last test: it takes the cluster away."""
    with Client.connect(server.folder, "tcp") as client:
        running = client.submit(edit="transfer", path=clip_path, prompt="x", steps=1000)
        wait_for_a_step(client, running)
        nodes.close()
        wait_until(lambda: client.status(running)[0] == "queued", 0.2, NODE_S)
        waiting = client.submit(edit="vary", path=clip_path)
        assert client.status(waiting)[0] == "queued"
        assert not server.is_over
        client.cancel(running)
        with pytest.raises(JobCancelled):
            client.wait(running)
