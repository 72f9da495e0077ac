"""`retake rpp` and `retake als`: project files are read right and never changed."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rpp
import soundfile
from fake_reaper_studio import tone

from engine import Engine, read
from engine.edits import make_edit
from server.cli import main
from server.projects_als import read_clips
from server.projects_rpp import NewTake, RppProject, quoted

RATE = 44100
#: A project as REAPER writes them: quotes of three kinds, notes, a plug-in's state, takes, effects.
PROJECT = """<REAPER_PROJECT 0.1 "7.16/linux-x86_64" 1718000000
  <NOTES 0 2
    |a note with > and < and "quotes"
  >
  RIPPLE 0
  RECORD_PATH "Media" ""
  SAMPLERATE 44100 0 0
  <TRACK {AAAAAAAA-0000-0000-0000-000000000001}
    NAME 'a "quoted" track'
    <FXCHAIN
      <VST "VST: ReaEQ (Cockos)" reaeq.so 0 "" 1919247729<5653547265657172656165710000000> ""
        cWVlcu5e7f4CAAAAAQAAAAAAAAACAAAAAAAAAAIAAAABAAAAAAAAAAIAAAAAAAAA
      >
    >
    <ITEM
      POSITION 1.5
      LENGTH 0.5
      LOOP 0
      NAME "plain item"
      VOLPAN 1 0 1 -1
      SOFFS 0.25
      PLAYRATE 1 1 0 -1 0 0.0025
      CHANMODE 0
      GUID {AAAAAAAA-0000-0000-0000-000000000002}
      <SOURCE WAVE
        FILE "clip.wav"
      >
      TAKE SEL
      NAME `second "take" isn't first`
      SOFFS 0.1
      PLAYRATE 1 1 0 -1 0 0.0025
      <SOURCE WAVE
        FILE "clip.wav"
      >
    >
  >
  <TRACK {AAAAAAAA-0000-0000-0000-000000000003}
    NAME fast
    <ITEM
      POSITION 0
      LENGTH 0.4
      NAME ""
      PLAYRATE 2 1 0 -1 0 0.0025
      <SOURCE WAVE
        FILE "clip.wav"
      >
    >
    <ITEM
      POSITION 3
      LENGTH 0.5
      NAME first
      SOFFS 0.2
      <SOURCE WAVE
        FILE "clip.wav"
      >
      TAKE
      NAME other
      SOFFS 0.3
      PLAYRATE 3
      <SOURCE WAVE
        FILE "clip.wav"
      >
    >
    <ITEM
      POSITION 4
      LENGTH 1
      NAME reversed
      <SOURCE SECTION
        LENGTH 1
        MODE 2
        <SOURCE WAVE
          FILE "clip.wav"
        >
      >
    >
    <ITEM
      POSITION 6
      LENGTH 1
      NAME notes
      <SOURCE MIDI
        HASDATA 1 960 QN
      >
    >
    <ITEM
      POSITION 7
      LENGTH 2
      LOOP 1
      NAME looped
      SOFFS 0.5
      <SOURCE WAVE
        FILE "clip.wav"
      >
    >
    <ITEM
      POSITION 8
      LENGTH 1
      NAME lost
      <SOURCE WAVE
        FILE "gone.wav"
      >
    >
  >
>
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    tone(tmp_path / "clip.wav", length_s=1.0)
    path = tmp_path / "song.rpp"
    path.write_text(PROJECT, newline="\n")
    return path


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_items_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rpp", project, "--json") == 0
    items = json.loads(capsys.readouterr().out)
    first = items[0]
    assert (first["position_s"], first["length_s"], first["offset_s"]) == (1.5, 0.5, 0.1)
    assert (first["track"], first["name"]) == ('a "quoted" track', 'second "take" isn\'t first')
    assert (items[2]["name"], items[2]["offset_s"]) == ("first", 0.2)
    assert [item["trouble"].split(";")[0] for item in items] == [
        "",
        "its rate is 2",
        "",
        "its source is SECTION",
        "its source is MIDI",
        "it loops past its file's end",
        f"there is no {project.parent / 'gone.wav'}",
    ]
    assert run("rpp", project) == 0
    assert "plain item" not in capsys.readouterr().out, "the active take's name is shown"


def takes_of(path: Path, number: int) -> list[list[Any]]:
    """An item's takes as the rpp package reads them: lists of lines and elements."""
    item = rpp.loads(path.read_text()).findall(".//ITEM")[number - 1]
    takes: list[list[Any]] = [[]]
    for child in item:
        line = [child] if isinstance(child, str) else child
        if isinstance(line, list) and line[0] == "TAKE":
            takes.append([])
        takes[-1].append(line)
    return takes


