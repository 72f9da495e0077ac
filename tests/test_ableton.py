"""Ableton Live's bridge, run in a model of Live with the real server: takes and where they land."""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from continuing_double import COMMAND as CONTINUING
from fake_live import LIVES_TICK_S
from fake_live_objects import Clip, MisuseError, Track
from fake_live_studio import Studio, Surface, studio, upside_down
from running import Running

from daw_bridge.install import HOSTS, Kit

SINCE_SLOTS = (12, 0, 5)
MAX_ARRIVAL_S = 0.300


@pytest.fixture
def live(tmp_path: Path, server: Running) -> Iterator[Studio]:
    with studio(tmp_path, server.folder) as made:
        yield made


@pytest.fixture
def live_12_0(tmp_path: Path, server: Running) -> Iterator[Studio]:
    """A Live without take lanes."""
    with studio(tmp_path, server.folder, SINCE_SLOTS) as made:
        yield made


@pytest.fixture
def continuing(tmp_path: Path) -> Iterator[Studio]:
    """With a server whose takes of continue are longer than the clip."""
    command = [*CONTINUING, str(tmp_path / "steps.log")]
    running = Running(tmp_path / "state", command=command)
    with studio(tmp_path, running.folder) as made:
        yield made
    running.stop()


def taken(live: Studio, n: int = 1) -> Clip:
    """Wait for the job's end; its first take in the next slot or in a take lane."""
    how, text = live.wait_for("ended", n)[1:]
    assert how == "placed", text
    slots = [slot.clip for slot in live.track.clip_slots[1:] if slot.clip is not None]
    lanes = [clip for lane in live.track.take_lanes for clip in lane.arrangement_clips]
    return (slots or lanes)[0]


def test_unwarped_session_clip(live: Studio) -> None:
    clip = live.session_clip(warping=False, gain=0.7, pitch_coarse=3, _markers=[0.5, 2.0])
    live.go(seed=7)
    take = taken(live)
    upside_down(take, clip.file_path, 0.5, 1.5)
    assert take is live.track.clip_slots[1].clip
    assert live.track.clip_slots[0].clip is clip
    assert (take.name, take.warping) == ("Retake: rain (seed 7)", False)
    assert (take.gain, take.pitch_coarse, clip.gain) == (0.7, 3, 0.7)


def test_warped_session_clip_follows_its_map(live: Studio) -> None:
    """Beats 1 to 5 lie unevenly in the file; the take's beats lie on the same moments."""
    clip = live.session_clip(_warps=[(0.25, 0.0), (1.0, 2.0), (3.0, 5.0)], warp_mode=4)
    clip.put(_markers=[1.0, 4.0])
    live.go()
    take = taken(live)
    start_s = clip.second_of(1.0)
    upside_down(take, clip.file_path, start_s, clip.second_of(4.0) - start_s)
    assert (take.warping, take.warp_mode, take.looping) == (True, 4, False)
    for beat in (0.0, 0.3, 1.0, 1.5, 3.0):
        assert take.second_of(beat) + start_s == pytest.approx(clip.second_of(1 + beat), abs=3e-5)
    assert (take.loop_start, take.loop_end) == pytest.approx((0.0, 3.0), abs=1e-4)


def test_loop_is_kept_with_its_way_in(live: Studio) -> None:
    clip = live.session_clip(_warps=[(0.0, 0.0), (4.0, 8.0)], _markers=[1.0, 7.0])
    clip.put(looping=True, _brace=[2.0, 6.0])
    live.go()
    take = taken(live)
    upside_down(take, clip.file_path, 0.5, 2.5)
    assert take.looping
    assert (take.start_marker, take.loop_start, take.loop_end) == pytest.approx((0.0, 1.0, 5.0))


@pytest.mark.parametrize("first_marker", [(0.0, 0.0), (0.31, 0.0), (0.1, 0.5)])
def test_lives_own_guess_at_warping_is_overruled(
    live: Studio, first_marker: tuple[float, float]
) -> None:
    clip = live.session_clip(_warps=[(0.0, 0.0), (2.0, 3.0)], _markers=[0.0, 6.0])
    live.live.model.put(_first_marker=first_marker)
    live.go()
    take = taken(live)
    assert np.allclose(take.visible(), [(0.0, 0.0), (3.0, 2.0), (6.0, 4.0)], atol=1e-4)
    assert clip.visible() == [(0.0, 0.0), (3.0, 2.0)]


