"""REAPER's actions under real Lua, against a model of REAPER and a real server.

What a take plays is compared with what its item played: the server's engine is a double that turns
sound upside down, so that the sum of both must be nothing, at every sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_reaper_media import Item, Source, Take, Track
from fake_reaper_studio import LUAS, Studio, studio, tone
from running import Running

ROOT = Path(__file__).parent.parent
RATE = 44100


@pytest.fixture(params=list(LUAS))
def reaper(request: pytest.FixtureRequest, tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(request.param, tmp_path, server.folder) as made:
        yield made


def assert_upside_down(item: Item, take: Take, original: Take, n_channels: int = 2) -> None:
    """The take plays what the original does, upside down, over the whole item."""
    was, now = (item.play(RATE, n_channels, one) for one in (original, take))
    assert np.abs(was).max() > 0.2
    np.testing.assert_allclose(now, -was, atol=2e-6)


def test_transfer_adds_takes_and_keeps_the_original(reaper: Studio) -> None:
    item = reaper.item(position_s=2.0)
    original = item.take
    original.values["D_VOL"], original.fx = 0.5, ["ReaEQ"]
    reaper.act("transfer selected items", "heavy rain\n\n0.7\n2\n11")
    reaper.wait_for_takes(item, 3)
    names = [take.texts["P_NAME"] for take in item.takes]
    assert names == ["", "Retake: heavy rain (seed 11)", "Retake: heavy rain (seed 12)"]
    assert item.takes[0] is original
    assert item.active == 1, "the best take is the active one"
    assert (item.position_s, item.length_s) == (2.0, 1.0)
    assert_upside_down(item, item.take, original)
    assert item.take.values["D_VOL"] == 0.5
    assert item.take.fx == ["ReaEQ"]
    assert reaper.project.undo_names == ["Retake: transfer (heavy rain)"]
    path = item.take.source.path
    assert path.parent == reaper.reaper.media
    assert path.name == "Retake heavy rain (seed 11).wav"


def test_peaks_are_built(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act("transfer selected items", "rain\n\n0.5\n2\n")
    reaper.wait_for_takes(item, 3)
    sources = [take.source for take in item.takes[1:]]
    reaper.reaper.run_until(lambda: all(source.peaks == "built" for source in sources))


def test_recipe_stays_with_take_and_project(reaper: Studio) -> None:
    item = reaper.item()
    for seed in (5, 6):  # the server says which model it is after the first is asked for
        reaper.act("transfer selected items", f'a "door", creaking: 50 %\nhiss\n0.25\n1\n{seed}')
        reaper.wait_for_takes(item, seed - 3)
    kept = json.loads(item.take.texts["P_EXT:retake"])
    expected = {"edit": "transfer", "prompt": 'a "door", creaking: 50 %', "negative": "hiss"}
    expected |= {"strength": 0.25, "seed": "6", "model": "double", "rate": RATE}
    assert expected.items() <= kept.items()
    assert kept == reaper.history()[-1]
    assert reaper.project.n_dirty > 0
    assert reaper.pending() == []


def test_undo_restores_the_item_in_one_step(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act("transfer selected items", "rain\n\n0.5\n3\n")
    reaper.wait_for_takes(item, 4)
    assert reaper.reaper.undo() == "Retake: transfer (rain)"
    assert [take.guid for take in reaper.find(item).takes] == [item.takes[0].guid]


def test_several_items_are_several_jobs_at_once(reaper: Studio) -> None:
    items = [reaper.item(position_s=float(n), length_s=0.3 + n / 10) for n in range(4)]
    reaper.item(is_selected=False)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n9")
    reaper.reaper.run_until(lambda: len(reaper.panel.window.texts()) > 12)
    for item in items:
        reaper.wait_for_takes(item)
        assert_upside_down(item, item.take, item.takes[0])
    assert reaper.project.undo_names == ["Retake: transfer (rain)"] * 4
    assert [len(item.takes) for item in reaper.project.items] == [2, 2, 2, 2, 1]


SECOND = {"length_s": 0.5}
HEARD = {
    "plain": {},
    "offset between two frames": {**SECOND, "D_STARTOFFS": 0.1234567},
    "double speed": {**SECOND, "D_PLAYRATE": 2.0},
    "half speed, offset": {"length_s": 1.2, "D_PLAYRATE": 0.5, "D_STARTOFFS": 0.25},
    "looped source": {"length_s": 2.4, "D_STARTOFFS": 0.3},
    "starts before its source": {"length_s": 0.8, "D_STARTOFFS": -0.2},
    "sides swapped": {"I_CHANMODE": 1.0},
    "pitched": {"D_PITCH": 3.0},
}


@pytest.mark.parametrize("how", HEARD)
def test_take_plays_what_its_item_played(reaper: Studio, how: str) -> None:
    item = reaper.item(position_s=1.0, **HEARD[how])
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert_upside_down(item, item.take, item.takes[0])


@pytest.mark.parametrize(("mode", "n_channels"), [(2, 1), (3, 1), (4, 1)])
def test_channel_modes(reaper: Studio, mode: int, n_channels: int) -> None:
    item = reaper.item(I_CHANMODE=float(mode))
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert item.take.source.n_channels == n_channels
    assert_upside_down(item, item.take, item.takes[0], n_channels)


@pytest.mark.parametrize("n_channels", [1, 6, 8])
@pytest.mark.parametrize("rate", [1.0, 2.0], ids=["file", "accessor"])
def test_as_many_channels_as_the_source(reaper: Studio, n_channels: int, rate: float) -> None:
    item = reaper.item(n_channels, D_PLAYRATE=rate, length_s=0.4)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert item.take.source.n_channels == n_channels
    assert_upside_down(item, item.take, item.takes[0], n_channels)


@pytest.mark.parametrize("is_reversed", [False, True], ids=["section", "reversed"])
def test_sections(reaper: Studio, is_reversed: bool) -> None:
    file = Source(tone(reaper.folder / "long.wav", length_s=2.0))
    item = reaper.project.add(Source(None, file, (0.5, 1.0), is_reversed), length_s=0.7)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert_upside_down(item, item.take, item.takes[0])


def test_stretch_markers(reaper: Studio) -> None:
    item = reaper.item(length_s=1.0)
    item.take.markers = [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)]
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert_upside_down(item, item.take, item.takes[0])


def test_flac_is_read_from_its_file(reaper: Studio) -> None:
    item = reaper.project.add(
        Source(tone(reaper.folder / "clip.flac")), D_STARTOFFS=0.1, length_s=0.5
    )
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert_upside_down(item, item.take, item.takes[0])
    assert reaper.submissions()[-1]["path"].endswith("clip.flac")


def test_file_the_engine_might_count_otherwise_goes_through_the_accessor(reaper: Studio) -> None:
    source = Source(tone(reaper.folder / "clip.wav"), type_name="MP3")
    item = reaper.project.add(source)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(item)
    assert_upside_down(item, item.take, item.takes[0])
    asked = reaper.submissions()[-1]
    assert (asked["path"], bool(asked["upload"])) == ("", True)
    assert not (reaper.state / "spool" / "uploads" / f"{asked['upload']}.wav").exists()


def test_time_selection_is_the_hole(reaper: Studio) -> None:
    item = reaper.item(position_s=3.0, length_s=0.6, D_STARTOFFS=0.1)
    outside = reaper.item(position_s=9.0)
    reaper.project.selection = (3.25, 3.5)
    reaper.act("inpaint time selection", "\n\n1\n4")
    reaper.wait_for_takes(item)
    assert item.take.texts["P_NAME"] == "Retake: inpaint (seed 4)"
    assert reaper.project.undo_names == ["Retake: inpaint"]
    holes = reaper.submissions()[-1]["values"]["holes"]
    assert [(h["start_frames"], h["frames"]) for h in holes] == [(11025, 11025)]
    assert len(outside.takes) == 1


def test_hole_is_cut_to_the_item(reaper: Studio) -> None:
    item = reaper.item(position_s=3.0)
    reaper.project.selection = (1.0, 3.5)
    reaper.act("inpaint time selection", "rain\n\n1\n4")
    reaper.wait_for_takes(item)
    holes = reaper.submissions()[-1]["values"]["holes"]
    assert [(h["start_frames"], h["frames"]) for h in holes] == [(0, 22050)]


def test_restore_highs(reaper: Studio) -> None:
    item = reaper.item()
    reaper.act("restore highs", "\n\n4000\n1\n3")
    reaper.wait_for_takes(item)
    assert item.take.texts["P_NAME"] == "Retake: restore highs (seed 3)"
    asked = reaper.submissions()[-1]
    assert (asked["edit"], asked["values"]["cutoff"]) == ("bandwidth", 4000.0)


def test_generate_makes_an_item_at_the_cursor(reaper: Studio) -> None:
    reaper.project.cursor_s = 12.5
    reaper.act("generate at cursor", "a siren\n\n2.5\n2\n7")
    reaper.reaper.run_until(lambda: bool(reaper.project.items))
    (item,) = reaper.project.items
    assert item.position_s == 12.5
    assert item.length_s == pytest.approx(item.take.source.length_s)
    assert [t.texts["P_NAME"] for t in item.takes] == [
        "Retake: a siren (seed 7)",
        "Retake: a siren (seed 8)",
    ]
    asked = reaper.submissions()[-1]
    assert (asked["values"]["seconds"], asked["values"]["rate"]) == (2.5, 48000)
    assert reaper.project.undo_names == ["Retake: generate (a siren)"]


def test_generate_never_lands_on_another_item(reaper: Studio) -> None:
    there = reaper.item(position_s=0.0, length_s=1.0, is_selected=False)
    track = reaper.project.tracks[0]
    track.is_selected = True
    for cursor_s, is_free in ((5.0, True), (0.999, False)):
        reaper.project.cursor_s = cursor_s
        n_items = len(reaper.project.items)
        reaper.act("generate at cursor", "a siren\n\n2\n1\n")
        reaper.reaper.run_until(lambda n=n_items: len(reaper.project.items) > n)
        (new,) = [i for i in reaper.project.items if i.position_s == cursor_s]
        assert (new in track.items) == is_free
    assert reaper.project.tracks[1].items == [new], "a new track right below"
    assert len(there.takes) == 1


def test_time_selection_gives_generate_its_length(reaper: Studio) -> None:
    reaper.project.selection = (1.0, 4.0)
    reaper.act("generate at cursor", None)
    assert reaper.reaper.asked[0][2].split("\n")[2] == "3"


def test_repeat_last_with_new_seed(reaper: Studio) -> None:
    item, other = reaper.item(), reaper.item(is_selected=False)
    reaper.act("transfer selected items", "rain\nwind\n0.3\n2\n42")
    reaper.wait_for_takes(item, 3)
    item.values["B_UISEL"] = 0.0
    reaper.act("repeat last with new seed")  # nothing selected: the same item
    reaper.wait_for_takes(item, 5)
    other.values["B_UISEL"] = 1.0
    reaper.act("repeat last with new seed")
    reaper.wait_for_takes(other, 3)
    first, second, third = reaper.history()
    assert first["seed"] == "42"
    assert len({first["seed"], second["seed"], third["seed"]}) == 3
    for recipe in (second, third):
        same = ("edit", "prompt", "negative", "strength", "takes")
        assert [recipe[key] for key in same] == [first[key] for key in same]


def test_repeated_edit_starts_from_the_same_take(reaper: Studio) -> None:
    """Not from the take it made before, which is the active one by then."""
    item = reaper.item()
    original = item.take
    reaper.act("transfer selected items", "rain\n\n0.3\n1\n1")
    reaper.wait_for_takes(item, 2)
    reaper.act("repeat last with new seed")
    reaper.wait_for_takes(item, 3)
    assert_upside_down(item, item.takes[2], original)
    reaper.act("transfer selected items", "wind\n\n0.3\n1\n1")  # of what plays now
    reaper.wait_for_takes(item, 4)
    assert_upside_down(item, item.takes[3], item.takes[2])
    reaper.act("repeat last with new seed")
    reaper.wait_for_takes(item, 5)
    assert_upside_down(item, item.takes[4], item.takes[2])
    original.guid = "{gone}"  # a take that was deleted meanwhile
    item.active = 1
    reaper.act("repeat last with new seed")
    reaper.wait_for_takes(item, 6)
    assert_upside_down(item, item.takes[5], item.takes[1])


def test_project_keeps_the_last_fifty_recipes(reaper: Studio) -> None:
    item = reaper.item(length_s=0.01)
    for n in range(50):
        recipe = {"edit": "transfer", "prompt": f"old {n}", "items": [item.guid]}
        reaper.project.ext["retake", f"recipe {n + 1:02}"] = json.dumps(recipe)
    reaper.project.ext["retake", "recipes"] = "50"
    for n in (2, 3):
        reaper.act("repeat last with new seed")
        reaper.wait_for_takes(item, n)
    prompts = [recipe["prompt"] for recipe in reaper.history()]
    assert prompts == [*(f"old {n}" for n in range(2, 50)), "old 49", "old 49"]
    assert len(reaper.project.ext) == 51, "no recipe is left over"


def test_two_takes_of_one_name_are_two_files(reaper: Studio) -> None:
    item = reaper.item()
    for n in (2, 3):
        reaper.act("transfer selected items", "rain\n\n0.5\n1\n1")
        reaper.wait_for_takes(item, n)
    names = sorted(path.name for path in reaper.reaper.media.iterdir())
    assert names == ["Retake rain (seed 1) 2.wav", "Retake rain (seed 1).wav"]


def test_names_hold_what_any_disk_takes(reaper: Studio) -> None:
    item = reaper.item()
    text = 'C:\\a/b|c*? "größe" ' + "ü" * 80
    reaper.act("transfer selected items", f"{text}\n\n0.5\n1\n1")
    reaper.wait_for_takes(item)
    assert item.take.texts["P_NAME"] == f"Retake: {text} (seed 1)"
    name = item.take.source.path.name
    assert not set(name) & set('<>:"/\\|?*')
    assert name.startswith("Retake Cabc größe")
    assert name.endswith("ü (seed 1).wav")
    assert len(name.encode()) <= 64


def test_take_of_an_item_trimmed_meanwhile(reaper: Studio) -> None:
    """What is cut off the item's left edge is cut off the take as well."""
    item = reaper.item(position_s=1.0)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    item.values |= {"D_POSITION": 1.25, "D_LENGTH": 0.75}
    item.take.values["D_STARTOFFS"] = 0.25
    reaper.reaper.run_until(lambda: len(item.takes) == 2)
    assert_upside_down(item, item.take, item.takes[0])


