"""Status files: hosts without sockets know nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from running import Running, wait_until

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from server import spool, spool_files, status_files
from server.jobs import Jobs
from server.status_files import StatusFiles


def state_in(path: Path) -> str:
    return dict(spool.read_lines(path.read_text(encoding="utf-8")))["state"]


def test_what_cannot_be_written_now_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a host that reads the file just then is enough."""
    monkeypatch.setattr(status_files, "AGAIN_S", 0.01)
    jobs = Jobs(tmp_path / "jobs.sqlite")
    jobs.submit("a", "me", "{}")
    running = jobs.move("a", "start")
    real, tries = spool_files.replace_text, []

    def refuse_thrice(path: Path, text: str) -> None:
        tries.append(text)
        if len(tries) in (2, 3, 4):
            raise PermissionError(13, "another program reads it")
        real(path, text)

    async def tell() -> None:
        files = StatusFiles(tmp_path)
        files.write(running)
        await files.written()
        assert state_in(tmp_path / "a.status") == "running"
        files.write(running, (0.5, "denoising", 1.0))
        await files.written()
        files.write(jobs.move("a", "finish"))  # and what failed before is out of date
        while state_in(tmp_path / "a.status") != "done":
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    monkeypatch.setattr(spool_files, "replace_text", refuse_thrice)
    asyncio.run(asyncio.wait_for(tell(), 60))
    assert state_in(tmp_path / "a.status") == "done"
    assert len(tries) == 5


def test_who_asks_gets_the_file_put_right(fresh: Running, clip_file: Path) -> None:
    """A power cut may leave an older word than the store's."""
    with Client.connect(fresh.folder, "tcp") as client:
        job = client.submit(edit="transfer", path=clip_file, prompt="fine")
        client.wait(job)
        path = fresh.folder / "spool" / f"{job}.status"
        wait_until(lambda: path.exists() and state_in(path) == "done")
        path.write_text(path.read_text().replace("state=done", "state=running"))
        assert client.status(job)[0] == "done"
        wait_until(lambda: state_in(path) == "done")


def test_a_refusal_goes_once_the_name_is_a_job_s(fresh: Running, clip_file: Path) -> None:
    folder = fresh.folder / "spool"
    with Client.connect(fresh.folder, "tcp") as client:
        busy = client.submit(edit="transfer", path=clip_file, prompt="slow")
        (folder / "door.request").write_text("edit=transfr\n")
        path = folder / "door.status"
        wait_until(lambda: path.exists() and state_in(path) == "refused")
        (folder / ".door").write_text(f"edit=transfer\npath={clip_file}\nprompt=fine\n")
        (folder / ".door").replace(folder / "door.request")
        wait_until(lambda: state_in(path) == "queued")
        client.cancel(busy)
        wait_until(lambda: state_in(path) == "done")


def test_asking_for_a_running_job_again_never_ends_it(
    fresh: Running, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client.connect(fresh.folder, "tcp") as client:
        job = client.submit(edit="transfer", path=clip_file, prompt="short")

        async def fail(self: object) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr("server.on_disk.OnDisk.wait", fail)
            with (
                Client.connect(fresh.folder, "tcp") as other,
                pytest.raises(ServerError, match="Input/output error"),
            ):
                other.submit(job, edit="transfer", path=clip_file, prompt="short")
        assert len(client.wait(job)) == 1


def test_an_ended_job_is_known_without_its_upload(fresh: Running) -> None:
    with Client.connect(fresh.folder, "tcp") as client:
        upload = client.put(bytes(4 * 4800), 48000, 1)
        job = client.submit(edit="transfer", upload=upload, prompt="fine")
        client.wait(job)
        spool.upload_path(fresh.folder / "spool", upload).unlink()
        assert client.submit(job, edit="transfer", upload=upload, prompt="fine") == job
        assert len(client.wait(job)) == 1


def test_the_same_upload_again_is_young_again(fresh: Running) -> None:
    """Retention leaves what is young: a job for it is to come."""
    with Client.connect(fresh.folder, "tcp") as client:
        upload = client.put(bytes(4 * 4800), 48000, 1)
        path = spool.upload_path(fresh.folder / "spool", upload)
        os.utime(path, (1e9, 1e9))
        client.put(bytes(4 * 4800), 48000, 1, upload)
        assert path.stat().st_mtime > time.time() - 3600