@pytest.mark.parametrize("auto_warp", [False, True], ids=["short", "auto-warp"])
@pytest.mark.parametrize("warping", [False, True], ids=["unwarped", "warped"])
def test_warping_is_as_the_clips_in_one_undo_step(
    live: Studio, auto_warp: bool, warping: bool
) -> None:
    clip = live.session_clip(warping=warping)
    live.live.model.put(_auto_warp=auto_warp)
    live.go(takes=3)
    taken(live)
    slots = [slot.clip for slot in live.track.clip_slots[:4]]
    assert [one.warping for one in slots] == [warping] * 4
    assert live.live.model.n_undo == 1
    live.live.model.undo()
    assert [slot.clip for slot in live.track.clip_slots] == [clip] + [None] * 7


def test_clip_that_begins_before_its_file(live: Studio) -> None:
    clip = live.arrangement_clip(8.0, _warps=[(0.0, 0.0), (4.0, 8.0)], _markers=[-2.0, 4.0])
    live.go()
    take = taken(live)
    upside_down(take, clip.file_path, 0.0, 2.0)
    assert take.start_time == pytest.approx(10.0)


@pytest.mark.parametrize("warping", [False, True], ids=["unwarped", "warped"])
def test_arrangement_clip_gets_take_lanes(live: Studio, warping: bool) -> None:
    clip = live.arrangement_clip(16.0, warping=warping, _markers=[1.0, 3.0])
    clip.put(end_time=18.0 if warping else 20.0)
    live.go(takes=2)
    take = taken(live)
    start_s, length_s = (0.5, 1.0) if warping else (1.0, 2.0)
    upside_down(take, clip.file_path, start_s, length_s)
    lanes = live.track.take_lanes
    assert [lane.name for lane in lanes] == ["Retake", "Retake"]
    assert [lane.arrangement_clips[0].start_time for lane in lanes] == [16.0, 16.0]
    assert live.track.arrangement_clips == [clip]
    live.live.model.undo()
    assert live.track.take_lanes == []


def test_looping_arrangement_clip_gives_its_first_pass(live: Studio) -> None:
    clip = live.arrangement_clip(4.0, _warps=[(0.0, 0.0), (4.0, 8.0)], end_time=20.0)
    clip.put(looping=True, _markers=[1.0, 8.0], _brace=[0.0, 5.0])
    live.go()
    take = taken(live)
    upside_down(take, clip.file_path, 0.5, 2.0)
    assert not take.looping


def test_lane_is_used_again_where_nothing_follows(live: Studio) -> None:
    first = live.arrangement_clip(0.0)
    live.go()
    taken(live)
    live.arrangement_clip(first.end_time)
    live.go()
    taken(live, 2)
    live.live.model.view.put(detail_clip=first)
    live.go()
    taken(live, 3)
    assert [len(lane.arrangement_clips) for lane in live.track.take_lanes] == [2, 1]


def test_take_of_a_take(live: Studio) -> None:
    """A clip in a take lane is a clip like any other."""
    live.arrangement_clip(2.0)
    live.go()
    take = taken(live)
    live.live.model.view.put(detail_clip=take)
    live.go("hail")
    taken(live, 2)
    assert [lane.arrangement_clips[0].name.split(" (")[0] for lane in live.track.take_lanes] == [
        "Retake: rain",
        "Retake: hail",
    ]


def test_without_take_lanes_the_next_slot_is_taken(live_12_0: Studio) -> None:
    clip = live_12_0.arrangement_clip(16.0)
    live_12_0.go()
    live_12_0.wait_for("ended")
    upside_down(live_12_0.track.clip_slots[0].clip, clip.file_path, 0.0, 4.0)


def test_full_track_gets_a_new_one_beside_it(live: Studio) -> None:
    clips = [live.session_clip(slot) for slot in range(8)]
    live.live.model.put(tracks=[live.track, Track(live.live.model, "Bass", 8)])
    live.live.model.view.put(detail_clip=clips[2])
    live.go()
    live.wait_for("ended")
    first, new, bass = live.live.model.tracks
    assert [slot.clip for slot in first.clip_slots] == clips
    assert new.clip_slots[2].clip.name.startswith("Retake: rain")
    assert bass.name == "Bass"
    live.live.model.undo()
    assert live.live.model.tracks == [first, bass]


def test_clips_are_never_overwritten(live: Studio) -> None:
    """Slots filled by the user while the job runs are passed over."""
    live.session_clip(0)
    live.go("short")
    live.wait_for("progress")
    mine = live.session_clip(1)
    live.wait_for("ended")
    assert live.track.clip_slots[1].clip is mine
    assert live.track.clip_slots[2].clip.name.startswith("Retake: short")


