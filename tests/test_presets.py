"""The library and how presets are read: names, families, extends, the user's own, the words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.edits import EDITS, PARAMETERS
from engine.errors import RequestError
from presets import FAMILIES, Finish, Link, Preset, Shelf, check_edit, user_folder
from presets.mistakes import KeyPath
from presets.shelf import LIBRARY
from presets.toml_lines import key_lines
from presets.writer import blank_toml, preset_toml, variation_toml

SHELF = Shelf(Path("/nowhere"))
PRESETS = {preset.name: preset for preset in SHELF.presets()}
each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))


class TestLibrary:
    def test_it_has_no_mistakes(self) -> None:
        assert SHELF.mistakes() == []
        assert len(PRESETS) == len(list(LIBRARY.glob("*.toml"))) >= 48

    def test_every_family_has_several(self) -> None:
        for family in FAMILIES:
            assert sum(preset.family == family for preset in PRESETS.values()) >= 4, family

    def test_every_edit_has_one(self) -> None:
        assert {preset.edit for preset in PRESETS.values()} == set(EDITS)

    @each_preset
    def test_its_file_is_called_as_it_is(self, preset: Preset) -> None:
        assert preset.path.stem == preset.name
        assert not preset.is_own
        assert preset.tags

    @each_preset
    def test_it_makes_its_edit(self, preset: Preset) -> None:
        edit = preset.make_edit({}, 48000)
        assert edit.name == preset.edit
        assert "{" not in edit.prompt
        for name in preset.parameters:
            assert getattr(edit, name) == PARAMETERS[name].check(preset.parameters[name])

    def test_descriptions_and_effects_differ(self) -> None:
        assert len({preset.description for preset in PRESETS.values()}) == len(PRESETS)
        made = {preset_toml(p).split("\n", 3)[3] for p in PRESETS.values()}
        assert len(made) == len(PRESETS)


class TestWords:
    def test_the_users_words_stand_in_the_template(self) -> None:
        preset = PRESETS["telephone"]
        assert preset.make_edit({}).prompt == "a person talking on the telephone"
        assert preset.make_edit({"prompt": " a dog "}).prompt == "a dog on the telephone"
        assert preset.make_edit({"prompt": "{text}"}).prompt == "{text} on the telephone"

    def test_without_a_template_they_are_the_prompt(self) -> None:
        assert PRESETS["longer-bed"].make_edit({"prompt": "rain"}).prompt == "rain"
        assert PRESETS["longer-bed"].make_edit({}).prompt == ""

    def test_what_is_given_wins(self) -> None:
        preset = PRESETS["angry-shout"]
        edit = preset.make_edit({"strength": 0.9, "negative": "a dog", "steps": 3})
        assert (edit.strength, edit.steps) == (0.9, 3)  # type: ignore[attr-defined]
        assert edit.negative == "a dog"
        assert edit.guidance == preset.parameters["guidance"]
        assert preset.make_edit({}).negative == "a calm voice"

    def test_a_strength_that_is_given_wins_over_a_presets_curve(self, tmp_path: Path) -> None:
        write(tmp_path, "a", 'extends = "telephone"\nparameters = {curve = [[0, 0], [1, 1]]}')
        preset = Shelf(tmp_path).get("a")
        assert preset.make_edit({}).curve == ((0, 0), (1, 1))  # type: ignore[attr-defined]
        assert preset.make_edit({"strength": 0.3}).curve == ()  # type: ignore[attr-defined]

    def test_what_the_edit_refuses_is_refused(self) -> None:
        with pytest.raises(RequestError, match="takes no 'seam'"):
            PRESETS["telephone"].make_edit({"seam": 1.0})
        with pytest.raises(RequestError, match="characters") as caught:
            PRESETS["telephone"].make_edit({"prompt": "x" * 1995})
        assert caught.value.code == "too-long"

    def test_an_inpaint_preset_fills_the_region(self) -> None:
        preset = PRESETS["remove-cough"]
        hole = preset.make_edit({}, 500).holes[0]  # type: ignore[attr-defined]
        assert (hole.start_frames, hole.frames) == (0, 500)
        with pytest.raises(RequestError, match="give a hole") as caught:
            preset.make_edit({})
        assert caught.value.code == "bad-request"

    def test_another_edit_is_refused(self) -> None:
        check_edit(PRESETS["telephone"], "transfer")
        with pytest.raises(RequestError, match="telephone is for transfer"):
            check_edit(PRESETS["telephone"], "vary")


class TestTails:
    def test_as_the_preset_says_or_as_asked(self) -> None:
        assert PRESETS["cathedral"].finish_with(None).tail == "fade"
        assert PRESETS["cathedral"].finish_with("longer").tail == "longer"
        assert PRESETS["cathedral-tail"].finish_with("fade").tail == "fade"

    @pytest.mark.parametrize(
        ("name", "tail"),
        [("telephone", "longer"), ("seamless-loop", "longer"), ("cathedral", "endless")],
    )
    def test_what_cannot_ring_is_refused(self, name: str, tail: str) -> None:
        with pytest.raises(RequestError) as caught:
            PRESETS[name].finish_with(tail)
        assert caught.value.code == "bad-value"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'name = "{name}"\n{text}\n')
    return path


class TestOwn:
    def test_the_users_own_come_first(self, tmp_path: Path) -> None:
        write(tmp_path, "telephone", 'extends = "telephone"\ndescription = "Mine"')
        shelf = Shelf(tmp_path)
        assert shelf.get("telephone").description == "Mine"
        assert shelf.get("telephone").is_own
        assert shelf.get("telephone").finish.chain == PRESETS["telephone"].finish.chain
        assert set(shelf.names) == set(PRESETS)

    def test_a_variation_has_what_it_does_not_say(self, tmp_path: Path) -> None:
        write(tmp_path, "a", 'extends = "monster-voice"\nparameters = {strength = 0.9}')
        write(tmp_path, "b", 'extends = "a"\nchain = []\ntags = ["x"]')
        base, a, b = PRESETS["monster-voice"], *(Shelf(tmp_path).get(name) for name in "ab")
        assert a.parameters == {**base.parameters, "strength": 0.9} == b.parameters
        assert (a.finish.chain, b.finish.chain) == (base.finish.chain, ())
        assert (a.text, b.tags, b.extends) == (base.text, ("x",), "a")

    def test_a_broken_one_hides_no_other(self, tmp_path: Path) -> None:
        (tmp_path / "broken.toml").write_text("name = ")
        shelf = Shelf(tmp_path)
        assert set(PRESETS) == {preset.name for preset in shelf.presets()}
        assert "broken" in shelf.names
        with pytest.raises(RequestError, match=r"broken\.toml:1: it is no TOML"):
            shelf.get("broken")

    def test_one_that_cannot_be_read_hides_no_other(self, tmp_path: Path) -> None:
        (tmp_path / "folder.toml").mkdir()
        (tmp_path / "link.toml").symlink_to(tmp_path / "nothing")
        shelf = Shelf(tmp_path)
        assert set(PRESETS) == {preset.name for preset in shelf.presets()}
        assert [mistake.path.name for mistake in shelf.mistakes()] == ["folder.toml", "link.toml"]

    def test_a_change_of_a_file_is_seen(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a", 'extends = "telephone"\ndescription = "One"')
        assert Shelf(tmp_path).get("a").description == "One"
        path.write_text(path.read_text().replace("One", "Another"))
        assert Shelf(tmp_path).get("a").description == "Another"

    def test_an_unknown_one_is_told_with_what_is_near(self) -> None:
        with pytest.raises(RequestError, match="did you mean cathedral") as caught:
            SHELF.get("catedral")
        assert caught.value.code == "unknown-preset"
        with pytest.raises(RequestError, match="retake presets lists them"):
            SHELF.get("zzzz")

    def test_where_they_lie(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("RETAKE_PRESETS", str(tmp_path))
        assert user_folder() == tmp_path
        monkeypatch.delenv("RETAKE_PRESETS")
        assert user_folder().parts[-2:] == ("retake", "presets")

    def test_paths_in_a_chain_count_from_the_file(self, tmp_path: Path) -> None:
        chain = '[[chain]]\nplugin = "x.vst3"\nsettings = {size = 2}'
        write(tmp_path, "a", f'extends = "telephone"\n{chain}')
        (link,) = Shelf(tmp_path).get("a").finish.chain
        assert link == Link("plugin", {"plugin": str(tmp_path / "x.vst3"), "settings": {"size": 2}})

    def test_a_masks_path_counts_from_the_file(self, tmp_path: Path) -> None:
        for name, mask in (
            ("beside", '"paint.png"'),
            ("whole", '"/masks/paint.npy"'),
            ("home", '"~/paint.png"'),
            ("points", '"0:1000:0.5"'),
        ):
            text = f'name = "{name}"\nextends = "telephone"\n[parameters]\nmask = {mask}\n'
            (tmp_path / f"{name}.toml").write_text(text)
        (tmp_path / "child.toml").write_text('name = "child"\nextends = "beside"\n')
        shelf = Shelf(tmp_path)
        beside = str(tmp_path / "paint.png")
        assert shelf.get("beside").make_edit({}).mask == beside  # type: ignore[attr-defined]
        assert shelf.get("child").parameters["mask"] == beside
        assert shelf.get("whole").parameters["mask"] == "/masks/paint.npy"
        assert shelf.get("home").parameters["mask"] == str(Path.home() / "paint.png")
        assert shelf.get("points").parameters["mask"] == "0:1000:0.5"


class TestWriting:
    @each_preset
    def test_what_is_shown_reads_as_the_same(self, preset: Preset, tmp_path: Path) -> None:
        (tmp_path / "x.toml").write_text(preset_toml(preset))
        again = Shelf(tmp_path, library=tmp_path / "none").get(preset.name)
        for field in ("description", "family", "edit", "text", "default", "negative", "tags"):
            assert getattr(again, field) == getattr(preset, field)
        assert dict(again.parameters) == dict(preset.parameters)
        assert again.finish == preset.finish

    def test_plugins_and_odd_texts_are_written_whole(self, tmp_path: Path) -> None:
        odd = 'a "b" \\ c\td é\x7f'
        write(tmp_path, "a", 'extends = "telephone"')
        base = Shelf(tmp_path).get("a")
        settings = {"plugin": "/x y.vst3", "stereo": True, "settings": {"odd key": odd, "n": 1.5}}
        values = {**vars(base), "finish": Finish("a", (Link("plugin", settings),)), "text": ""}
        raw = tomllib.loads(preset_toml(Preset(**{**values, "negative": odd})))
        assert raw["negative"] == odd
        assert raw["chain"] == [settings]

    @pytest.mark.parametrize("edit", EDITS)
    def test_a_new_one_is_without_mistakes(self, edit: str, tmp_path: Path) -> None:
        (tmp_path / "new.toml").write_text(blank_toml("new", "music", edit))
        shelf = Shelf(tmp_path)
        assert shelf.mistakes() == []
        assert shelf.get("new").edit == edit

    def test_a_new_variation_is_what_it_varies(self, tmp_path: Path) -> None:
        (tmp_path / "new.toml").write_text(variation_toml("new", PRESETS["vinyl"]))
        assert Shelf(tmp_path).get("new").finish.chain == PRESETS["vinyl"].finish.chain

    @each_preset
    def test_a_finish_travels(self, preset: Preset) -> None:
        import json

        text = json.dumps(preset.finish.to_values())
        assert Finish.from_values(json.loads(text)) == preset.finish


KEYS = st.one_of(
    st.text("abcXYZ019_-", min_size=1, max_size=5).map(lambda key: (key, key)),
    st.text("ab .#\n=[]{}'\\", max_size=4).map(lambda key: (key, _quoted(key))),
)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return f'"{escaped}"'


SCALARS = st.sampled_from(
    ["1", "-2.5e3", "true", '"a # b"', "'c [ d'", '"\\" = \\n"', '"""x\n[y]\nz = 1"""', "'''\n#'''",
     '""""quoted""""', "1979-05-27T07:32:00Z", "nan", "[]", "{}"]
)  # fmt: skip
SPACES = st.sampled_from(["", " ", "  "])
GAPS = st.sampled_from(["", " ", "\n", " # a comment = [\n", "\n\n"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 3))
    if kind <= 1 or depth == 0:
        return draw(SCALARS)
    inner = draw(st.lists(values(depth=depth - 1), min_size=1, max_size=3))
    if kind == 2:
        gap = draw(GAPS)
        return f"[{gap}" + f",{gap}".join(f"{value}{gap}" for value in inner) + "]"
    pairs = [f"k{index} = {value}" for index, value in enumerate(inner) if "\n" not in value]
    return "{ " + ", ".join(pairs) + " }"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML with every kind of key, table and value; some of it clashes, and is thrown away."""
    lines = []
    for _ in range(draw(st.integers(1, 8))):
        keys = [shown for _, shown in draw(st.lists(KEYS, min_size=1, max_size=3))]
        dotted = draw(st.sampled_from([".", " . "])).join(keys)
        kind = draw(st.integers(0, 5))
        if kind == 0:
            lines.append(f"[{dotted}]")
        elif kind == 1:
            lines.append(f"[[ {dotted} ]]  # many")
        elif kind == 2:
            lines.append(draw(GAPS))
        else:
            lines.append(f"{draw(SPACES)}{dotted}{draw(SPACES)}={draw(SPACES)}{draw(values())}")
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def paths(value: Any, at: KeyPath = ()) -> set[KeyPath]:
    """Every key and index in what tomllib has read."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    found = {at} if at else set()
    return found.union(*(paths(inner, (*at, key)) for key, inner in items))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(text=documents())
def test_every_key_of_any_toml_has_its_line(text: str) -> None:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    assert set(lines) == paths(raw)
    n_lines = text.count("\n") + 1
    assert all(1 <= line <= n_lines for line in lines.values())


def test_lines_are_the_right_ones() -> None:
    text = (
        'a = 1\n"b c".d = """\nx = 1\n"""\n[t]\nu = [\n  1,\n  {v = 2}]\n[[m]]\n[[m]]\nw=0\n[m.n]\n'
    )
    assert key_lines(text) == {
        ("a",): 1,
        ("b c",): 2,
        ("b c", "d"): 2,
        ("t",): 5,
        ("t", "u"): 6,
        ("t", "u", 0): 7,
        ("t", "u", 1): 8,
        ("t", "u", 1, "v"): 8,
        ("m",): 9,
        ("m", 0): 9,
        ("m", 1): 10,
        ("m", 1, "w"): 11,
        ("m", 1, "n"): 12,
    }
