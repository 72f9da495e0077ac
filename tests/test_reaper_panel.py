"""REAPER's panel: typed into, clicked and drawn, its picture made of its own gfx calls."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_reaper_media import Source
from fake_reaper_studio import LUAS, Studio, studio
from running import Running

from engine.errors import RequestError
from engine.highs import check_cutoff
from engine.region import Region
from server.supervisor import worker_command

DOCS = Path(__file__).parent.parent / "docs"
PICTURE, EXAMPLES = DOCS / "hosts/reaper-panel.png", DOCS / "examples"
SIZE = (380, 420)


@pytest.fixture(params=list(LUAS))
def reaper(request: pytest.FixtureRequest, tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(request.param, tmp_path, server.folder) as made:
        made.reaper.run_script(made.scripts / "Retake - panel.lua")
        made.reaper.tick()
        yield made


def choose(studio: Studio, label: str, entry: str) -> None:
    """Choose an entry of a dropdown; submenu titles don't count, as in REAPER."""
    window = studio.panel.window
    n_menus = len(window.menus)
    studio.click(label)  # opened and closed: now we know what is in it
    entries = window.menus[n_menus].split("|")
    counted = [text.lstrip("!<") for text in entries if text and not text.startswith(">")]
    window.choices.append(counted.index(entry) + 1)
    studio.click(label)


def test_text_typed_and_entered_makes_a_take(reaper: Studio) -> None:
    item = reaper.item()
    reaper.click("what it should sound like")
    reaper.type("größer 雨\r")
    reaper.wait_for_takes(item)
    assert reaper.submissions()[-1]["values"]["prompt"] == "größer 雨"
    assert item.take.texts["P_NAME"].startswith("Retake: größer 雨 (seed ")


LEFT, RIGHT, HOME, END, BACK, DELETE = 1818584692, 1919379572, 1752132965, 6647396, 8, 6579564


def test_text_is_edited_by_characters(reaper: Studio) -> None:
    reaper.click("what it should sound like")
    reaper.type("aü雨b")
    reaper.panel.window.keys += [LEFT, LEFT, BACK, HOME, DELETE, END, ord("c"), LEFT, RIGHT]
    reaper.reaper.tick()
    reaper.reaper.tick()
    assert "雨bc" in reaper.panel.window.texts()


def test_keys_go_nowhere_without_the_field(reaper: Studio) -> None:
    reaper.click("what it should sound like")
    reaper.click("Takes")  # beside it
    reaper.type("lost")
    reaper.reaper.tick()
    reaper.reaper.tick()
    assert "what it should sound like" in reaper.panel.window.texts()


def test_slider_takes_and_button(reaper: Studio) -> None:
    item = reaper.item()
    reaper.click("what it should sound like")
    reaper.type("rain")
    _, y = reaper.panel.window.place_of("Strength")
    reaper.click_at(10 + 0.8 * 360, y)
    assert "0.8" in reaper.panel.window.texts()
    reaper.click_at(10 + 5 * 360, y)  # beside it: nothing
    for _ in range(9):
        reaper.click("+")
    reaper.click("−")
    reaper.click("Retake")
    reaper.wait_for_takes(item, 8)
    values = reaper.submissions()[-1]["values"]
    assert (values["strength"], values["takes"]) == (pytest.approx(0.8), 7)


def test_edit_is_chosen_and_its_number_shown(reaper: Studio) -> None:
    reaper.project.cursor_s = 3.0
    choose(reaper, "Transfer", "Generate")
    assert {"Seconds", "at the edit cursor, 3.000 s"} <= set(reaper.panel.window.texts())
    choose(reaper, "Generate", "Inpaint")
    assert "no item selected, no time selection" in reaper.shown()
    choose(reaper, "Inpaint", "Continue")
    reaper.click("after the item")
    assert "before the item" in reaper.shown()


def test_preset_brings_its_edit_and_strength(reaper: Studio) -> None:
    item = reaper.item()
    choose(reaper, "No preset", "Transfer: cathedral")
    assert {"cathedral", "a hall", "0.35"} <= set(reaper.panel.window.texts())
    choose(reaper, "cathedral", "Inpaint: fill")
    assert "Inpaint" in reaper.panel.window.texts()
    choose(reaper, "Inpaint", "Transfer")  # another edit: the preset goes
    assert "No preset" in reaper.panel.window.texts()
    choose(reaper, "No preset", "Transfer: cathedral")
    reaper.click("Retake")
    reaper.wait_for_takes(item)
    assert item.take.texts["P_NAME"].startswith("Retake: cathedral (seed ")
    recipe = reaper.history()[-1]
    assert recipe["preset"] == "cathedral"
    assert "strength" not in recipe, "the preset says it"


