"""Live's bridge when things go wrong: whatever does, the user is told and nothing is lost."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_live import MAX_TICK_S, FakeLive
from fake_live_objects import MisuseError
from fake_live_studio import Studio, studio, upside_down
from running import Running, wait_until

from daw_bridge.client import Client
from daw_bridge.wire import ServerNotRunning, read_conf

SERVE_DOUBLE = Path(__file__).with_name("serve_double.py")


@pytest.fixture
def live(tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(tmp_path, server.folder) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Studio]:
    """Live with a state folder in which no server runs yet."""
    with studio(tmp_path, tmp_path / "state") as made:
        yield made


@contextmanager
def server_process(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that can be killed."""
    (state / "server.conf").unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(SERVE_DOUBLE), str(state)], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _answers(state, process))
        yield process
    finally:
        process.kill()
        process.wait(30)


def _answers(state: Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the server ended"
    try:
        return int(read_conf(state)["pid"]) == process.pid
    except ServerNotRunning:
        return False


def begin_slowly(live: Studio, **settings: Any) -> str:
    """A job of half a minute, under way; its name."""
    live.go("slow", **settings)
    live.wait_for("progress")
    live.wait_until(lambda: any(one[1] > 0 for one in live.surface.heard("progress")))
    return str(live.surface.heard("job")[-1][0])


def test_server_not_running(alone: Studio) -> None:
    clip = alone.session_clip()
    alone.go()
    _, how, text = alone.wait_for("ended")
    assert how == "failed"
    assert text == "No Retake server answers. Start one in a terminal: retake serve"
    assert text in alone.live.messages
    assert [slot.clip for slot in alone.track.clip_slots] == [clip] + [None] * 7


def test_stale_server_conf_is_seen_through(alone: Studio) -> None:
    """A server that was killed leaves its server.conf, and nobody listens there."""
    (alone.state / "server.conf").write_text("pid=1\nudp=1\ntcp=1\ntoken=dead\n")
    alone.session_clip()
    alone.go()
    assert "No Retake server answers" in alone.wait_for("ended")[2]


@pytest.mark.parametrize("text", ["", "tcp=99999\ntoken=a\n", "tcp=many\ntoken=a\n", "\0\xff"])
def test_damaged_server_conf_is_no_server(alone: Studio, text: str) -> None:
    (alone.state / "server.conf").write_bytes(text.encode("latin-1"))
    alone.session_clip()
    alone.go()
    assert "No Retake server answers" in alone.wait_for("ended")[2]


def test_server_is_found_when_it_starts(alone: Studio) -> None:
    with server_process(alone.state):
        clip = alone.session_clip(warping=False)
        alone.go()
        assert alone.wait_for("ended")[1] == "placed"
        upside_down(alone.track.clip_slots[1].clip, clip.file_path, 0.0, 4.0)


def test_server_killed_in_mid_job(alone: Studio) -> None:
    """Live goes on, the user is told, and the next server goes on with the same job."""
    alone.session_clip()
    with server_process(alone.state) as first:
        job = begin_slowly(alone)
        first.kill()
        told = alone.live.wait_for_message("The Retake server is gone")
        assert "Start it with: retake serve" in told
        assert alone.surface.heard("server")[-1][0] == 0
    with server_process(alone.state):
        alone.wait_until(lambda: alone.surface.heard("server")[-1][0] == 1)
        n = len(alone.surface.heard("progress"))
        alone.wait_for("progress", n + 2)
        assert len(alone.surface.heard("job")) == 1
        alone.surface.send("cancel", job)
        assert alone.wait_for("ended")[:2] == (job, "cancelled")
        alone.go("rain")
        assert alone.wait_for("ended", 2)[1] == "placed"


def test_cancel_without_a_server_holds_when_it_is_back(alone: Studio) -> None:
    alone.session_clip()
    with server_process(alone.state) as first:
        job = begin_slowly(alone)
        first.kill()
        alone.live.wait_for_message("The Retake server is gone")
        alone.surface.send("cancel")
    with server_process(alone.state):
        assert alone.wait_for("ended")[:2] == (job, "cancelled")


def test_cancel_of_a_running_job(live: Studio) -> None:
    clip = live.session_clip()
    job = begin_slowly(live)
    live.surface.send("cancel")
    assert live.wait_for("ended")[:2] == (job, "cancelled")
    assert [slot.clip for slot in live.track.clip_slots] == [clip] + [None] * 7
    assert live.live.model.n_undo == 0


def test_cancel_of_a_waiting_job_leaves_the_running_one(live: Studio) -> None:
    live.session_clip()
    first = begin_slowly(live)
    live.go("rain")
    second = live.wait_for("job", 2)[0]
    live.surface.send("cancel", second)
    assert live.wait_for("ended")[:2] == (second, "cancelled")
    live.surface.send("cancel")
    assert live.wait_for("ended", 2)[:2] == (first, "cancelled")


def test_shutdown_in_mid_job(live: Studio) -> None:
    """Live quits: no undo step stays open, no socket, and the server works for nobody."""
    live.session_clip()
    job = begin_slowly(live)
    live.live.quit()
    live.live.quit()  # twice is as good as once
    assert not (live.state / "live.conf").exists()
    with Client.connect(live.state) as client:
        wait_until(lambda: client.status(job)[0] == "cancelled")


def test_shutdown_while_takes_are_laid(live: Studio) -> None:
    live.session_clip(warping=False)
    live.go(takes=3)
    live.wait_until(lambda: live.live.model.open_steps == 1)
    live.live.quit()
    assert live.live.model.open_steps == 0


def test_clip_deleted_while_rendering(live: Studio) -> None:
    clip = live.session_clip(warping=False, gain=0.9)
    path = clip.file_path
    live.go("short")
    live.wait_for("progress")
    clip.kill()
    live.track.clip_slots[0].put(clip=None)
    assert live.wait_for("ended")[1] == "placed"
    take = live.track.clip_slots[1].clip
    upside_down(take, path, 0.0, 4.0)
    assert take.gain == 0.9


def test_track_deleted_while_rendering(live: Studio) -> None:
    live.arrangement_clip(8.0)
    live.go("short")
    live.wait_for("progress")
    live.track.kill()
    live.live.model.put(tracks=[])
    assert live.wait_for("ended")[1] == "placed"
    (new,) = live.live.model.tracks
    assert new.arrangement_clips[0].start_time == 8.0


def test_stale_track_is_found_again_by_its_name(live: Studio) -> None:
    """After undo the same track stands behind another handle."""
    live.arrangement_clip(8.0)
    live.go("short")
    live.wait_for("progress")
    old = live.track
    again = type(old)(live.live.model, old.name, 8)
    old.kill()
    live.live.model.put(tracks=[again])
    assert live.wait_for("ended")[1] == "placed"
    assert again.take_lanes[0].arrangement_clips[0].start_time == 8.0


@pytest.mark.parametrize("trouble", [{"is_frozen": True}, {"_is_recording": True}])
def test_track_that_takes_nothing_any_more(live: Studio, trouble: dict[str, bool]) -> None:
    live.arrangement_clip(8.0)
    live.go("short")
    live.wait_for("progress")
    live.track.put(**trouble)
    assert live.wait_for("ended")[1] == "placed"
    assert live.track.take_lanes == []
    assert live.live.model.tracks[1].arrangement_clips[0].start_time == 8.0


def test_live_too_old_for_clips_from_files(tmp_path: Path, server: Running) -> None:
    with studio(tmp_path, server.folder, (11, 3, 0)) as old:
        clip = old.session_clip()
        old.go()
        _, how, text = old.wait_for("ended")
        assert how == "failed"
        assert "12.0.5 and later can" in text
        take = text.split("Drag it in from ")[1]
        assert Path(take).is_file()
        assert [slot.clip for slot in old.track.clip_slots] == [clip] + [None] * 7
        assert len(old.live.model.tracks) == 1


def test_take_that_cannot_be_copied(live: Studio) -> None:
    live.live.model.put(file_path=str(live.folder / "in the way" / "song.als"))
    (live.folder / "in the way").write_text("a file")
    live.session_clip()
    live.go()
    _, how, text = live.wait_for("ended")
    assert how == "failed"
    assert Path(text.split("Drag it in from ")[1]).is_file()
    assert live.live.model.n_undo == 0


def test_warp_markers_live_refuses_leave_the_take_usable(
    live: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = live.session_clip(_warps=[(0.0, 0.0), (2.0, 3.0)])

    def refuse(*_: object) -> None:
        raise RuntimeError("Segment length out of range")

    monkeypatch.setattr(type(clip), "add_warp_marker", refuse)
    live.go()
    assert live.wait_for("ended")[1] == "placed"
    assert "warp markers are Live's own" in live.surface.heard("take")[0][1]


def test_failed_job_says_why(live: Studio) -> None:
    live.session_clip()
    live.go("break")
    assert "ZeroDivisionError: by design" in live.wait_for("ended")[2]


def test_whatever_comes_in_at_the_door(live: Studio) -> None:
    """Noise, and OSC cut short: no error in Live's log, no lost tick, and work goes on."""
    chance = random.Random(4)
    good = b"/retake/live/set\0\0\0\0,sf\0takes\0\0\0\x40\0\0\0"
    for _ in range(200):
        packet = bytearray(good[: chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(4)):
            packet.insert(chance.randrange(len(packet) + 1), chance.randrange(256))
        live.surface.send_raw(bytes(packet))
        live.live.tick()
    live.surface.send_raw(b"#bundle\0" + bytes(8) + len(good).to_bytes(4, "big") + good)
    live.surface.send("hello")
    live.wait_for("hello")
    assert {"takes", 2} <= set(live.surface.heard("form")[-1])


def test_ports_in_use_are_passed_over(live: Studio, tmp_path: Path) -> None:
    """Two Lives: the second takes the next port, and its note outlives the first one."""
    (tmp_path / "two").mkdir()
    first_port = int(read_note(live)["port"])
    with studio(tmp_path / "two", live.state) as second:
        assert int(read_note(second)["port"]) == first_port + 1
        live.live.quit()
        assert int(read_note(second)["port"]) == first_port + 1


def read_note(live: Studio) -> dict[str, str]:
    lines = (live.state / "live.conf").read_text().splitlines()
    return dict(line.split("=") for line in lines)


def no_links(*_: object) -> None:
    raise OSError("another disk")


@pytest.mark.parametrize("disks", ["one disk", "two disks"])
def test_long_job_leaves_live_its_time(
    live: Studio, disks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 s of stereo and four takes of it (42 MB): no tick over the bound of Live's thread."""
    if disks == "two disks":
        monkeypatch.setattr("os.link", no_links)
    clip = live.session_clip(length_s=30.0, warping=False)
    live.go("short", takes=4)
    assert live.wait_for("ended")[1] == "placed"
    assert max(live.live.ticks_s) < MAX_TICK_S
    upside_down(live.track.clip_slots[1].clip, clip.file_path, 0.0, 30.0)
    assert live.track.clip_slots[4].clip is not None


def test_half_copied_take_goes_when_live_quits(
    live: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.link", no_links)
    monkeypatch.setattr(sys.modules["Retake.files"], "BUDGET_S", 0.0)
    live.session_clip(length_s=30.0, warping=False)
    live.go()
    takes = live.state / "live-takes"
    before = set(takes.iterdir()) if takes.exists() else set()
    live.wait_until(lambda: takes.exists() and bool(set(takes.iterdir()) - before))
    live.live.quit()
    assert set(takes.iterdir()) == before


def test_model_of_live_notices_a_slow_tick(tmp_path: Path) -> None:
    """The fake takes offence, or the tests above would say nothing."""

    class Slow:
        is_disconnected = False

        def update_display(self) -> None:
            sum(range(3_000_000))

        def disconnect(self) -> None:
            pass

    live = FakeLive(tmp_path)
    live.script = Slow()
    with pytest.raises(MisuseError, match="a tick took"):
        live.tick()
    live.model.begin_undo_step()
    with pytest.raises(AssertionError, match="left open"):
        live.quit()