def test_take_is_put_in_and_nothing_else_changes(
    project: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in project.parent.iterdir()}
    options = ("--prompt", "rain", "--seed", "7", "--takes", "2", "--steps", "2", "--device", "cpu")
    assert run("rpp", project, "--item", "1", *options, "--model", tiny_folder) == 0
    new = project.with_name("song - retake.rpp")
    assert str(new) in capsys.readouterr().out
    for path, content in before.items():
        assert path.read_bytes() == content, f"{path.name} was changed"
    takes = takes_of(new, 1)
    assert len(takes) == 4
    assert takes[2][:2] == [["TAKE", "SEL"], ["NAME", "Retake: rain (seed 7)"]]
    assert takes[3][:2] == [["TAKE"], ["NAME", "Retake: rain (seed 8)"]]
    assert takes[1][0] == ["TAKE"], "one take is active"
    file = project.parent / takes[2][-1].find("FILE")[1]
    assert file == project.parent / "Media" / "Retake rain (seed 7).wav"
    samples, rate = soundfile.read(file, always_2d=True)
    assert (rate, samples.shape) == (RATE, (RATE // 2, 2))


def test_a_recipe_beside_each_take_makes_it_again(project: Path, tiny_folder: Path) -> None:
    options = ("--seed", "7", "--takes", "2", "--steps", "2", "--device", "cpu")
    words = ("--prompt", "Zürich in rain", "--model", tiny_folder)
    mine = project.parent / "Media" / "Retake Zürich in rain (seed 7).json"
    mine.parent.mkdir()
    mine.write_text("the user's own")
    assert run("rpp", project, "--item", "1", *words, *options) == 0
    assert mine.read_text() == "the user's own"
    engine = Engine.load(tiny_folder, device="cpu")
    for stem in ("Retake Zürich in rain (seed 7) 2", "Retake Zürich in rain (seed 8)"):
        recipe = json.loads((mine.parent / f"{stem}.json").read_text(encoding="utf-8"))
        assert recipe.pop("model") == "tiny"
        clip = [recipe.pop(key) for key in ("path", "start", "frames")]
        assert clip == [str(project.parent / "clip.wav"), round(0.1 * RATE), RATE // 2]
        take = engine.edit(read(*clip), make_edit(recipe.pop("edit"), recipe))
        kept, _ = soundfile.read(mine.parent / f"{stem}.wav", dtype="float32", always_2d=True)
        np.testing.assert_array_equal(kept, take.samples)


ITEM = """<REAPER_PROJECT 0.1
  <TRACK
    <ITEM
      POSITION 0
      LENGTH {length}
      LOOP {loop}
      NAME one
      {first}
      SOFFS {offset}
      <SOURCE WAVE
        FILE "clip.wav"
      >
      {more}
    >
  >
>
"""


def one_item(
    folder: Path,
    length: str = "1",
    offset: str = "0",
    loop: int = 0,
    first: str = "VOLPAN 1 0 1 -1",
    more: str = "MUTE 0 0",
) -> RppProject:
    """A project of one item of a second's file."""
    tone(folder / "clip.wav", length_s=1.0)
    text = ITEM.format(length=length, offset=offset, loop=loop, first=first, more=more)
    (folder / "one.rpp").write_text(text)
    return RppProject(folder / "one.rpp")


@pytest.mark.parametrize(
    ("length", "offset", "loop", "trouble"),
    [
        ("1", "0", 1, ""),
        ("0.99999", "0.00001", 1, ""),
        ("1.00001", "0", 1, ""),  # rounded to the file's own frames
        ("1.1", "0", 1, "it loops past its file's end; do it in REAPER"),
        ("0.6", "0.5", 1, "it loops past its file's end; do it in REAPER"),
        ("0.6", "0.5", 0, "it goes on past its file's end; do it in REAPER"),
        ("0.5", "-0.1", 0, "it begins before its file does; do it in REAPER"),
    ],
)
def test_an_item_plays_what_its_file_holds(
    length: str, offset: str, loop: int, trouble: str, tmp_path: Path
) -> None:
    project = one_item(tmp_path, length, offset, loop)
    assert project.items[0].trouble == trouble


def test_what_is_no_audio_is_said_in_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_item(tmp_path)
    (tmp_path / "clip.wav").write_text("text")
    assert run("rpp", tmp_path / "one.rpp") == 0
    assert "clip.wav can't be read as audio" in capsys.readouterr().out


SECOND = 'TAKE SEL\n{}\nNAME two\n<SOURCE WAVE\nFILE "clip.wav"\n>'


@pytest.mark.parametrize(
    ("first", "more", "expected"),
    [
        ("VOLPAN 0.8 0.25 -0.5 2", "MUTE 0 0", ["0.25", "-0.5", "2"]),  # the item's volume stays
        ("VOLPAN 1 0 1 -1", SECOND.format("TAKEVOLPAN -0.3 0.5 1"), ["-0.3", "0.5", "1"]),
        ("VOLPAN 0.8 0.25 -0.5 2", SECOND.format("CHANMODE 0"), ["0", "1", "-1"]),
        ("CHANMODE 0", "MUTE 0 0", ["0", "1", "-1"]),
        ("VOLPAN 1 loud", "MUTE 0 0", ["0", "1", "-1"]),
    ],
)
def test_a_take_is_as_loud_and_as_far_left_as_the_one_it_was_made_of(
    first: str, more: str, expected: list[str], tmp_path: Path
) -> None:
    project = one_item(tmp_path, first=first, more=more)
    (tmp_path / "new.rpp").write_text(project.with_takes([NewTake(1, "new", "y.wav")]))
    assert ["TAKEVOLPAN", *expected] in takes_of(tmp_path / "new.rpp", 1)[-1]


def test_only_lines_of_takes_are_inserted(project: Path) -> None:
    """Taken out again, what was put in leaves the old text, byte for byte."""
    found = RppProject(project)
    new = found.with_takes([NewTake(1, "Retake: rain (seed 1)", "Media/a.wav")])
    old_lines, new_lines = PROJECT.splitlines(), new.splitlines()
    at = next(i for i, line in enumerate(new_lines) if "Retake: rain" in line) - 1
    inserted = new_lines[at : at + 10]
    assert inserted[0].strip() == "TAKE SEL"
    assert inserted[-1].strip() == ">"
    rest = new_lines[:at] + new_lines[at + 10 :]
    changed = [(a, b) for a, b in zip(old_lines, rest, strict=True) if a != b]
    assert changed == [("      TAKE SEL", "      TAKE")]


def test_line_ends_and_strange_bytes_stay(project: Path) -> None:
    raw = PROJECT.replace("plain item", "pl\udce4in").replace("\n", "\r\n")
    project.write_bytes(raw.encode("utf-8", "surrogateescape"))
    new = RppProject(project).with_takes([NewTake(1, "x", "y.wav")])
    assert new.encode("utf-8", "surrogateescape").count(b"\n") == new.count("\r\n")
    assert "pl\udce4in" in new


def test_hole_is_given_in_seconds_of_the_item(project: Path, tiny_folder: Path) -> None:
    options = ("--steps", "2", "--device", "cpu", "--model", tiny_folder, "-o")
    new = project.with_name("new.rpp")
    hole = ("--edit", "inpaint", "--hole", "0.1:0.2")
    assert run("rpp", project, "--item", "1", *hole, *options, new) == 0
    file = project.parent / takes_of(new, 1)[2][-1].find("FILE")[1]
    was, _ = soundfile.read(project.parent / "clip.wav", dtype="float32", always_2d=True)
    now, _ = soundfile.read(file, dtype="float32", always_2d=True)
    was = was[round(0.1 * RATE) :][: len(now)]
    np.testing.assert_array_equal(now[: RATE // 10], was[: RATE // 10])
    np.testing.assert_array_equal(now[RATE // 5 :], was[RATE // 5 :])
    assert np.abs(now - was).max() > 1e-3


REFUSED = {
    "no such item": (("--item", "9"), "--item is 9; the project has items 1 to 7"),
    "an item at another rate": (("--item", "2"), "its rate is 2; do it in REAPER"),
    "a reversed item": (("--item", "4"), "its source is SECTION"),
    "a looped item": (("--item", "6"), "it loops past its file's end; do it in REAPER"),
    "an edit of another length": (("--item", "1", "--edit", "continue"), "offline there are"),
    "the project itself": (("--item", "1", "-o", "song.rpp"), "is never changed"),
    "another folder": (("--item", "1", "-o", "../new.rpp"), "media are found from"),
    "no project's name": (("--item", "1", "-o", "new.wav"), "projects are called .rpp"),
    "a stray parameter": (("--item", "1", "--seam", "1"), "takes no 'seam'"),
    "an unknown preset": (("--item", "1", "--preset", "nothing-of-it"), "preset"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_leave_everything_alone(
    what: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, message = REFUSED[what]
    monkeypatch.chdir(project.parent)
    before = sorted(path.name for path in project.parent.iterdir())
    assert run("rpp", project, *arguments) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in project.parent.iterdir()) == before
    assert project.read_text() == PROJECT


@pytest.mark.parametrize(
    "text", ["", "RIFF", "<REAPER_PROJECT 0.1", "<REAPER_PROJECT 0.1\n  <TRACK\n    <ITEM\n>\n"]
)
def test_broken_projects_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.rpp"
    path.write_text(text)
    assert run("rpp", path) == 2
    assert str(path) in capsys.readouterr().err


def test_without_the_package_it_says_what_to_install_where(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rpp", None)
    assert run("rpp", project) == 1
    assert f"{sys.executable} -m pip install rpp" in capsys.readouterr().err


def test_missing_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rpp", tmp_path / "none.rpp") == 2
    assert "can't be read" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["plain", 'a "b"', "it's", "both \" and '", "all \" ' `", ""])
def test_quoted_texts_come_back(text: str) -> None:
    read = rpp.loads(f"<X\n  NAME {quoted(text)}\n>\n").find("NAME")[1]
    assert read == text.replace("`", "'")


SET = """<?xml version="1.0" encoding="UTF-8"?>
<Ableton MajorVersion="5" Creator="Ableton Live 11.3"><LiveSet><Tracks>
<MidiTrack Id="1"><Name><EffectiveName Value="keys"/></Name></MidiTrack>
<AudioTrack Id="2"><Name><EffectiveName Value="drums"/></Name><Freeze Value="false"/><DeviceChain>
<MainSequencer><ClipSlotList>
<ClipSlot Id="0"><ClipSlot><Value/></ClipSlot></ClipSlot>
<ClipSlot Id="1"><ClipSlot><Value>{session}</Value></ClipSlot></ClipSlot>
</ClipSlotList><Sample><ArrangerAutomation><Events>{arrangement}</Events>
</ArrangerAutomation></Sample>
</MainSequencer></DeviceChain></AudioTrack>
<AudioTrack Id="3"><Name><EffectiveName Value="ice"/></Name><Freeze Value="true"/><DeviceChain>
<MainSequencer><ClipSlotList/><Sample><ArrangerAutomation><Events>{arrangement}</Events>
</ArrangerAutomation></Sample></MainSequencer></DeviceChain></AudioTrack>
</Tracks></LiveSet></Ableton>"""
CLIP = """<AudioClip Time="{time}"><CurrentStart Value="{time}"/><Name Value="{name}"/>
<Loop><LoopStart Value="{start}"/><LoopEnd Value="{end}"/></Loop><IsWarped Value="{warped}"/>
<WarpMarkers><WarpMarker SecTime="0.5" BeatTime="0"/><WarpMarker SecTime="2.5" BeatTime="4"/>
<WarpMarker SecTime="3.5" BeatTime="8"/></WarpMarkers>
<SampleRef><FileRef><RelativePath Value="Samples/a.wav"/><Path Value="{path}"/>
</FileRef></SampleRef>
</AudioClip>"""


@pytest.fixture
def live_set(tmp_path: Path) -> Path:
    (tmp_path / "Samples").mkdir()
    tone(tmp_path / "Samples" / "a.wav")
    session = CLIP.format(
        time=0, name="loop", start=0.25, end=0.75, warped="false", path="/gone.wav"
    )
    there = tmp_path / "Samples" / "a.wav"
    arrangement = CLIP.format(time=16, name="break", start=2, end=6, warped="true", path=there)
    path = tmp_path / "song.als"
    path.write_bytes(gzip.compress(SET.format(session=session, arrangement=arrangement).encode()))
    return path


def test_live_clips_in_seconds_of_their_files(live_set: Path) -> None:
    loop, warped, frozen = read_clips(live_set)
    assert (loop.track, loop.place, loop.name) == ("drums", "session slot 2", "loop")
    assert (loop.start_s, loop.end_s, loop.is_warped) == (0.25, 0.75, False)
    assert loop.file == str(live_set.parent / "Samples/a.wav"), "found beside the set"
    assert loop.trouble == ""
    assert warped.place == "arrangement beat 16"
    assert (warped.start_s, warped.end_s) == (1.5, 3.0), "through the warp markers"
    assert frozen.trouble == "its track is frozen"


def test_als_command(live_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = live_set.read_bytes()
    assert run("als", live_set, "--list") == 0
    assert "drums | arrangement beat 16 | break, warped" in capsys.readouterr().out
    assert run("als", live_set, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
    assert live_set.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        gzip.compress(b"<Ableton>"),
        gzip.compress(b"<Other/>"),
        gzip.compress(b"x" * 100)[:-9],
        gzip.compress(b'<!DOCTYPE a [<!ENTITY b "c">]><Ableton>&b;</Ableton>'),
    ],
    ids=["empty", "text", "broken XML", "other XML", "cut off", "entities"],
)
def test_broken_sets_are_refused(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "song.als"
    path.write_bytes(data)
    assert run("als", path) == 2
    assert "is no Live set" in capsys.readouterr().err


def test_bomb_of_a_set_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.projects_als.MAX_BYTES", 2**20)
    path = tmp_path / "song.als"
    path.write_bytes(gzip.compress(b"<Ableton>" + b" " * 2**22 + b"</Ableton>"))
    assert run("als", path) == 2
