"""REAPER's bridge where projects change under it, and where the panel is run again in mid-job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_reaper import Script
from fake_reaper_media import Item, Project, Source, Track
from fake_reaper_studio import LUAS, Studio, studio, tone
from running import Running

TRANSFER, GENERATE = "transfer selected items", "generate at cursor"


@pytest.fixture(params=list(LUAS))
def reaper(request: pytest.FixtureRequest, tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(request.param, tmp_path, server.folder) as made:
        yield made


def another(studio: Studio, path: str = "other.rpp") -> Project:
    """A project with nothing in it but a track and an item."""
    project = Project(studio.folder / "Other", path and str(studio.folder / path))
    project.add(Source(tone(studio.folder / "other.wav")), is_selected=False)
    return project


def begin_reading(studio: Studio) -> Item:
    """An item that takes a while to be read, the reading under way."""
    item = studio.item(length_s=60.0, D_PLAYRATE=0.5)
    studio.act(TRANSFER, "slow\n\n0.5\n1\n5")
    studio.wait_for_text("reading the item")
    return item


def run_again(studio: Studio) -> Script:
    """Press the panel's action: another panel, where one is begun."""
    return studio.reaper.run_script(studio.scripts / "Retake - panel.lua")


def cancel_all(studio: Studio) -> None:
    studio.click("×")
    studio.wait_for_text("cancelled")


def assert_untouched(project: Project, media: Path) -> None:
    (track,) = project.tracks
    (item,) = track.items
    assert len(item.takes) == 1
    assert project.undo_names == []
    assert not project.ext
    assert not media.exists()


# Another project in the same tab


@pytest.mark.parametrize("action", [TRANSFER, GENERATE])
def test_project_opened_in_the_same_tab_gets_no_takes(reaper: Studio, action: str) -> None:
    """REAPER keeps the pointer; the takes are the first project's, which gets them later."""
    item = reaper.item(position_s=9.0, D_PLAYRATE=2.0, length_s=0.4)
    reaper.act(action, "rain\n\n0.5\n1\n")
    reaper.run_until_asked()
    first = reaper.reaper.open_in_place(another(reaper))
    reaper.wait_for_text("The project was closed; the take will lie at ")
    assert_untouched(reaper.project, reaper.folder / "Other")
    second = reaper.reaper.open_in_place(first)
    reaper.reaper.run_until(lambda: len(reaper.project.takes) == 2)
    assert (len(item.takes), reaper.pending()) == (2 if action == TRANSFER else 1, [])
    assert not list((reaper.state / "spool" / "uploads").glob("*"))
    assert_untouched(second, reaper.folder / "Other")


def test_unsaved_project_is_not_the_next_unsaved_one(reaper: Studio) -> None:
    reaper.project.path = ""
    reaper.act(GENERATE, "slow\n\n2\n1\n")
    reaper.wait_for_text("denoising")
    reaper.reaper.open_in_place(another(reaper, ""))
    reaper.wait_for_text("The project was closed; the take will lie at ")
    assert_untouched(reaper.project, reaper.folder / "Other")


def test_project_opened_in_the_same_tab_while_an_item_is_read(reaper: Studio) -> None:
    begin_reading(reaper)
    first = reaper.reaper.open_in_place(another(reaper))
    reaper.wait_for_text("The project was closed before the job began.")
    assert_untouched(reaper.project, reaper.folder / "Other")
    assert not list((reaper.state / "spool" / "uploads").iterdir())
    reaper.reaper.open_in_place(first)
    reaper.wait_for_text("reading the item")  # once more
    assert len(reaper.pending()) == 1
    cancel_all(reaper)
    assert reaper.pending() == []


def test_item_that_is_gone_when_its_job_begins_once_more(reaper: Studio) -> None:
    begin_reading(reaper)
    reaper.project.tracks.clear()
    run_again(reaper)
    reaper.reaper.run_until(lambda: bool(reaper.reaper.messages))
    assert reaper.reaper.messages == [
        "slow: None of the items is there (or under the time selection)."
    ]
    assert reaper.pending() == []


@pytest.mark.parametrize("path", ["", "song.rpp"], ids=["saved first", "saved as"])
@pytest.mark.parametrize("state", ["reading", "waiting"])
def test_project_saved_under_another_name_gets_its_takes(
    reaper: Studio, path: str, state: str
) -> None:
    reaper.project.path = path
    item = reaper.item(length_s=10.0 if state == "reading" else 1.0, D_PLAYRATE=0.5)
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    if state == "reading":
        reaper.wait_for_text("reading the item")
    else:
        reaper.run_until_asked()
    reaper.project.path = str(reaper.folder / "new name.rpp")
    reaper.wait_for_takes(item)