REFUSED = {
    "nothing selected": ("transfer selected items", "Select at least one audio item first."),
    "no time selection": ("inpaint time selection", "Make a time selection inside the item"),
    "nothing made yet": ("repeat last with new seed", "Nothing was made in this project yet."),
}


@pytest.mark.parametrize("what", REFUSED)
def test_actions_say_what_they_need_before_they_ask(reaper: Studio, what: str) -> None:
    name, message = REFUSED[what]
    if what == "no time selection":
        reaper.item()
    reaper.act(name, "never typed")
    assert len(reaper.reaper.messages) == 1
    assert message in reaper.reaper.messages[0]
    assert not reaper.reaper.asked


def test_wrong_values_are_named_and_asked_for_again(reaper: Studio) -> None:
    item = reaper.item()
    answers = ["rain\n\nmuch\n1\n", "rain\n\n0.5\n9\n", "rain\n\n0.5\n1\nx", "rain\n\n0,5\n1\n3"]
    reaper.act("transfer selected items", *answers)
    reaper.wait_for_takes(item)
    assert [message.split(" is ")[0] for message in reaper.reaper.messages] == [
        "Strength",
        "Takes",
        "The seed",
    ]
    assert '"much"' in reaper.reaper.messages[0]
    assert reaper.submissions()[-1]["values"]["strength"] == 0.5


