"""What a studio's machine does to a server in the long run: full disks, locked and broken files."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from running import RATE, Running, wait_for_a_step

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.errors import FaultError
from engine.region import read, write
from server.watchdog import Limits

KEYS = {"edit": "transfer", "prompt": "x"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB, where one can be had."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(command).returncode:
        pytest.skip("no small disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Fill a disk to the last byte."""
    path = place / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (2**16, 2**10, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return path


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def long_clip(tmp_path: Path) -> Path:
    path = tmp_path / "long.wav"
    write(path, np.full((RATE * 20, 2), 0.1, np.float32), RATE)  # 7 MiB
    return path


class TestDiskFull:
    def test_a_take_that_does_not_fit_fails_alone(self, small_disk: Path, tmp_path: Path) -> None:
        running = Running(small_disk / "state")
        try:
            with Client.connect(running.folder, "tcp") as client:
                job = client.submit(path=long_clip(tmp_path), **KEYS)
                with pytest.raises(ServerError, match="make room") as caught:
                    client.wait(job)
                assert caught.value.code == "out-of-disk"
                with pytest.raises(ServerError) as caught:
                    client.put(b"\0" * 7 * 2**20, RATE, 1)
                assert caught.value.code == "out-of-disk"
            spool = running.folder / "spool"
            assert not [path.name for path in spool.rglob("*") if "wav" in path.name]
        finally:
            running.stop()

    def test_on_a_full_disk_nothing_is_lost_and_nothing_accepted(
        self, small_disk: Path, clip_file: Path
    ) -> None:
        running = Running(small_disk / "state", limits=Limits(spare_bytes=2**18))
        try:
            with Client.connect(running.folder, "tcp") as client:
                client.wait(client.submit("before", path=clip_file, **KEYS))
                filler = fill(small_disk)
                for number in range(5):
                    with pytest.raises(ServerError, match="make room") as caught:
                        client.submit(f"full-{number}", path=clip_file, **KEYS)
                    assert caught.value.code == "out-of-disk"
                assert client.status("before")[0] == "done"
                assert client.hello().model == "double"
                filler.unlink()
                assert len(client.wait(client.submit("after", path=clip_file, **KEYS))) == 1
                with pytest.raises(ServerError, match="no job is called"):
                    client.status("full-0")
        finally:
            running.stop()

    def test_a_job_that_ends_on_a_full_disk_is_told_and_written_down(
        self, small_disk: Path, tmp_path: Path
    ) -> None:
        """The log of the store is laid out beforehand: there is room for an end in it."""
        clip = tmp_path / "clip.wav"
        write(clip, np.full((RATE // 10, 2), 0.1, np.float32), RATE)
        running = Running(small_disk / "state")
        try:
            with Client.connect(running.folder, "tcp") as client:
                job = client.submit(edit="transfer", path=clip, prompt="short")
                wait_for_a_step(client, job)
                filler = fill(small_disk)
                with pytest.raises(ServerError) as caught:
                    client.wait(job)
                assert caught.value.code == "out-of-disk"
                assert client.status(job)[0] == "failed"
                assert client.hello().model == "double"
        finally:
            running.stop()
        filler.unlink()
        again = Running(small_disk / "state")
        try:
            with Client.connect(again.folder, "tcp") as client:
                assert client.status(job)[0] == "failed"
                assert len(client.wait(client.submit("after", path=clip, **KEYS))) == 1
        finally:
            again.stop()


class TestUnwritable:
    def test_a_spool_that_cannot_be_written_refuses_jobs_and_comes_back(
        self, small_disk: Path, clip_file: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "state"
        folder.mkdir()
        (folder / "spool").symlink_to(small_disk)
        running = Running(folder)
        try:
            with Client.connect(folder, "tcp") as client:
                client.wait(client.submit("before", path=clip_file, **KEYS))
                slow = client.submit("slow", edit="transfer", path=clip_file, prompt="slow")
                wait_for_a_step(client, slow)
                remount(small_disk, "ro")
                with pytest.raises(ServerError, match="can't be written; mount it") as caught:
                    client.submit("refused", path=clip_file, **KEYS)
                assert caught.value.code == "internal"
                with pytest.raises(ServerError, match="can't be written"):
                    client.put(b"\0" * 4, RATE, 1)
                assert client.cancel(slow) == "cancelled"
                remount(small_disk, "rw")
                assert len(client.wait(client.submit("after", path=clip_file, **KEYS))) == 1
        finally:
            running.stop()

    def test_a_spool_that_is_gone_refuses_jobs(self, fresh: Running, clip_file: Path) -> None:
        spool, away = fresh.folder / "spool", fresh.folder / "away"
        spool.rename(away)
        with Client.connect(fresh.folder, "tcp") as client:
            with pytest.raises(ServerError, match="can't be written"):
                client.submit("refused", path=clip_file, **KEYS)
            away.rename(spool)
            assert len(client.wait(client.submit("after", path=clip_file, **KEYS))) == 1

    def test_a_state_folder_that_is_none_is_said_in_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("a file")
        with pytest.raises(FaultError, match=r"state can't be used: .*"):
            Running(tmp_path / "state")


class TestSourceDeleted:
    def test_before_the_job_begins_it_fails_and_the_next_goes_on(
        self, fresh: Running, clip_file: Path, tmp_path: Path
    ) -> None:
        doomed = tmp_path / "doomed.wav"
        doomed.write_bytes(clip_file.read_bytes())
        with Client.connect(fresh.folder, "tcp") as client:
            blocker = client.submit(edit="transfer", path=clip_file, prompt="slow")
            job = client.submit(path=doomed, **KEYS)
            wait_for_a_step(client, blocker)
            doomed.unlink()
            client.cancel(blocker)
            with pytest.raises(ServerError, match=r"doomed\.wav does not exist") as caught:
                client.wait(job)
            assert caught.value.code == "no-such-file"
            assert len(client.wait(client.submit(path=clip_file, **KEYS))) == 1

    def test_while_it_runs_it_has_been_read_already(
        self, fresh: Running, clip_file: Path, tmp_path: Path
    ) -> None:
        doomed = tmp_path / "doomed.wav"
        doomed.write_bytes(clip_file.read_bytes())
        with Client.connect(fresh.folder, "tcp") as client:
            job = client.submit(edit="transfer", path=doomed, prompt="short")
            wait_for_a_step(client, job)
            doomed.unlink()
            [take] = client.wait(job)
        assert np.array_equal(read(take.path).samples, -read(clip_file).samples)

    def test_an_upload_that_is_gone(self, fresh: Running) -> None:
        with Client.connect(fresh.folder, "tcp") as client:
            blocker = client.submit(edit="generate", prompt="slow", seconds=1.0)
            upload = client.put(b"\0" * 4000, RATE, 1)
            job = client.submit(edit="vary", upload=upload)
            wait_for_a_step(client, blocker)
            (fresh.folder / "spool" / "uploads" / f"{upload}.wav").unlink()
            client.cancel(blocker)
            with pytest.raises(ServerError) as caught:
                client.wait(job)
            assert caught.value.code == "no-such-file"