# Another tab in front


def test_takes_come_while_another_tab_is_shown(reaper: Studio) -> None:
    item, song = reaper.item(), reaper.project
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    other = another(reaper)
    reaper.reaper.show(other)
    reaper.reaper.run_until(lambda: len(item.takes) == 2)
    assert item in song.items
    assert_untouched(other, reaper.folder / "Other")


@pytest.mark.parametrize("has_room", [False, True], ids=["new track", "free track"])
def test_old_reaper_makes_no_track_in_the_wrong_project(reaper: Studio, has_room: bool) -> None:
    reaper.reaper.missing = {"InsertTrackInProject"}
    song, other = reaper.project, another(reaper)
    if has_room:
        song.tracks.append(Track())
        song.tracks[0].is_selected = True
    reaper.act(GENERATE, "a siren\n\n2\n1\n")
    reaper.run_until_asked()
    reaper.reaper.show(other)
    if not has_room:
        reaper.wait_for_text("waiting for its project's tab")
        assert song.tracks == []
        reaper.reaper.show(song)
    reaper.reaper.run_until(lambda: bool(song.items))
    assert len(song.tracks) == 1
    assert_untouched(other, reaper.folder / "Other")


# The panel run again


def test_unseen_panel_run_again_is_seen_again(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "slow\n\n0.5\n1\n5")
    reaper.wait_for_text("denoising")
    first = reaper.panel
    first.window.is_open = False
    reaper.reaper.tick()
    assert not first.is_ended, "it goes on for its job"
    second = run_again(reaper)
    assert (first.is_ended, second.window.is_open) == (True, True)
    reaper.wait_for_text("denoising")
    cancel_all(reaper)
    assert len(item.takes) == 1


def test_panel_shut_in_mid_job_by_its_action_goes_on_unseen(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    first = reaper.panel
    second = run_again(reaper)
    assert first.is_ended
    assert not first.window.is_open
    assert not second.window.is_open
    reaper.wait_for_takes(item)
    reaper.reaper.run_until(lambda: second.is_ended)
    assert run_again(reaper).window.is_open
    assert reaper.pending() == []


def test_idle_panel_is_shut_by_its_action_after_work(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    reaper.reaper.run_until(lambda: item.take.source.peaks == "built")
    reaper.reaper.tick()
    panel = reaper.panel
    assert run_again(reaper) is panel
    assert panel.is_ended
    reaper.reaper.clock_ahead_s += 2
    assert run_again(reaper).window.is_open


def test_job_that_is_read_goes_on_in_the_next_panel(reaper: Studio) -> None:
    """In its own project, whichever tab is in front; its settings are the ones that were asked."""
    item, song = reaper.item(length_s=20.0, D_PLAYRATE=0.5), reaper.project
    reaper.act(TRANSFER, "rain\n\n0.25\n1\n77")
    reaper.wait_for_text("reading the item")
    reaper.reaper.show(another(reaper))
    run_again(reaper)
    assert not list((reaper.state / "spool" / "uploads").iterdir())
    reaper.reaper.run_until(lambda: len(item.takes) == 2)
    values = reaper.submissions()[-1]["values"]
    assert (values["prompt"], values["strength"], values["seed"]) == ("rain", 0.25, 77)
    assert reaper.pending(song) == []
    assert_untouched(reaper.project, reaper.folder / "Other")


def test_several_items_of_one_order_go_on_one_by_one(reaper: Studio) -> None:
    items = [reaper.item(length_s=12.0, D_PLAYRATE=0.5) for _ in range(2)]
    reaper.act(TRANSFER, "rain\n\n0.5\n1\n")
    reaper.wait_for_text("reading the item")
    run_again(reaper)
    reaper.reaper.run_until(lambda: all(len(item.takes) == 2 for item in items))
    reaper.reaper.run_until(lambda: reaper.pending() == [])
    assert [len(item.takes) for item in items] == [2, 2]


def test_old_reaper_asks_before_it_runs_a_script_twice(reaper: Studio) -> None:
    """Without set_action_options nothing is begun anew; the next panel is seen, and takes up."""
    reaper.reaper.missing = {"set_action_options"}
    item = reaper.item()
    reaper.act(TRANSFER, "slow\n\n0.5\n1\n")
    reaper.wait_for_text("denoising")
    reaper.reaper.end_script(reaper.panel)  # as the user chooses in REAPER's question
    reaper.reaper.clock_ahead_s += 2
    assert run_again(reaper).window.is_open
    reaper.wait_for_text("denoising")
    cancel_all(reaper)
    assert len(item.takes) == 1