def test_takes_lie_in_the_sets_folder_with_their_recipe(live: Studio) -> None:
    live.live.model.put(file_path=str(live.folder / "My Set Project" / "song.als"))
    clip = live.session_clip()
    live.go('a "creaking" gate: left/right', strength=0.4, seed=11)
    take = Path(taken(live).file_path)
    assert take.parent == live.folder / "My Set Project" / "Samples" / "Retake"
    assert take.name == "Retake a creaking gate left right (seed 11).wav"
    recipe = json.loads(take.with_suffix(".json").read_text())
    assert recipe["strength"] == 0.4
    assert (recipe["prompt"], recipe["seed"]) == ('a "creaking" gate: left/right', 11)
    assert (recipe["path"], recipe["start"], recipe["model"]) == (clip.file_path, 0, "double")
    live.surface.send("go")
    taken(live, 2)
    assert take.with_name("Retake a creaking gate left right (seed 11) (2).wav").is_file()


def test_inpaint_fills_the_loop_brace(live: Studio) -> None:
    clip = live.session_clip(_warps=[(0.0, 0.0), (4.0, 8.0)], _markers=[0.0, 8.0])
    clip.put(looping=True, _brace=[2.0, 3.0])
    live.go(edit="inpaint")
    upside_down(taken(live), clip.file_path, 0.0, 4.0)
    request = submitted(live)
    assert request["values"]["holes"] == [
        {"start_frames": 44100, "frames": 22050, "low_hz": None, "high_hz": None}
    ]


@pytest.mark.parametrize(
    ("start", "take_start", "hole"),
    [(8.0, 6.0, (0, 88200)), (1.5, 0.0, (0, 77175))],
    ids=["inside", "at the arrangement's start"],
)
def test_inpaint_of_a_loop_begun_in_its_middle_stays_in_time(
    live: Studio, start: float, take_start: float, hole: tuple[int, int]
) -> None:
    """What the clip plays at a beat is what the take plays there, or has filled."""
    clip = live.arrangement_clip(start, _warps=[(0.0, 0.0), (4.0, 8.0)], end_time=start + 6.0)
    clip.put(looping=True, _markers=[2.0, 8.0], _brace=[0.0, 4.0])
    live.go(edit="inpaint")
    take = taken(live)
    assert take.start_time == pytest.approx(take_start)
    read_from = 2.0 - (start - take_start)  # the beat of the clip that lies where the take begins
    upside_down(take, clip.file_path, read_from / 2, 4.0 - read_from / 2)
    (found,) = submitted(live)["values"]["holes"]
    assert (found["start_frames"], found["frames"]) == hole


def test_a_brace_that_never_plays_is_not_filled(live: Studio) -> None:
    clip = live.arrangement_clip(1.0, _warps=[(0.0, 0.0), (4.0, 8.0)], end_time=3.0)
    clip.put(looping=True, _markers=[6.0, 8.0], _brace=[0.0, 4.0])
    live.go(edit="inpaint")
    assert "before the arrangement's start" in live.error()


#: How `continue` is told to go before the clip: by a setting, by a preset.
BEFORE = {
    "setting": {"edit": "continue", "seconds": 2, "direction": "before"},
    "preset": {"preset": "lead-in"},
}


def check_lead_in(take: Clip, original: str, start_s: float) -> None:
    """Two seconds of something new, and the clip from there on."""
    made, rate = soundfile.read(take.file_path, always_2d=True)
    whole, _ = soundfile.read(original, always_2d=True)
    assert len(made) == 2 * rate + len(whole) - round(start_s * rate)
    np.testing.assert_array_equal(made[2 * rate :], -whole[round(start_s * rate) :])


@pytest.mark.parametrize("how", BEFORE)
def test_what_is_added_before_a_clip_lies_before_it(continuing: Studio, how: str) -> None:
    """Beats 0 and 2 are a second apart: two seconds before beat 2 lies beat -2."""
    live = continuing
    clip = live.arrangement_clip(8.0, _warps=[(0.25, 0.0), (1.25, 2.0), (3.25, 5.0)])
    clip.put(_markers=[2.0, clip._markers[1]])
    live.go("", **BEFORE[how])
    take = taken(live)
    check_lead_in(take, clip.file_path, clip.second_of(2.0))
    new_beats = 4.0
    assert take.start_time == pytest.approx(8.0 - new_beats)
    for beat in (2.0, 3.5, 5.0):
        moment = take.second_of(beat - 2.0 + new_beats)
        assert moment == pytest.approx(2.0 + clip.second_of(beat) - clip.second_of(2.0), abs=3e-5)