def test_cancelled_dialog_does_nothing(reaper: Studio) -> None:
    reaper.item()
    reaper.act("transfer selected items", None)
    assert len(reaper.reaper.scripts) == 1, "no panel was opened"


def unreadable(studio: Studio, what: str) -> Item:
    if what == "MIDI":
        return studio.project.add(Source(), length_s=1.0)
    if what == "9 channels":
        return studio.item(9)
    item = studio.item()
    if what == "empty":
        item.takes.clear()
    elif what == "shorter than one sample":
        item.values["D_LENGTH"] = 1e-5
    else:
        item.take.source = None
    return item


@pytest.mark.parametrize(
    "what", ["MIDI", "9 channels", "empty", "shorter than one sample", "offline"]
)
def test_items_that_cannot_be_heard_are_told_apart(reaper: Studio, what: str) -> None:
    item, good = unreadable(reaper, what), reaper.item(position_s=5.0)
    n_takes = len(item.takes)
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_takes(good)
    assert what in reaper.shown()
    assert len(item.takes) == n_takes


def test_server_refusal_is_shown(reaper: Studio) -> None:
    item = reaper.item()
    (item.take.source.path).unlink()
    reaper.act("transfer selected items", "rain\n\n0.5\n1\n")
    reaper.wait_for_text("does not exist; give an audio file")


