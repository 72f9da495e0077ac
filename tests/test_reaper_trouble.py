"""REAPER's bridge when things go wrong: whatever does, the user is told and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_reaper import Script
from fake_reaper_calls import ENUM_BUFFER_CHARACTERS
from fake_reaper_media import Item, Source
from fake_reaper_studio import LUAS, Studio, double_command, studio
from running import Running

from daw_bridge.wire import read_conf
from server.config import Config

TRANSFER = "transfer selected items"


@pytest.fixture(params=list(LUAS))
def reaper(request: pytest.FixtureRequest, tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(request.param, tmp_path, server.folder) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Studio]:
    """REAPER with a server of its own to start."""
    state = tmp_path / "state"
    with studio("Lua 5.4", tmp_path, state, double_command(state)) as made:
        yield made


def begin_slowly(studio: Studio, **more: float) -> Item:
    """An item whose job takes half a minute, under way."""
    item = studio.item(**more)
    studio.act(TRANSFER, "slow\n\n0.5\n1\n5")
    studio.wait_for_text("denoising")
    return item


def cancel_all(studio: Studio) -> None:
    """Click away what is under way."""
    studio.click("×")
    studio.wait_for_text("cancelled")


def test_server_is_started_where_none_runs(alone: Studio) -> None:
    item = alone.item()
    alone.act(TRANSFER, "rain\n\n0.5\n1\n")
    alone.wait_for_text("Starting the Retake server…")
    alone.wait_for_takes(item)
    assert len(alone.reaper.processes) == 1
    assert "Starting" not in alone.shown()


def test_user_is_told_where_no_server_can_be_started(alone: Studio) -> None:
    alone.reaper.can_start = False
    alone.item()
    alone.act(TRANSFER, "rain\n\n0.5\n1\n")
    alone.wait_for_text("The Retake server can't be started with: ")
    alone.reaper.clock_ahead_s += 200
    command = double_command(alone.state)
    alone.wait_for_text(f"No Retake server answers. Start one in a terminal with: {command}")
    assert not list(alone.state.rglob("*.request")), "nothing is left to run later"


def test_stale_server_conf_is_seen_through(alone: Studio) -> None:
    """A server that was killed leaves its server.conf: nobody takes the request away."""
    spool = alone.state / "spool"
    spool.mkdir(parents=True)
    conf = Config(999999, "0", 1, 1, 1, "", str(spool), "dead")
    (alone.state / "server.conf").write_text(conf.text())
    item = alone.item()
    alone.act(TRANSFER, "rain\n\n0.5\n1\n")
    alone.reaper.run_until(lambda: bool(list(spool.glob("*.request"))))
    alone.reaper.clock_ahead_s += 6
    alone.wait_for_text("The server doesn't answer; it is being started.")
    alone.wait_for_takes(item)


def test_server_killed_in_mid_job(alone: Studio) -> None:
    item = begin_slowly(alone)
    conf = read_conf(alone.state)
    os.kill(int(conf["pid"]), signal.SIGKILL)
    alone.reaper.processes[0].wait(30)
    alone.wait_for_text("The server stopped; it is being started again.")
    alone.wait_for_text("denoising")  # the new server has taken the job up
    assert read_conf(alone.state)["pid"] != conf["pid"]
    assert len(alone.reaper.processes) == 2
    assert "The server stopped" not in alone.shown()
    cancel_all(alone)
    alone.act(TRANSFER, "rain\n\n0.5\n1\n")
    alone.wait_for_takes(item)


def test_cancel_without_a_server(alone: Studio) -> None:
    begin_slowly(alone)
    alone.reaper.processes[0].kill()
    alone.reaper.processes[0].wait(30)
    cancel_all(alone)
    (left,) = (alone.state / "spool").glob("*.request")
    assert "request=cancel" in left.read_text()


def test_cancel_of_a_running_job(reaper: Studio) -> None:
    item = begin_slowly(reaper)
    cancel_all(reaper)
    assert len(item.takes) == 1
    assert reaper.project.undo_names == []
    assert reaper.pending() == []
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")  # the server is free again
    reaper.wait_for_takes(item)


def test_cancel_of_a_waiting_job_leaves_the_running_one(reaper: Studio) -> None:
    begin_slowly(reaper)
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("waiting its turn")
    cancel_all(reaper)  # the latest stands above
    assert "denoising" in reaper.shown()
    reaper.click("×")  # takes the cancelled one off the list
    cancel_all(reaper)


def test_cancel_while_the_item_is_read(reaper: Studio) -> None:
    reaper.item(length_s=60.0, D_PLAYRATE=0.5)
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("reading the item")
    reaper.click("×")
    reaper.wait_for_text("cancelled")
    assert not list((reaper.state / "spool" / "uploads").iterdir())
    assert not reaper.reaper.accessors


def test_item_deleted_while_rendering(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.project.tracks[0].items.clear()
    reaper.wait_for_text("The item is gone; the take stays at ")
    line = next(text for text in reaper.panel.window.texts() if "The item is gone" in text)
    assert Path(line.split(" stays at ")[1]).is_file()
    assert reaper.project.undo_names == []
    assert item not in reaper.project.items


def test_item_deleted_and_brought_back_by_undo(reaper: Studio) -> None:
    """After undo the item is another pointer; it is found by what it is."""
    item = begin_slowly(reaper)
    begin = reaper.reaper.Undo_BeginBlock2
    begin(None, 0)
    reaper.project.tracks[0].items.clear()
    reaper.reaper.Undo_EndBlock2(None, 0, "Delete item", -1)
    reaper.reaper.undo()
    assert reaper.find(item) is not item
    cancel_all(reaper)
    reaper.act("repeat last with new seed")
    assert "Nothing was made" in reaper.reaper.messages[0]
    reaper.find(item).values["B_UISEL"] = 1.0
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    begin(None, 0)
    reaper.reaper.Undo_EndBlock2(None, 0, "Something", -1)
    reaper.reaper.undo()  # all pointers are new while the job runs
    reaper.wait_for_takes(item)


def test_item_deleted_while_it_is_read(reaper: Studio) -> None:
    reaper.item(length_s=60.0, D_PLAYRATE=0.5)
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("reading the item")
    reaper.project.tracks[0].items.clear()
    reaper.wait_for_text("The item was deleted before it was read.")
    assert not reaper.reaper.accessors


def test_project_closed_while_rendering_and_opened_again(reaper: Studio) -> None:
    item = begin_slowly(reaper)
    gone = reaper.reaper.close_project()
    reaper.wait_for_text("The project was closed; the take will lie at ")
    other = reaper.item(position_s=1.0)  # in the project that took its place
    reaper.reaper.projects.insert(0, gone)
    reaper.wait_for_text("denoising")  # the project still waits for its take
    cancel_all(reaper)
    assert reaper.pending(gone) == []
    assert (len(item.takes), len(other.takes)) == (1, 1)


def test_take_is_placed_after_reaper_was_closed(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n2\n8")
    reaper.reaper.run_until(lambda: bool(reaper.pending()))
    reaper.reaper.end_script(reaper.panel)
    assert len(item.takes) == 1
    reaper.reaper.run_script(reaper.scripts / "Retake - panel.lua")
    reaper.wait_for_takes(item, 3)
    assert item.take.texts["P_NAME"] == "Retake: rain (seed 8)"
    assert reaper.pending() == []


def test_long_texts_survive_closing(reaper: Studio) -> None:
    """REAPER lists no more of a value than its buffer holds."""
    item, text = reaper.item(), "rain " * 399
    reaper.act(TRANSFER, f"{text}\n{text}\n0.5\n1\n8")
    reaper.run_until_asked()
    (name,) = reaper.pending()
    assert len(reaper.project.ext["retake-pending", name]) > ENUM_BUFFER_CHARACTERS
    reaper.reaper.end_script(reaper.panel)
    reaper.reaper.run_script(reaper.scripts / "Retake - panel.lua")
    reaper.wait_for_takes(item)
    assert reaper.history()[-1]["negative"] == text.strip()


def test_two_panels_place_a_take_once(reaper: Studio) -> None:
    """As where REAPER was busy for so long that an action took the panel for dead."""
    item = begin_slowly(reaper)
    other = reaper.scripts / "Retake - panel 2.lua"
    other.write_bytes((reaper.scripts / "Retake - panel.lua").read_bytes())
    second = reaper.reaper.run_script(other)
    reaper.reaper.run_until(lambda: second.window.n_frames > 5)
    assert "slow" not in second.window.texts()[7:], "the job is the first panel's"
    first = next(s for s in reaper.reaper.scripts if s.path.name == "Retake - panel.lua")
    reaper.reaper.end_script(first)  # now it is nobody's
    reaper.reaper.end_script(second)
    reaper.reaper.clock_ahead_s += 2  # at once it would be the first one, begun anew and unseen
    reaper.reaper.run_script(first.path)
    reaper.wait_for_text("denoising")
    cancel_all(reaper)
    assert len(item.takes) == 1


def test_unreadable_take_is_not_half_placed(reaper: Studio) -> None:
    """All takes of a job are placed, or none, and no copy stays that nothing plays."""
    item = reaper.item()
    create, n_made = reaper.reaper.PCM_Source_CreateFromFile, []

    def create_first(script: Script, path: str) -> Source | None:
        n_made.append(path)
        return create(script, path) if len(n_made) == 1 else None

    reaper.reaper.PCM_Source_CreateFromFile = create_first
    reaper.act(TRANSFER, "rain\n\n0.5\n2\n")
    reaper.wait_for_text("REAPER can't read ")
    assert len(item.takes) == 1
    assert reaper.project.undo_names == []
    assert not reaper.reaper.sources
    assert not list(reaper.reaper.media.iterdir())


#: Where REAPER takes offence: which call of which function.
BROKEN_OFF = {
    "at the second source": ("SetMediaItemTake_Source", 2),
    "at the end": ("SetActiveTake", 1),
}
EDITS = {
    "a take": (TRANSFER, "rain\n\n0.5\n2\n"),
    "an item": ("continue item", "\n\n0.5\n2\n"),
    "a track": ("generate at cursor", "rain\n\n0.5\n2\n"),
}


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("where", BROKEN_OFF)
def test_placing_that_breaks_off_leaves_nothing(reaper: Studio, what: str, where: str) -> None:
    item = reaper.item(position_s=3.0, D_VOL=0.5)
    item.values["D_VOL"] = 0.7
    take, values = vars(item.take).copy(), dict(item.values)
    name, n_good = BROKEN_OFF[where]
    call, n_calls = getattr(reaper.reaper, name), []

    def call_or_fail(*words: Any) -> Any:
        n_calls.append(words)
        return call(*words) if len(n_calls) < n_good else 1 / 0

    setattr(reaper.reaper, name, call_or_fail)
    action, answer = EDITS[what]
    reaper.act(action, answer)
    reaper.wait_for_text("division by zero")
    (track,) = reaper.project.tracks
    assert track.items == [item]
    assert item.values == values
    assert [vars(left) for left in item.takes] == [take]
    assert not reaper.reaper.sources
    assert not list(reaper.reaper.media.iterdir())
    assert [point.endswith(", failed") for point in reaper.project.undo_names] == [True]
    delattr(reaper.reaper, name)
    reaper.act(action, answer)
    reaper.reaper.run_until(lambda: len(reaper.project.undo_names) == 2)
    assert len(reaper.project.takes) == 3


def test_fault_of_one_job_is_not_the_panels(reaper: Studio) -> None:
    item = reaper.item()
    reaper.reaper.GetProjectPathEx = lambda *_: 1 / 0
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("Retake's own fault: ")
    del reaper.reaper.GetProjectPathEx
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)


def test_closed_panel_finishes_its_work(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    panel = reaper.panel
    panel.window.is_open = False
    reaper.wait_for_takes(item)
    reaper.reaper.run_until(lambda: panel.is_ended)
    assert item.take.source.peaks == "built"
    assert ("retake", "panel-alive") not in reaper.reaper.ext


def test_closed_panel_tells_failures_in_a_dialog(reaper: Studio) -> None:
    reaper.item()
    reaper.act(TRANSFER, "memory\n\n0.5\n1\n")
    reaper.panel.window.is_open = False
    reaper.reaper.run_until(lambda: bool(reaper.reaper.messages))
    assert reaper.reaper.messages[0].startswith("memory: ")


def test_failed_job_says_why(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "break\n\n0.5\n1\n")
    reaper.wait_for_text("ZeroDivisionError: by design")
    assert len(item.takes) == 1


def test_message_is_read_in_full_by_a_click(reaper: Studio) -> None:
    reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("1 take")
    reaper.click("1 take")
    assert not reaper.reaper.messages, "that stands there in full"
    reaper.act(TRANSFER, "break\n\n0.5\n1\n")
    reaper.wait_for_text("ZeroDivisionError: by design")
    (line,) = [text for text in reaper.panel.window.texts() if "ZeroDivisionError" in text]
    reaper.click(line)
    assert reaper.reaper.messages == [f"break: {line}"]


def test_media_folder_that_cannot_be_written(reaper: Studio) -> None:
    reaper.project.folder = reaper.folder / "file" / "Media"
    reaper.project.folder.parent.write_text("in the way")
    item = reaper.item()
    with pytest.raises(NotADirectoryError):
        reaper.project.folder.mkdir()
    reaper.reaper.RecursiveCreateDirectory = lambda *_: 0  # as REAPER does where it can't
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("The take can't be copied")
    assert len(item.takes) == 1


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    """What a full disk does to whoever writes: the rest of a file doesn't go in."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("rate", [1.0, 2.0], ids=["copying", "reading"])
def test_full_disk_leaves_nothing_half_written(reaper: Studio, rate: float) -> None:
    item = reaper.item(length_s=10.0, D_PLAYRATE=rate)  # 3.5 MB; the server's own files stay small
    with files_no_larger_than(3_000_000):
        reaper.act(TRANSFER, "rain\n\n0.5\n1\n1")
        reaper.wait_for_text("File too large")
    assert len(item.takes) == 1
    assert not list(reaper.folder.glob("Media/*"))
    assert not list(reaper.state.rglob("*.part"))


def test_damaged_state_is_passed_over(reaper: Studio) -> None:
    """Ext state and presets of another version, or of a broken disk, harm nothing."""
    (reaper.scripts / "presets.json").write_text('{"presets": [1, ')
    ext = {"retake": {"recipes": "7", "recipe 07": "[{"}, "retake-pending": {"a": "[", "b": "7"}}
    lost = {"edit": "transfer", "prompt": "x", "items": ["{0}"]}
    ext["retake-pending"]["f"] = json.dumps({"order": lost})
    ext["retake-pending"] |= {"c": "{}", "d": '{"order": {}}', "e": '{"order": {"edit": 1}}'}
    for section, values in ext.items():
        reaper.project.ext.update({(section, key): value for key, value in values.items()})
    for key, text in {"form": '{"edit": 7, "takes": "many"}', "window": "[]"}.items():
        reaper.reaper.ext["retake", key] = text
    item = reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert reaper.project.ext["retake", "recipes"] == "8"