def test_preset_brings_the_side_it_goes_on_at(reaper: Studio) -> None:
    item = reaper.item(position_s=5.0)
    choose(reaper, "No preset", "Continue: lead-in")
    assert {"before the item", "2"} <= set(reaper.panel.window.texts())
    reaper.click("Retake")
    reaper.reaper.run_until(lambda: len(reaper.project.items) == 2)
    values = reaper.submissions()[-1]["values"]
    assert values["direction"] == "before"
    assert reaper.history()[-1]["direction"] == "before"
    assert (item.position_s, len(item.takes)) == (5.0, 1)


def test_side_of_a_preset_is_not_the_users_choice(reaper: Studio) -> None:
    def side() -> str:
        return next(t for t in reaper.panel.window.texts() if t.endswith(" the item"))

    choose(reaper, "No preset", "Continue: lead-in")
    choose(reaper, "lead-in", "Continue: longer-bed")
    assert side() == "after the item", "it says no other"
    choose(reaper, "longer-bed", "Continue: lead-in")
    reaper.click("before the item")  # the user's own word counts more
    reaper.click("after the item")
    choose(reaper, "lead-in", "Continue: longer-bed")
    assert side() == "after the item"
    reaper.reaper.end_script(reaper.panel)
    reaper.reaper.run_script(reaper.scripts / "Retake - panel.lua")
    reaper.reaper.tick()
    assert side() == "before the item", "the user's own is what is kept"
    choose(reaper, "No preset", "Continue: longer-bed")
    assert side() == "after the item"
    choose(reaper, "longer-bed", "No preset")
    assert side() == "before the item"


def test_presets_action_opens_their_list(reaper: Studio) -> None:
    reaper.panel.window.choices = [2]
    reaper.act("presets")
    reaper.wait_for_text("cathedral")
    menu = reaper.panel.window.menus[0]
    assert menu == (
        "!No preset|>Spaces|<Transfer: cathedral|>Repair|<Inpaint: fill"
        "|>Loops|Continue: lead-in|<Continue: longer-bed"
    )


def test_without_presets_everything_else_works(reaper: Studio) -> None:
    reaper.reaper.end_script(reaper.panel)
    (reaper.scripts / "presets.json").unlink()
    reaper.reaper.run_script(reaper.scripts / "Retake - panel.lua")
    reaper.click("No preset")
    assert reaper.panel.window.menus == ["!No preset"]


def test_orders_without_an_item_or_text_are_answered(reaper: Studio) -> None:
    reaper.click("Retake")
    assert "Type what it should sound like, or pick a preset." in reaper.panel.window.texts()
    reaper.click("what it should sound like")
    reaper.type("rain\r")
    reaper.wait_for_text("Select at least one audio item first.")
    reaper.click("Last, new seed")
    assert "Nothing was made in this project yet." in reaper.panel.window.texts()


def test_dialog_button_takes_pasted_text(reaper: Studio) -> None:
    item = reaper.item()
    reaper.reaper.dialogs.append("pasted, with a comma\n\n0.5\n1\n3")
    reaper.click("…")
    reaper.wait_for_takes(item)
    assert item.take.texts["P_NAME"] == "Retake: pasted, with a comma (seed 3)"


def test_window_comes_back_as_it_was(reaper: Studio) -> None:
    reaper.click("what it should sound like")
    reaper.type("rain")
    reaper.panel.window.position = (50, 60, 500, 300)
    gfx = reaper.panel.gfx
    gfx["mouse_cap"], reaper.panel.window.choices = 2.0, [1]  # the right button: dock it
    reaper.reaper.tick()
    gfx["mouse_cap"] = 0.0
    reaper.reaper.tick()
    reaper.reaper.end_script(reaper.panel)
    panel = reaper.reaper.run_script(reaper.scripts / "Retake - panel.lua")
    reaper.reaper.tick()
    assert (panel.window.dock, panel.window.position) == (1, (50, 60, 500, 300))
    assert "rain" in panel.window.texts()


def test_running_the_panel_again_closes_it(reaper: Studio) -> None:
    panel = reaper.panel
    reaper.reaper.run_script(panel.path)
    assert panel.is_ended
    assert not panel.window.is_open