@pytest.mark.parametrize("warping", [False, True], ids=["unwarped", "warped"])
def test_a_take_that_would_begin_before_the_arrangement_is_cut(
    continuing: Studio, warping: bool
) -> None:
    live = continuing
    clip = live.arrangement_clip(1.0, warping=warping)  # 120 a minute: half a second in
    live.go("", **BEFORE["setting"])
    take = taken(live)
    check_lead_in(take, clip.file_path, 0.0)
    assert (take.start_time, take.warping) == (0.0, warping)
    plays_from_s = take.second_of(take.loop_start) if warping else take.loop_start
    assert plays_from_s == pytest.approx(1.5, abs=1e-4)


def test_a_loop_goes_round_as_before_after_what_was_added(continuing: Studio) -> None:
    live = continuing
    clip = live.session_clip(_warps=[(0.0, 0.0), (4.0, 8.0)], _markers=[1.0, 8.0])
    clip.put(looping=True, _brace=[2.0, 8.0])
    live.go("", **BEFORE["setting"])
    take = taken(live)
    assert (take.start_marker, take.loop_start, take.loop_end) == pytest.approx((0.0, 5.0, 11.0))
    assert take.second_of(take.loop_start) == pytest.approx(2.0 + 0.5)


def test_presets_that_go_before_are_known_from_the_installation(live: Studio) -> None:
    """As for one without the tag; the real list has a tag for its own."""
    sides = {"mine": "before", "other": "after", "swell": "before"}
    rows = [{"name": name, "parameters": {"direction": side}} for name, side in sides.items()]
    kit = Kit(presets=({"name": "cathedral"}, *rows))
    conf = HOSTS["ableton"].files(kit)["retake.conf"].decode()
    assert "before=mine swell\n" in conf
    bridge = live.live.script._bridge

    def goes_before(**values: str) -> bool:
        return bool(bridge._goes_before(SimpleNamespace(values=values)))

    bridge._presets_before = ["mine"]
    bridge._presets = {"tagged": ("", "extend", "continue", "before"), "other": ("", "", "", "")}
    assert [goes_before(preset=one) for one in ("mine", "tagged", "other")] == [True, True, False]
    assert not goes_before(preset="mine", direction="after")


def submitted(live: Studio) -> dict[str, Any]:
    """What the server was asked for last."""
    with closing(sqlite3.connect(live.state / "jobs.sqlite")) as jobs:
        (text,) = jobs.execute("SELECT submission FROM job ORDER BY rowid DESC LIMIT 1").fetchone()
    return dict(json.loads(text))


def test_preset_knows_its_edit(live: Studio) -> None:
    live.session_clip(warping=False)
    live.surface.send("presets")
    live.wait_for("presets")
    fill = next(one for one in live.surface.heard("preset") if one[3] == "inpaint")
    live.go("", preset=fill[0])
    assert "loop brace" in live.error()


def test_generate_needs_no_clip(live: Studio) -> None:
    live.go(edit="generate", seconds=0.5)
    live.wait_for("ended")
    assert live.track.clip_slots[0].clip.name.startswith("Retake: rain")


def test_again_takes_a_new_seed_of_the_same_stretch(live: Studio) -> None:
    clip = live.session_clip(_markers=[0.0, 2.0], warping=False)
    live.go(seed=5)
    taken(live)
    live.live.model.view.put(detail_clip=None)
    live.surface.send("again")
    live.wait_for("ended", 2)
    first, second = (live.track.clip_slots[i].clip for i in (1, 2))
    assert (first.name, second.name) != ("Retake: rain (seed 5)",) * 2
    upside_down(second, clip.file_path, 0.0, 2.0)