def test_every_action_is_set_up(reaper: Studio) -> None:
    reaper.act("set up")
    there = {path.name for path in reaper.scripts.glob("*.lua")} - {"Retake - set up.lua"}
    assert {path.name for path in reaper.reaper.commands.values()} == there
    assert reaper.panel.window.is_open


def test_issue_actions_are_there() -> None:
    said = {
        line.removeprefix("-- @description ").rstrip("…")
        for path in (ROOT / "daw_bridge/reaper").glob("*.lua")
        for line in path.read_text(encoding="utf-8").splitlines()[:1]
    }
    wanted = ("transfer selected items", "inpaint time selection", "restore highs")
    more = ("generate at cursor", "continue item", "repeat last with new seed", "presets", "panel")
    assert {f"Retake: {name}" for name in (*wanted, *more)} <= said


def test_old_reaper_without_newer_functions(reaper: Studio) -> None:
    reaper.reaper.missing = {"reaper.InsertTrackInProject", "reaper.set_action_options"}
    reaper.reaper.missing |= {name.split(".")[1] for name in reaper.reaper.missing}
    reaper.act("generate at cursor", "a siren\n\n2\n1\n")
    reaper.reaper.run_until(lambda: bool(reaper.project.items))
    assert isinstance(reaper.project.tracks[0], Track)