def test_actions_use_the_panel_that_is_open(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert [s.path.name for s in reaper.reaper.scripts].count("Retake - panel.lua") == 1


def test_panel_that_stood_still_behind_a_dialog_gets_the_order(reaper: Studio) -> None:
    """Taken for dead it would be run again, which closes it, and the order would lie unseen."""
    item, panel = reaper.item(), reaper.panel
    ask = reaper.reaper.GetUserInputs

    def ask_for_a_minute(*words: Any) -> Any:
        reaper.reaper.clock_ahead_s += 60
        return ask(*words)

    reaper.reaper.GetUserInputs = ask_for_a_minute
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    assert not panel.is_ended
    reaper.wait_for_takes(item)
    assert reaper.panel is panel


def test_panel_closed_behind_a_dialog_is_opened_again(reaper: Studio) -> None:
    item, panel = reaper.item(), reaper.panel
    ask = reaper.reaper.GetUserInputs

    def close_and_ask(*words: Any) -> Any:
        reaper.reaper.end_script(panel)
        return ask(*words)

    reaper.reaper.GetUserInputs = close_and_ask
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert reaper.panel is not panel


def test_every_cutoff_of_the_slider_is_one_the_engine_takes(reaper: Studio) -> None:
    """At its end stands the highest there is for a checkpoint at 16 kHz, as all of AudioLDM's."""
    choose(reaper, "Transfer", "Restore highs")
    _, y = reaper.panel.window.place_of("Cutoff (Hz, 0 finds it)")
    reaper.click_at(10 + 359, y)
    (cutoff,) = [text for text in reaper.panel.window.texts() if text.endswith("00")]
    region = Region(np.zeros((44100, 1), np.float32), 44100)
    check_cutoff(region, float(cutoff), 16000)
    with pytest.raises(RequestError):
        check_cutoff(region, float(cutoff) + 100, 16000)


def test_high_resolution_screens(reaper: Studio) -> None:
    """Twice the pixels: everything is drawn twice as large, and clicks land where it is."""
    gfx = reaper.panel.gfx
    gfx["ext_retina"], gfx["w"], gfx["h"] = 2.0, 760.0, 840.0
    reaper.reaper.tick()
    x, y = reaper.panel.window.place_of("Retake")
    assert (x, y) == pytest.approx((2 * 121.5, 2 * 175), abs=8)
    reaper.click("Retake")
    assert "Type what it should sound like, or pick a preset." in reaper.panel.window.texts()


def test_picture_of_the_panel(reaper: Studio) -> None:
    """Drawn from its gfx calls for docs/hosts/reaper.md; what it shows is checked by the others."""
    reaper.item()
    reaper.click("what it should sound like")
    reaper.type("heavy rain on a tin roof\r")
    reaper.wait_for_text("1 take")
    reaper.reaper.tick()
    image = reaper.panel.window.picture(SIZE)
    pixels = np.asarray(image).astype(int)
    assert pixels.shape == (SIZE[1], SIZE[0], 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    blank = np.all(pixels == pixels[-1, -1], axis=2)
    assert blank[:, :8].all(), "nothing is drawn into the margin"
    assert blank[:, -8:].all()
    assert not blank[:220].all(axis=0)[10:-10].any(), "controls reach from margin to margin"


def draw_for_docs() -> None:
    """The picture in docs/hosts/reaper.md, with real takes: python tests/test_reaper_panel.py"""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        server = Running(scratch / "state", command=worker_command("pocket", "cpu"))
        try:
            with studio("Lua 5.4", scratch, server.folder) as shown:
                source = Source(EXAMPLES / "stream.flac")
                item = shown.project.add(source, 1.0, 1.5)
                shown.act("transfer selected items", "heavy rain on a tin roof\n\n0.7\n2\n11")
                shown.wait_for_text("2 takes")
                item.values["B_UISEL"] = 0.0
                shown.project.add(source, 3.0)
                shown.act("transfer selected items", "a creaking gate\n\n0.7\n4\n12")
                shown.wait_for_text("s left")
                PICTURE.parent.mkdir(exist_ok=True)
                shown.panel.window.picture(SIZE).save(PICTURE, optimize=True)
                shown.click("×")
                shown.wait_for_text("cancelled")
        finally:
            server.stop()


if __name__ == "__main__":
    draw_for_docs()
