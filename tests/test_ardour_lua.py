"""Ardour's scripts without Ardour: their syntax in both Luas, and the list of waiting jobs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daw_bridge.install import HOSTS, Kit

FOLDER = Path(__file__).parent.parent / "daw_bridge" / "ardour"
LUAS = ("lua53", "lua54")
#: What retake_wire.luai needs of Ardour to keep its list.
STUB = """
ARDOUR = {LuaAPI = {
    monotonic_time = function () return 1234567 end,
    build_filename = function (...) return table.concat ({...}, "/") end,
}}
Session = {path = function () return FOLDER end}
"""


def lua(version: str) -> Any:
    runtime = pytest.importorskip(f"lupa.{version}").LuaRuntime(unpack_returned_tuples=True)
    return runtime


@pytest.mark.parametrize("version", LUAS)
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.lua*")), ids=lambda path: path.name)
def test_it_compiles(version: str, path: Path) -> None:
    lua(version).compile(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", LUAS)
def test_waiting_jobs_are_read_as_they_were_written(version: str, tmp_path: Path) -> None:
    runtime = lua(version)
    runtime.globals().FOLDER = str(tmp_path)
    runtime.execute(STUB)
    wire = runtime.execute((FOLDER / "retake_wire.luai").read_text(encoding="utf-8"))
    jobs = runtime.eval(
        """{{job = "one", spool = "/a b/spool", title = "wind: a=b; c", pairs = {
                {"prompt", "s", "k:seed:h=3 — \\"quoted\\""}, {"seed", "h", 2000000000},
                {"strength", "d", 0.25}, {"hole", "s", "10:20"}}},
            {job = "two", spool = "/x", pairs = {}}}"""
    )
    assert wire.write_pending(jobs)
    one, two = wire.read_pending().values()
    assert (one.job, one.spool, one.title) == ("one", "/a b/spool", "wind: a=b; c")
    pairs = {pair[1]: (pair[2], pair[3]) for pair in one.pairs.values()}
    assert pairs == {
        "prompt": ("s", 'k:seed:h=3 — "quoted"'),
        "seed": ("h", 2_000_000_000),
        "strength": ("d", 0.25),
        "hole": ("s", "10:20"),
    }
    assert isinstance(pairs["seed"][1], int)
    assert two.job == "two"
    wire.forget("one")
    assert [job.job for job in wire.read_pending().values()] == ["two"]
    wire.forget("two")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", LUAS)
def test_the_list_under_its_old_name_is_taken_over_and_ardours_own_is_not(
    version: str, tmp_path: Path
) -> None:
    """Ardour keeps there what it recovers a snapshot named "retake" from."""
    old = tmp_path / "retake.pending"
    for content, names in (("job=a\tspool=/s\n", ["a"]), ('<?xml version="1.0"?>\n', [])):
        old.write_text(content)
        runtime = lua(version)
        runtime.globals().FOLDER = str(tmp_path)
        runtime.execute(STUB)
        wire = runtime.execute((FOLDER / "retake_wire.luai").read_text(encoding="utf-8"))
        assert [job.job for job in wire.read_pending().values()] == names
        assert old.exists() != bool(names)
        assert (tmp_path / "retake-jobs.txt").exists() == bool(names)
        wire.write_pending(runtime.table())
        assert old.exists() != bool(names)


#: What retake_takes.luai needs besides, with a clock that the test moves on.
MORE = """
CLOCK_S, SAID = 100, {}
ARDOUR.LuaAPI.monotonic_time = function () return CLOCK_S * 1e6 end
ARDOUR.user_config_directory = function () return FOLDER end
LuaDialog = {MessageType = {}, ButtonType = {}, Message = function (title, text)
    SAID[#SAID + 1] = text
    return {run = function () end}
end}
"""


@pytest.mark.parametrize("command", ["", '"/a folder/retake" serve --state-dir /s'])
@pytest.mark.parametrize("version", LUAS)
def test_a_server_that_is_gone_is_said_with_what_starts_one(
    version: str, command: str, tmp_path: Path
) -> None:
    scripts, spool = tmp_path / "scripts", tmp_path / "spool"
    shutil.copytree(FOLDER, scripts)
    spool.mkdir()
    if command:
        (scripts / "retake.conf").write_text(f"command={command}\n")
    (tmp_path / "retake-jobs.txt").write_text(f"job=a\tspool={spool}\n")
    (spool / "a.status").write_text("state=running\nfraction=0.5\nseconds_left=9\n")
    runtime = lua(version)
    runtime.globals().FOLDER = str(tmp_path)
    runtime.execute(STUB + MORE)
    takes = runtime.execute((scripts / "retake_takes.luai").read_text("utf-8"), str(scripts))
    for passed_s in (0, 4, 6, 6):  # heard; silent, so it is asked; no answer; said once
        runtime.globals().CLOCK_S += passed_s
        takes.tick()
    (said,) = runtime.globals().SAID.values()
    assert said.startswith("The server is gone")
    assert said.endswith(f"Start it with:\n{command or 'retake serve'}")


@pytest.mark.parametrize("version", LUAS)
def test_a_damaged_list_loses_only_its_damaged_lines(version: str, tmp_path: Path) -> None:
    runtime = lua(version)
    runtime.globals().FOLDER = str(tmp_path)
    runtime.execute(STUB)
    wire = runtime.execute((FOLDER / "retake_wire.luai").read_text(encoding="utf-8"))
    (tmp_path / "retake-jobs.txt").write_bytes(
        b"\0\xff\n=\t==\njob=a\n\njob=b\tspool=/s\tk:x:d=no\n"
    )
    (job,) = wire.read_pending().values()
    assert (job.job, job.pairs[1][3]) == ("b", "no")


#: What retake_edit.luai needs of Ardour, with a region of one second selected. Each reading of 8192
#: frames lasts READ_S and gives a ramp.
ACTION = """
CLOCK_S, SHOWN, IS_CANCELLED, IS_DONE, SENT = 100, {}, false, false, 0
local function each (list)
    return {iter = function () local i = 0 return function () i = i + 1 return list[i] end end}
end
local function samples (n) return {samples = function () return n end} end
local function stateful (id)
    return {id = function () return {to_s = function () return id end} end}
end
local readable = {
    readable_length = function () return 48000 end, n_channels = function () return 1 end,
    read = function (self, memory, at, n) CLOCK_S = CLOCK_S + READ_S return n end,
}
local region = {
    name = function () return "clip" end, start = function () return samples (0) end,
    position = function () return samples (7) end, length = function () return samples (48000) end,
    to_stateful = function () return stateful ("1") end,
    to_audioregion = function () return {
        isnil = function () return false end, to_readable = function () return readable end,
    } end,
}
local track = {
    isnil = function () return false end, to_stateful = function () return stateful ("2") end,
    playlist = function () return {region_by_id = function () return region end} end,
}
region.isnil = track.isnil
Session = {
    path = function () return FOLDER end, nominal_sample_rate = function () return 48000 end,
    get_tracks = function () return each {{to_track = function () return track end}} end,
}
Editor = {get_selection = function () return {
    regions = {regionlist = function () return each {region} end},
    tracks = {routelist = function () return each {} end},
    time = {start_sample = function () return 0 end, end_sample = function () return 0 end},
} end}
ARDOUR.user_config_directory = function () return FOLDER end
ARDOUR.LuaAPI.monotonic_time = function () return CLOCK_S * 1e6 end
ARDOUR.LuaAPI.usleep = function () CLOCK_S = CLOCK_S + 0.005 ANSWER () end
ARDOUR.LuaOSC = {Address = function () return {send = function () SENT = SENT + 1 end} end}
ARDOUR.DSP = {DspShm = function () return {to_float = function () return {
    get_table = function (self, n) local t = {} for i = 1, n do t[i] = i / 8192 end return t end,
} end} end}
LuaDialog = {
    MessageType = {}, ButtonType = {}, Message = function (title, text) error (text) end,
    Dialog = function () return {run = function () return {
        edit = "vary", preset = PRESET, text = "", negative = "", strength = 0, takes = 1, seed = 0,
        seconds = 5,
    } end} end,
    ProgressWindow = function () return {
        progress = function (self, fraction) SHOWN[#SHOWN + 1] = fraction end,
        canceled = function () return IS_CANCELLED end, done = function () IS_DONE = true end,
    } end,
}
"""
ANSWERS = {
    "request=hello\nclient=ardour\n": "model=double\nend=\n",
    "request=list\nkind=presets\nclient=ardour\n": """\
item=lead-in\tone line\textend\tcontinue\tbefore
item=mine\tone line\textend\tcontinue
item=other\tone line\textend\tcontinue
end=
""",
}


def run_action(version: str, folder: Path, **given: Any) -> Any:
    """Run the action with a spool that answers; Lua's globals afterwards."""
    (folder / "server.conf").write_text(f"spool={folder}\ntoken=t\nudp=1\n")
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "scripts" / "retake.conf").write_text(f"state={folder}\nbefore=mine\n")

    def answer() -> None:
        for request in folder.glob("*.request"):
            request.with_suffix(".answer").write_text(ANSWERS[request.read_text()])
            request.unlink()

    runtime = lua(version)
    shared = runtime.globals()
    shared.FOLDER, shared.ANSWER, shared.PRESET, shared.READ_S = str(folder), answer, "", 0.0
    runtime.execute(STUB + ACTION)
    for name, value in given.items():
        shared[name] = value
    runtime.execute((FOLDER / "retake_edit.luai").read_text("utf-8"), str(FOLDER))()
    return shared


@pytest.mark.parametrize("version", LUAS)
def test_reading_a_long_region_shows_how_far_it_is(version: str, tmp_path: Path) -> None:
    after = run_action(version, tmp_path, READ_S=0.3)  # six times
    shown = list(after.SHOWN.values())
    assert shown == sorted(shown)
    assert len(shown) == 5  # from half a second on
    assert shown[-1] == 1.0
    assert (after.IS_DONE, after.SENT) == (True, 1)
    (source,) = tmp_path.glob("*-source.0.wav")
    samples = np.frombuffer(source.read_bytes()[44:], "<f4")
    assert np.array_equal(samples, (np.arange(48000) % 8192 + 1) / np.float32(8192))


@pytest.mark.parametrize("version", LUAS)
def test_reading_a_short_region_shows_no_window(version: str, tmp_path: Path) -> None:
    after = run_action(version, tmp_path, READ_S=0.01)
    assert (len(after.SHOWN), after.IS_DONE, after.SENT) == (0, False, 1)


@pytest.mark.parametrize("version", LUAS)
def test_reading_can_be_cancelled_and_leaves_nothing(version: str, tmp_path: Path) -> None:
    after = run_action(version, tmp_path, READ_S=0.3, IS_CANCELLED=True)
    assert (len(after.SHOWN), after.IS_DONE, after.SENT) == (1, True, 0)
    assert not list(tmp_path.glob("*-source.0.wav"))
    assert not (tmp_path / "retake-jobs.txt").exists()


@pytest.mark.parametrize("version", LUAS)
def test_presets_that_go_before_are_known_by_tag_and_installation(
    version: str, tmp_path: Path
) -> None:
    for preset, is_before in (("lead-in", True), ("mine", True), ("other", False), ("", False)):
        run_action(version, tmp_path, PRESET=preset)
        words = (tmp_path / "retake-jobs.txt").read_text().splitlines()[-1].split("\t")
        assert ("before=1" in words) == is_before
        assert "frames=48000" in words


def test_the_installation_tells_which_presets_go_before() -> None:
    sides = {"mine": "before", "other": "after", "swell": "before"}
    rows = [{"name": name, "parameters": {"direction": side}} for name, side in sides.items()]
    conf = HOSTS["ardour"].files(Kit(presets=({"name": "cathedral"}, *rows)))["retake.conf"]
    assert "before=mine swell\n" in conf.decode()
    assert b"before" not in HOSTS["ardour"].files(Kit())["retake.conf"]