REFUSED = {
    "no clip": ({}, "No clip is chosen"),
    "midi": ({"is_midi_clip": True}, "MIDI clips hold no sound"),
    "recording": ({"is_recording": True}, "still being recorded"),
    "no file": ({"file_path": ""}, "sample is missing"),
    "empty": ({"warping": False, "_markers": [5.0, 6.0]}, "Nothing of the clip's sample"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refusals_are_polite_and_change_nothing(live: Studio, why: str) -> None:
    values, text = REFUSED[why]
    if values:
        live.session_clip(**values)
    live.go()
    assert text in live.error()
    assert any(text in message for message in live.live.messages)
    assert live.live.model.n_undo == 0
    assert not live.surface.heard("job")


def test_frozen_track_is_refused(live: Studio) -> None:
    live.session_clip()
    live.track.put(is_frozen=True)
    live.go()
    assert "frozen" in live.error()


def test_servers_refusal_reaches_the_user(live: Studio) -> None:
    live.session_clip()
    live.go(strength=7)
    _, how, text = live.wait_for("ended")
    assert how == "failed"
    assert "strength is 7" in text


def test_surface_sees_clip_form_and_server(live: Studio) -> None:
    live.session_clip(_markers=[0.5, 2.0], warping=False)
    live.surface.send("watch", 1)
    live.surface.send("set", "takes", 2.0)
    assert live.wait_for("form") == ("edit", "transfer", "takes", 2)
    live.surface.send("set", "text", "rain")
    assert live.wait_for("form", 2)[-2:] == ("prompt", "rain")
    live.surface.send("set", "takes", "")
    live.surface.send("set", "preset", "telephone")
    assert live.wait_for("form", 4) == ("prompt", "rain", "preset", "telephone")
    live.surface.send("clip")
    assert live.wait_for("clip")[1:] == pytest.approx((0.5, 1.5))
    live.surface.send("hello")
    live.wait_for("hello")
    assert live.wait_for("server")[0] == 1


@pytest.mark.parametrize(
    ("word", "values", "text"),
    [
        ("set", ("path", "/etc/passwd"), "taken from the clip"),
        ("set", ("strength",), "a key and a value"),
        ("set", (1, 2), "needs a name"),
        ("set", ("strength", float("nan")), "must be a text or a number"),
        ("dance", (), "there are: hello, set"),
        ("again", (), "Nothing was made yet"),
        ("cancel", (), "No job runs"),
        ("watch", ("loud",), "1 or 0"),
        ("watch", (1, 99999), "1 or 0"),
    ],
)
def test_wrong_messages_are_answered(
    live: Studio, word: str, values: tuple[Any, ...], text: str
) -> None:
    live.surface.send(word, *values)
    assert text in live.error()


def test_button_that_is_let_go_does_nothing(live: Studio) -> None:
    live.session_clip()
    live.surface.send("set", "text", "rain")
    live.surface.send("go", 1.0)
    live.surface.send("go", 0.0)
    live.wait_for("ended")
    assert len(live.surface.heard("job")) == 1


def test_words_go_on_to_the_port_that_was_named(live: Studio) -> None:
    """A surface that listens on another port than it sends from."""
    ear = Surface(1)
    live.surface.send("watch", 1, ear.port)
    live.session_clip()
    live.go()
    live.wait_for("ended")
    assert [how for _, how, _ in ear.heard("ended")] == ["placed"]
    live.surface.send("watch", 0, ear.port)
    live.surface.send("set", "takes", 1)
    live.wait_for("form")
    assert not ear.heard("form")
    ear.close()


def test_take_arrives_soon_after_it_is_done(live: Studio) -> None:
    """From the status file that says done to the clip in its lane; the median of five counts."""
    live.live.tick_s = LIVES_TICK_S
    live.arrangement_clip(length_s=5.0)
    took_s = []
    for n in range(1, 6):
        live.go()
        live.wait_until(lambda n=n: len(live.track.take_lanes) == n)
        there_s = time.time() - LIVES_TICK_S  # the tick that laid it was followed by a rest
        status = live.state / "spool" / f"{live.surface.heard('job')[-1][0]}.status"
        took_s.append(there_s - os.stat(status).st_mtime)
    assert statistics.median(took_s) < MAX_ARRIVAL_S, took_s


def test_model_of_live_notices_misuse(live: Studio) -> None:
    """The fake takes offence, or the tests above would say nothing."""
    clip = live.arrangement_clip(0.0)
    with pytest.raises(MisuseError, match="no 'file_pth'"):
        _ = clip.file_pth
    with pytest.raises(MisuseError, match="laid over"):
        live.track.create_audio_clip(clip.file_path, 1.0)
    live.session_clip(0)
    with pytest.raises(MisuseError, match="where one is"):
        live.track.clip_slots[0].create_audio_clip(clip.file_path)
    clip.kill()
    assert clip == None  # noqa: E711
    with pytest.raises(RuntimeError, match="gone"):
        _ = clip.name
