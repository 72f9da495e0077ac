"""What the spool keeps and what it lets go."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from server import retention
from server.jobs import ASKED, Jobs
from server.retention import DAY_S, LITTER_S, YOUNG_S, Keep, Swept

MIB = 2**20
FOR_EVER = Keep(0, 0)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs.sqlite")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    (folder / "uploads").mkdir(parents=True)
    return folder


def now(jobs: Jobs) -> float:
    """When the last job of the store ended."""
    return max(jobs.ended().values())


def put(path: Path, n_bytes: int = 0, mtime_s: float | None = None) -> Path:
    with path.open("wb") as file:
        file.truncate(n_bytes)
    if mtime_s is not None:
        os.utime(path, (mtime_s, mtime_s))
    return path


def end(jobs: Jobs, folder: Path, name: str, n_bytes: int = 0, submission: str = "{}") -> None:
    """A job that is done, its take and its status file."""
    jobs.submit(name, "me", submission)
    jobs.move(name, "start")
    jobs.move(name, "finish")
    put(folder / f"{name}.1.wav", n_bytes)
    put(folder / f"{name}.status", 1)


def sweep(folder: Path, jobs: Jobs, keep: Keep, now_s: float) -> Swept:
    return asyncio.run(retention.sweep(folder, jobs, keep, now_s))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file() or path.is_symlink())


def test_what_is_old_goes_with_its_job(jobs: Jobs, folder: Path) -> None:
    end(jobs, folder, "old", 1000)
    at_s = now(jobs)
    assert sweep(folder, jobs, Keep(2, 0), at_s + 2 * DAY_S - 1).n_files == 0
    swept = sweep(folder, jobs, Keep(2, 0), at_s + 2 * DAY_S + 1)
    assert (swept.n_files, swept.n_bytes) == (2, 1001)
    assert names(folder) == []
    assert jobs.find("old") is None


def test_for_ever_is_for_ever(jobs: Jobs, folder: Path) -> None:
    end(jobs, folder, "old", 10 * MIB)
    sweep(folder, jobs, FOR_EVER, now(jobs) + 10**4 * DAY_S)
    assert names(folder) == ["old.1.wav", "old.status"]


def test_the_oldest_go_until_the_rest_fits(jobs: Jobs, folder: Path) -> None:
    for name in ("a", "b", "c"):
        end(jobs, folder, name, 2 * MIB)
    at_s = now(jobs) + YOUNG_S + 1
    sweep(folder, jobs, Keep(0, 4 * MIB), at_s)
    assert names(folder) == ["c.1.wav", "c.status"]  # a status file's byte was over the limit
    assert [job.name for job in jobs.latest()] == ["c"]


def test_what_is_young_stays_however_large(jobs: Jobs, folder: Path) -> None:
    end(jobs, folder, "young", 2 * MIB)
    sweep(folder, jobs, Keep(0, 1), now(jobs) + YOUNG_S - 1)
    assert names(folder) == ["young.1.wav", "young.status"]


@pytest.mark.parametrize("way", [(), ("start",), ("start", "cancel")])
def test_live_jobs_lose_nothing(jobs: Jobs, folder: Path, way: tuple[str, ...]) -> None:
    jobs.submit("live", "me", '{"upload": "needed"}')
    for what in way:
        jobs.move("live", what)
    put(folder / "live.1.wav", 5 * MIB, 0)
    put(folder / "live.status", 5, 0)
    put(folder / "uploads" / "needed.wav", 5 * MIB, 0)
    put(folder / "uploads" / "stray.wav", 5 * MIB, 0)
    sweep(folder, jobs, Keep(1, 1), 1000 * DAY_S)
    assert names(folder) == ["live.1.wav", "live.status"]
    assert names(folder / "uploads") == ["needed.wav"]


def test_takes_nobody_knows_go_by_their_own_age(jobs: Jobs, folder: Path) -> None:
    put(folder / "lost.1.wav", 10, 100 * DAY_S)
    sweep(folder, jobs, Keep(30, 0), 129 * DAY_S)
    assert names(folder) == ["lost.1.wav"]
    sweep(folder, jobs, Keep(30, 0), 131 * DAY_S)
    assert names(folder) == []


def test_litter_goes_and_nothing_of_others(jobs: Jobs, folder: Path) -> None:
    at_s = 100 * DAY_S
    for name in (".a.1.wav.x.part", "list.answer", "notes.txt", "waiting.request", "clip.wav"):
        put(folder / name, 1, at_s)
    sweep(folder, jobs, FOR_EVER, at_s + LITTER_S - 1)
    assert len(names(folder)) == 5
    sweep(folder, jobs, Keep(1, 1), at_s + LITTER_S + 1)
    assert names(folder) == ["clip.wav", "notes.txt", "waiting.request"]


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_are_neither_followed_nor_counted(jobs: Jobs, folder: Path, tmp_path: Path) -> None:
    precious = put(tmp_path / "precious.wav", MIB, 0)
    (folder / "link.1.wav").symlink_to(precious)
    (folder / "uploads" / "link.wav").symlink_to(precious)
    sweep(folder, jobs, Keep(1, 1), 1000 * DAY_S)
    assert precious.stat().st_size == MIB


def test_forget_leaves_live_jobs(jobs: Jobs) -> None:
    jobs.submit("a", "me", "{}")
    jobs.forget(["a", "never-heard-of"])
    assert jobs.get("a")


def test_a_sweep_reads_each_waiting_job_once(
    jobs: Jobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand may wait, and clients are answered meanwhile."""
    for number in range(50):
        jobs.submit(f"waiting-{number}", "me", json.dumps({"upload": f"needed-{number}"}))
        put(folder / "uploads" / f"needed-{number}.wav", 1, 0)
        put(folder / f"lost-{number}.1.wav", 1, 0)
    plan = jobs._db.execute("EXPLAIN QUERY PLAN " + ASKED, (0,)).fetchall()
    assert "USING INTEGER PRIMARY KEY" in str(plan)
    n_read = 0

    class Counting:
        @staticmethod
        def loads(text: str) -> Any:
            nonlocal n_read
            n_read += 1
            return json.loads(text)

    monkeypatch.setattr(retention, "json", Counting)
    assert sweep(folder, jobs, Keep(1, 0), 1000 * DAY_S).n_files == 50
    assert n_read == 50
    assert len(names(folder / "uploads")) == 50


def test_what_is_asked_for_while_the_spool_is_looked_through_stays(
    jobs: Jobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "uploads" / "old.wav", MIB, 0)
    put(folder / "uploads" / "older.wav", MIB, 0)
    put(folder / "new.1.wav", 1, 0)  # of nobody, until a job of that name is asked for
    find = retention._find

    def slowly(*arguments: Any) -> list[retention.Holding]:
        found = find(*arguments)
        loop.call_soon_threadsafe(jobs.submit, "new", "me", '{"upload": "old"}')
        return found

    async def sweep_once() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        swept = await retention.sweep(folder, jobs, Keep(1, 0))
        assert swept.n_files == 1

    loop: asyncio.AbstractEventLoop
    monkeypatch.setattr(retention, "_find", slowly)
    asyncio.run(sweep_once())
    assert names(folder / "uploads") == ["old.wav"]
    assert names(folder) == ["new.1.wav"]
    assert jobs.get("new")
