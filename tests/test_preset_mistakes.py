"""Every mistake a preset's file can hold is told with file, line, key and what would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from presets import PresetError, Shelf, read_sheet
from presets.schema import KEYS
from server import cli

GOOD = """\
name = "hall"
family = "spaces"
description = "A hall"
edit = "transfer"
text = "{text} in a hall"
default = "a voice"
[parameters]
strength = 0.4
[[chain]]
effect = "Reverb"
room_size = 0.5
"""
LOOP = """\
name = "hall"
family = "loops"
description = "A loop"
edit = "loop"
"""
#: What is put in the place of a line of GOOD, and the mistake that makes: line, key, words.
SEEDED: dict[str, tuple[str, str, int, str, str]] = {
    # The file itself
    "no closing quote": ('"hall"', '"hall', 1, "", "it is no TOML at column"),
    "a key twice": ('default = "a voice"', 'text = "x"', 6, "", "it is no TOML"),
    "an unfinished table": ("[parameters]", "[parameters", 7, "", "it is no TOML"),
    # Keys
    "an unknown key": ("default =", "defualt =", 6, "defualt", "did you mean default?"),
    "a parameter outside its table": ("[parameters]", "", 8, "strength", "under [parameters]"),
    "a name with spaces": ('"hall"', '"My Hall"', 1, "name", "1 to 48 of a-z 0-9 -"),
    "a name that is a number": ('"hall"', "7", 1, "name", "it is 7"),
    "an unknown family": ('"spaces"', '"space"', 2, "family", "did you mean spaces?"),
    "a family that is a list": ('"spaces"', '["spaces"]', 2, "family", "['spaces']"),
    "a description of two lines": ('"A hall"', '"A\\nhall"', 3, "description", "one line"),
    "an empty description": ('"A hall"', '" "', 3, "description", "one line of words"),
    "a description that is too long": ('"A hall"', f'"{"x" * 200}"', 3, "description", "160"),
    "no description": ('description = "A hall"', "", 0, "", "description is missing"),
    "an unknown edit": ('"transfer"', '"transform"', 4, "edit", "did you mean transfer?"),
    "no edit": ('edit = "transfer"', "", 0, "", "edit is missing: one of generate, transfer"),
    # Words
    "no {text}": ('"{text} in a hall"', '"in a hall"', 5, "text", "must hold {text} once"),
    "{text} twice": ('"{text} in', '"{text} {text} in', 5, "text", "must hold {text} once"),
    "another mark": ('"{text} in', '"{voice} in', 5, "text", "it holds {voice}"),
    "a lone brace": ('"{text} in', '"{text} in {', 5, "text", "it holds {"),
    "no default": ('default = "a voice"', "", 5, "text", "default is missing"),
    "an empty default": ('"a voice"', '""', 6, "default", "default is missing"),
    "transfer without text": (
        'text = "{text} in a hall"\ndefault = "a voice"',
        "",
        4,
        "edit",
        "transfer needs text",
    ),
    "negative as a list": (
        "default =",
        'negative = ["a dog"]\ndefault =',
        6,
        "negative",
        "it must be a text",
    ),
    # Tags
    "tags as a text": ("default =", 'tags = "dark"\ndefault =', 6, "tags", "it must be words"),
    "a tag with capitals": (
        "default =",
        'tags = ["a",\n "Dark"]\ndefault =',
        7,
        "tags[2]",
        "a short lower-case word",
    ),
    "a tag twice": (
        "default =",
        'tags = ["a", "a"]\ndefault =',
        6,
        "tags[2]",
        "stands there twice",
    ),
    # Parameters
    "an unknown parameter": (
        "strength =",
        "strenght =",
        8,
        "parameters.strenght",
        "did you mean strength?",
    ),
    "a parameter of another edit": (
        "strength = 0.4",
        "seam = 1",
        8,
        "parameters.seam",
        "transfer takes no such",
    ),
    "a parameter out of range": (
        "0.4",
        "1.5",
        8,
        "parameters.strength",
        "it is 1.5; it must be a number from 0 to 1",
    ),
    "a parameter of another type": ("0.4", '"much"', 8, "parameters.strength", "it is 'much'"),
    "a whole number that isn't": (
        "strength = 0.4",
        "steps = 2.5",
        8,
        "parameters.steps",
        "whole number from 1 to 1000",
    ),
    "an unknown sampler": (
        "strength = 0.4",
        'sampler = "euler"',
        8,
        "parameters.sampler",
        "one of dpm++, ddim",
    ),
    "true for a number": ("0.4", "true", 8, "parameters.strength", "it is True"),
    "a curve out of order": (
        "strength = 0.4",
        "curve = [[1, 0.5], [0, 0.2]]",
        8,
        "parameters.curve",
        "in the order of their times",
    ),
    "a prompt among the parameters": (
        "strength = 0.4",
        'prompt = "x"',
        8,
        "parameters.prompt",
        "the words are `text`",
    ),
    "holes in a preset": (
        "strength = 0.4",
        "holes = []",
        8,
        "parameters.holes",
        "fills the holes it is given",
    ),
    "parameters as a number": (
        "[parameters]\nstrength = 0.4",
        "parameters = 4",
        7,
        "parameters",
        "it must be a table",
    ),
    "more digits than a float has": (
        "0.4",
        f"1{'0' * 400}",
        8,
        "parameters.strength",
        "an integer of over 64 bits",
    ),
    "more digits than are printed": (
        '"Reverb"\nroom_size = 0.5',
        f'"Gain"\ngain_db = 0x{"f" * 9000}',
        11,
        "chain[1].gain_db",
        "an integer of over 64 bits",
    ),
    "a mask of nobody's": (
        "strength = 0.4",
        'mask = "~nobody-here/paint.png"',
        8,
        "parameters.mask",
        "there is no such user here",
    ),
    # The after-chain
    "an unknown effect": (
        '"Reverb"',
        '"Reverberator"',
        10,
        "chain[1].effect",
        "did you mean Reverb?",
    ),
    "no effect": ('effect = "Reverb"', "", 9, "chain[1]", "it has no effect"),
    "a setting an effect hasn't": (
        "room_size",
        "size",
        11,
        "chain[1].size",
        "Reverb has no such setting",
    ),
    "a setting out of range": (
        "room_size = 0.5",
        "room_size = 7",
        11,
        "chain[1].room_size",
        "it is 7; it must be a number from 0 to 1",
    ),
    "a setting of another type": (
        "room_size = 0.5",
        'room_size = "big"',
        11,
        "chain[1].room_size",
        "it is 'big'",
    ),
    "a filter's mode": (
        '"Reverb"\nroom_size = 0.5',
        '"LadderFilter"\nmode = "LP"',
        11,
        "chain[1].mode",
        "one of LPF12",
    ),
    "an impulse response that is missing": (
        '"Reverb"\nroom_size = 0.5',
        '"Convolution"\nmix = 1',
        9,
        "chain[1]",
        "needs impulse_response_filename",
    ),
    "a chain that is one table": ("[[chain]]", "[chain]", 9, "chain", "[[chain]]"),
    "a plugin of another kind": (
        'effect = "Reverb"\nroom_size = 0.5',
        'plugin = "/x.dll"',
        10,
        "chain[1].plugin",
        ".vst3 or .component",
    ),
    "a plugin of nobody's": (
        'effect = "Reverb"\nroom_size = 0.5',
        'plugin = "~nobody-here/x.vst3"',
        10,
        "chain[1].plugin",
        "there is no such user here",
    ),
    "an impulse response of nobody's": (
        '"Reverb"\nroom_size = 0.5',
        '"Convolution"\nimpulse_response_filename = "~nobody-here/x.wav"',
        11,
        "chain[1].impulse_response_filename",
        "there is no such user here",
    ),
    "a plugin's setting outside settings": (
        'effect = "Reverb"\nroom_size = 0.5',
        'plugin = "/x.vst3"\nsize_m = 4',
        11,
        "chain[1].size_m",
        "stand in settings",
    ),
    "a plugin's setting that is a list": (
        'effect = "Reverb"\nroom_size = 0.5',
        'plugin = "/x.vst3"\nsettings = {size = [1]}',
        11,
        "chain[1].settings.size",
        "a number, a text, true or false",
    ),
    # Loudness and tail
    "an unknown loudness": (
        "default =",
        'loudness = "loud"\ndefault =',
        6,
        "loudness",
        '"source", "free" or',
    ),
    "a loudness out of range": (
        "default =",
        "loudness = 3\ndefault =",
        6,
        "loudness",
        "-60 to -3 LUFS",
    ),
    "an unknown tail": ("default =", 'tail = "long"\ndefault =', 6, "tail", "did you mean longer?"),
    "a tail out of range": (
        "default =",
        "tail_seconds = 99\ndefault =",
        6,
        "tail_seconds",
        "it is 99; it must be a number from 0 to 30",
    ),
    "a longer take without seconds": (
        "default =",
        'tail = "longer"\ndefault =',
        6,
        "tail",
        "needs tail_seconds",
    ),
    "a tail of nothing": (
        '[[chain]]\neffect = "Reverb"\nroom_size = 0.5',
        "",
        6,
        "tail_seconds",
        "no chain that could ring",
    ),
    # Extends
    "nothing of that name to extend": (
        "default =",
        'extends = "hal"\ndefault =',
        6,
        "extends",
        "no preset is called 'hal'; did you mean hall?",
    ),
    "itself to extend": (
        "default =",
        'extends = "hall"\ndefault =',
        6,
        "extends",
        "no preset is called 'hall'",
    ),
}

#: The same for edits that keep something untouched.
SEEDED_LOOP = {
    "a loudness for a loop": ("loudness = -20", "loudness", "keeps the level of what surrounds it"),
    "a longer take of a loop": (
        'tail = "longer"\ntail_seconds = 1\n[[chain]]\neffect = "Reverb"',
        "tail",
        "use fade",
    ),
    "a default without a text": ('default = "x"', "default", "no text to stand in"),
}


def check(path: Path, text: str | bytes) -> list[Any]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    shelf = Shelf(path.parent, library=path.parent / "none")
    return shelf.mistakes(read_sheet(path))


def test_the_good_one_is_good(tmp_path: Path) -> None:
    assert check(tmp_path / "hall.toml", GOOD) == []
    assert check(tmp_path / "hall.toml", LOOP) == []


@pytest.mark.parametrize("what", SEEDED)
def test_a_mistake_is_found_where_it_is(what: str, tmp_path: Path) -> None:
    good, bad, line, key, words = SEEDED[what]
    source = (
        GOOD.replace("default =", "tail_seconds = 1\ndefault =") if "of nothing" in what else GOOD
    )
    assert source.count(good) == 1
    found = check(tmp_path / "hall.toml", source.replace(good, bad))
    assert len(found) == 1, found
    assert (found[0].line, found[0].key) == (line, key)
    assert words in found[0].message
    place = f"hall.toml:{line}: " if line else "hall.toml: "
    assert str(found[0]).startswith(f"{tmp_path}/{place}{key}{': ' if key else ''}")


@pytest.mark.parametrize("what", SEEDED_LOOP)
def test_a_mistake_in_what_keeps_its_surroundings(what: str, tmp_path: Path) -> None:
    line, key, words = SEEDED_LOOP[what]
    found = check(tmp_path / "hall.toml", f"{LOOP}{line}\n")
    assert [(mistake.line, mistake.key) for mistake in found] == [(5, key)]
    assert words in found[0].message


def test_a_chain_after_bandwidth(tmp_path: Path) -> None:
    text = LOOP.replace('"loop"', '"bandwidth"') + '[[chain]]\neffect = "Invert"\n'
    (found,) = check(tmp_path / "hall.toml", text)
    assert (found.line, found.key) == (5, "chain")
    assert "leaves the lows as they are" in found.message


def test_generate_as_loud_as_a_source_it_has_not(tmp_path: Path) -> None:
    text = GOOD.replace('"transfer"', '"generate"').replace("strength = 0.4", "seconds = 1")
    (found,) = check(
        tmp_path / "hall.toml", text.replace("default", 'loudness = "source"\ndefault')
    )
    assert (found.line, found.key) == (6, "loudness")


def test_what_is_no_text(tmp_path: Path) -> None:
    (found,) = check(tmp_path / "hall.toml", GOOD.encode() + b'# \xff\nnegative = "x"\n')
    assert (found.line, found.key) == (12, "")
    assert "UTF-8" in found.message
    (found,) = check(tmp_path / "hall.toml", b" " * 300_000)
    assert "at most" in found.message


@pytest.mark.parametrize("depth", [20, 450, 480, 495, 5000])
@pytest.mark.parametrize("form", ["lists", "tables"])
def test_what_lies_too_deep(tmp_path: Path, depth: int, form: str) -> None:
    """Deeper than Python reads, and deeper than what it has read can be walked through."""
    deep = f"tags = {'[' * depth}{']' * depth}" if form == "lists" else f"a{'.a' * depth} = 1"
    (found,) = check(tmp_path / "hall.toml", f"{deep}\n{GOOD}")
    assert (found.line, found.key) == (0, "")
    assert found.message == "its lists or tables lie over 16 deep in each other"


def test_an_integer_that_python_refuses_to_read(tmp_path: Path) -> None:
    (found,) = check(tmp_path / "hall.toml", GOOD.replace("0.4", "1" * 5000))
    assert found.message == "it holds an integer of over 64 bits; TOML has none"


@pytest.mark.parametrize(
    "bad",
    [
        'plugin = "~nobody-here/x.vst3"',
        f'effect = "Gain"\ngain_db = 1{"0" * 400}',
        f"x = {'[' * 5000}{']' * 5000}",
    ],
    ids=["nobody's", "digits", "deep"],
)
def test_a_bad_file_breaks_no_command(
    bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETAKE_PRESETS", str(tmp_path))
    (tmp_path / "bad.toml").write_text(f'name = "bad"\nextends = "telephone"\n[[chain]]\n{bad}\n')
    assert cli.main(["presets"]) == 0
    assert cli.main(["presets", "--json"]) == 0
    assert cli.main(["preset", "show", "vinyl"]) == 0
    capsys.readouterr()
    assert cli.main(["preset", "check"]) == 2
    assert capsys.readouterr().out.startswith(str(tmp_path / "bad.toml"))


def test_a_library_preset_reads_no_files(tmp_path: Path) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(GOOD + '[[chain]]\nplugin = "/x.vst3"\n[[chain]]\neffect = "Convolution"\n'
                    'impulse_response_filename = "/x.wav"\n')  # fmt: skip
    assert Shelf(tmp_path).mistakes(read_sheet(path, is_own=True)) == []
    found = Shelf(tmp_path / "none", library=tmp_path).mistakes()
    assert [(m.line, m.key) for m in found] == [
        (13, "chain[2].plugin"),
        (16, "chain[3].impulse_response_filename"),
    ]
    assert all("only your own presets" in m.message for m in found)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text("\n" + GOOD)
    shelf = Shelf(tmp_path, library=tmp_path / "none")
    (found,) = shelf.mistakes()
    assert (found.path.name, found.line, found.key) == ("b.toml", 2, "name")
    assert "a.toml" in found.message
    assert shelf.get("hall").path.name == "a.toml"


def test_a_loop_of_extends(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.toml").write_text(f'name = "{name}"\nextends = "{base}"\n')
    found = Shelf(tmp_path, library=tmp_path / "none").mistakes()
    assert {(m.path.name, m.line, m.key) for m in found} == {
        (f"{name}.toml", 2, "extends") for name in "abc"
    }
    assert any("a -> b -> c -> a" in m.message for m in found)


def test_a_mistake_in_what_is_extended_is_told_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "hall.toml").write_text(GOOD.replace("0.4", "4"))
    (tmp_path / "small.toml").write_text('name = "small"\nextends = "hall"\n')
    with pytest.raises(PresetError) as caught:
        Shelf(tmp_path).get("small")
    (found,) = caught.value.mistakes
    assert (found.path.name, found.line) == ("hall.toml", 8)
    assert caught.value.code == "bad-value"


def test_what_is_inherited_and_does_not_fit_is_told_at_extends(tmp_path: Path) -> None:
    (tmp_path / "hall.toml").write_text(GOOD)
    (tmp_path / "other.toml").write_text('name = "other"\nextends = "hall"\nedit = "loop"\n')
    found = Shelf(tmp_path).mistakes(read_sheet(tmp_path / "other.toml"))
    assert [(m.line, m.key) for m in found] == [(2, "parameters.strength")]


def test_every_mistake_of_a_file_is_told(tmp_path: Path) -> None:
    bad = GOOD.replace("0.4", "4").replace("0.5", "5").replace('"spaces"', '"x"')
    found = check(tmp_path / "hall.toml", bad)
    assert [m.line for m in found] == [2, 8, 11]
    with pytest.raises(PresetError, match="and 2 more") as caught:
        Shelf(tmp_path).get("hall")
    assert "hall.toml:2: family" in caught.value.message


def test_every_key_is_seeded() -> None:
    told = " ".join(f"{good} {bad} {key}" for good, bad, _, key, _ in SEEDED.values())
    assert all(key in told for key in KEYS)
    assert len(SEEDED) + len(SEEDED_LOOP) >= 30


def test_check_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETAKE_PRESETS", str(tmp_path))
    (tmp_path / "hall.toml").write_text(GOOD)
    assert cli.main(["preset", "check", "hall", "cathedral"]) == 0
    assert capsys.readouterr().out == "2 presets, no mistakes\n"
    path = tmp_path / "hall.toml"
    path.write_text(GOOD.replace("0.4", "4").replace("0.5", "5"))
    for what in ([], ["hall"], [str(path)]):
        assert cli.main(["preset", "check", *what]) == 2
        out, err = capsys.readouterr()
        assert [line.split(" ")[0] for line in out.splitlines()] == [f"{path}:8:", f"{path}:11:"]
        assert "2 mistakes in 1 file" in err
    assert cli.main(["preset", "check", "--json", "hall"]) == 2
    rows = json.loads(capsys.readouterr().out)
    assert [(row["line"], row["key"]) for row in rows] == [
        (8, "parameters.strength"),
        (11, "chain[1].room_size"),
    ]
    assert cli.main(["preset", "check", "no-such"]) == 2
    assert cli.main(["preset", "check", str(tmp_path / "no.toml")]) == 2


def test_what_a_chain_needs_outside_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETAKE_PRESETS", str(tmp_path))
    (tmp_path / "hall.toml").write_text(
        GOOD + '[[chain]]\nplugin = "gone.vst3"\n[[chain]]\neffect = "Convolution"\n'
        'impulse_response_filename = "gone.wav"\n'
    )
    assert cli.main(["preset", "check", "hall"]) == 2
    plugin, impulse = capsys.readouterr().out.splitlines()
    assert plugin.startswith(
        f"{tmp_path}/hall.toml:13: chain[2].plugin: plugin {tmp_path}/gone.vst3"
    )
    assert impulse.startswith(f"{tmp_path}/hall.toml:16: chain[3].impulse_response_filename")


def test_a_mask_is_looked_for_beside_its_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETAKE_PRESETS", str(tmp_path))
    (tmp_path / "hall.toml").write_text(GOOD.replace("strength = 0.4", 'mask = "paint.png"'))
    place = f"{tmp_path / 'hall.toml'}:8: parameters.mask: "
    for is_there, words in ((False, "is no file"), (True, "is no PNG that can be read")):
        if is_there:
            (tmp_path / "paint.png").write_text("no picture")
        assert cli.main(["preset", "check", "hall"]) == 2
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(place)
        assert words in line
    Image.new("L", (4, 4)).save(tmp_path / "paint.png")
    assert cli.main(["preset", "check"]) == 0
