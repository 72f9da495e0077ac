"""`retake install`: where each host's files go, and that nothing else is ever touched."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from daw_bridge import install as installing
from daw_bridge.install import HOSTS, InstallError, Kit, install, state_of, target_folder, uninstall
from server import doctor, hosts
from server.cli import main

ROOT = Path(__file__).parents[1]
KIT = Kit("retake serve", "", ({"name": "cathedral", "edit": "transfer"},))
#: (host, platform, folders that are there, variables, where it goes)
PLACES = [
    ("reaper", "linux", ".config/REAPER", {}, ".config/REAPER/Scripts/Retake"),
    ("reaper", "linux", "xdg/REAPER", {"XDG_CONFIG_HOME": "xdg"}, "xdg/REAPER/Scripts/Retake"),
    (
        "reaper",
        "darwin",
        "Library/Application Support/REAPER",
        {},
        "Library/Application Support/REAPER/Scripts/Retake",
    ),
    ("reaper", "win32", "Roaming/REAPER", {"APPDATA": "Roaming"}, "Roaming/REAPER/Scripts/Retake"),
    (
        "ableton",
        "darwin",
        "Music/Ableton/User Library",
        {},
        "Music/Ableton/User Library/Remote Scripts/Retake",
    ),
    (
        "ableton",
        "win32",
        "Documents/Ableton/User Library",
        {},
        "Documents/Ableton/User Library/Remote Scripts/Retake",
    ),
    ("audacity", "linux", "", {}, ".local/share/audacity/Plug-Ins"),
    ("audacity", "linux", ".audacity-data", {}, ".audacity-data/Plug-Ins"),
    ("audacity", "win32", "AppData/Roaming/audacity", {}, "AppData/Roaming/audacity/Plug-Ins"),
    ("ardour", "linux", ".config/ardour6 .config/ardour7", {}, ".config/ardour7/scripts"),
    ("ardour", "linux", ".config/ardour9 .config/ardour10", {}, ".config/ardour10/scripts"),
    ("ardour", "darwin", "Library/Preferences/Ardour8", {}, "Library/Preferences/Ardour8/scripts"),
    ("ardour", "win32", "AppData/Local/Ardour8", {}, "AppData/Local/Ardour8/scripts"),
]


@pytest.mark.parametrize(("host", "platform", "there", "env", "expected"), PLACES)
def test_host_folders(
    host: str, platform: str, there: str, env: dict[str, str], expected: str, tmp_path: Path
) -> None:
    for folder in filter(
        None, [there] if "Application" in there or "User" in there else there.split()
    ):
        (tmp_path / folder).mkdir(parents=True)
    variables = {key: str(tmp_path / value) for key, value in env.items()}
    found = target_folder(host, None, platform, variables, tmp_path)
    assert found == tmp_path / expected


@pytest.mark.parametrize("host", ["reaper", "ableton", "ardour"])
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_absent_host_is_said_so(host: str, platform: str, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"wasn't found: .*--to") as caught:
        target_folder(host, None, platform, {}, tmp_path)
    assert caught.value.code == "no-such-file"


def test_every_host_says_what_comes_next() -> None:
    assert list(HOSTS) == ["reaper", "ableton", "audacity", "ardour"]
    for host in HOSTS.values():
        assert host.next_step.startswith(("In ", "Restart "))
        assert set(host.programs) <= {"linux", "darwin", "win32"}  # sys.platform's words


def test_what_comes_next_names_a_program_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's two commands put no `retake` on the PATH."""
    assert main(["install", "ableton", "--to", str(tmp_path / "Retake")]) == 0
    next_step = capsys.readouterr().out.splitlines()[-1]
    (said,) = re.findall("`(.*) live`", next_step)
    ran = subprocess.run([*shlex.split(said), "live", "--help"], capture_output=True, text=True)
    assert ran.returncode == 0
    assert ran.stdout.startswith("usage: retake live")


@pytest.mark.parametrize("host", [name for name in HOSTS if HOSTS[name].files(KIT)])
def test_installed_and_removed_without_a_trace(host: str, tmp_path: Path) -> None:
    if not set(HOSTS[host].files(KIT)) - {"retake.conf", "presets.json"}:
        pytest.skip(f"this tree has no files for {host} yet")
    folder = tmp_path / "Retake"
    folder.mkdir()
    (folder / "mine.lua").write_text("the user's own")
    done = install(host, KIT, folder)
    listed = json.loads((folder / installing.LIST_NAME).read_text())["files"]
    assert done.n_files == len(listed) > 1
    assert all((folder / path).is_file() for path in listed)
    assert not any("__pycache__" in path for path in listed)
    assert state_of(host, KIT, folder) == (True, f"{folder}, {done.n_files} files")
    assert uninstall(host, folder).n_files == done.n_files
    assert [path.name for path in folder.rglob("*")] == ["mine.lua"]


def test_what_a_host_gets_is_packaged() -> None:
    """setuptools takes modules of packages by itself, everything else only where it is named."""
    bridges = ROOT / "daw_bridge"

    def is_module(path: Path) -> bool:
        above = [bridges, *(bridges / part for part in path.relative_to(bridges).parents)]
        return path.suffix == ".py" and all((folder / "__init__.py").is_file() for folder in above)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["daw_bridge"]
    packaged = {path for pattern in patterns for path in bridges.glob(pattern)}
    there = {path for path in bridges.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path for path in there - packaged if not is_module(path)} == set()


def test_empty_folder_goes_too(tmp_path: Path) -> None:
    install("reaper", KIT, tmp_path / "Retake")
    uninstall("reaper", tmp_path / "Retake")
    assert not list(tmp_path.iterdir())


def test_scripts_are_told_how_to_start_a_server(tmp_path: Path) -> None:
    install("reaper", Kit('"/a b/retake" serve --state-dir "/s t"', "/s t"), tmp_path)
    conf = (tmp_path / "retake.conf").read_text()
    assert conf == 'command="/a b/retake" serve --state-dir "/s t"\nstate=/s t\n'


def test_newer_version_takes_away_what_it_no_longer_has(tmp_path: Path) -> None:
    install("reaper", KIT, tmp_path)
    old = tmp_path / "retake" / "gone.lua"
    old.write_text("of an older version")
    listed = json.loads((tmp_path / installing.LIST_NAME).read_text())
    listed["files"]["retake/gone.lua"] = installing._hash(old.read_bytes())
    (tmp_path / installing.LIST_NAME).write_text(json.dumps(listed))
    assert state_of("reaper", KIT, tmp_path)[0] is False
    install("reaper", KIT, tmp_path)
    assert not old.exists()
    assert state_of("reaper", KIT, tmp_path)[0] is True


def test_users_changes_are_kept(tmp_path: Path) -> None:
    install("reaper", KIT, tmp_path)
    changed = tmp_path / "retake" / "widgets.lua"
    shipped = changed.read_bytes()
    changed.write_text("-- my colours")
    well, text = state_of("reaper", KIT, tmp_path)
    assert (well, "widgets.lua" in text) == (False, True)
    assert install("reaper", KIT, tmp_path).kept == ("retake/widgets.lua.yours",)
    assert changed.read_bytes() == shipped
    assert changed.with_name("widgets.lua.yours").read_text() == "-- my colours"
    changed.write_text("-- again")
    assert uninstall("reaper", tmp_path).kept == ("retake/widgets.lua",)
    assert changed.read_text() == "-- again"


def test_stranger_in_the_way_stays(tmp_path: Path) -> None:
    stranger = tmp_path / "Retake - panel.lua"
    stranger.write_text("somebody else's")
    with pytest.raises(InstallError, match="isn't Retake's") as caught:
        install("reaper", KIT, tmp_path)
    assert caught.value.code == "conflict"
    assert list(tmp_path.iterdir()) == [stranger]
    assert uninstall("reaper", tmp_path).n_files == 0
    assert stranger.read_text() == "somebody else's"


@pytest.mark.parametrize(
    "listed", ["", "[]", '{"files": 3}', '{"files": {"../outside": "x", "/etc/hosts": "x"}}']
)
def test_damaged_list_leads_nowhere(listed: str, tmp_path: Path) -> None:
    """The list lies where anybody may write it: what it names outside is not touched."""
    folder, outside = tmp_path / "Retake", tmp_path / "outside"
    outside.write_text("there")
    folder.mkdir()
    text = listed.replace('"x"', json.dumps(installing._hash(b"there")))
    (folder / installing.LIST_NAME).write_text(text)
    uninstall("reaper", folder)
    assert outside.exists()


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match="can't be written"):
        install("reaper", KIT, tmp_path / "file" / "Retake")


def test_unknown_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "cubase"]) == 2
    assert "no bridge is called 'cubase'; there are: reaper, ableton" in capsys.readouterr().err


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["install", "reaper"]) == 2
    assert "REAPER wasn't found" in capsys.readouterr().err
    (tmp_path / "REAPER").mkdir()
    assert main(["install", "reaper", "--json"]) == 0
    folder = tmp_path / "REAPER/Scripts/Retake"
    assert json.loads(capsys.readouterr().out)["folder"] == str(folder)
    presets = json.loads((folder / "presets.json").read_text(encoding="utf-8"))
    assert len(presets) > 20
    assert {"name", "edit", "family_title", "parameters"} <= set(presets[0])
    assert "path" not in presets[0], "nothing of this machine's goes along"
    assert main(["install"]) == 0
    assert f"reaper     {folder}, " in capsys.readouterr().out
    assert main(["install", "reaper", "--uninstall"]) == 0
    assert "removed from" in capsys.readouterr().out
    assert not folder.exists()


def test_doctor_knows_an_old_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert hosts.states()["reaper"] == (True, "not installed, no such program found")
    (tmp_path / "REAPER").mkdir()
    assert hosts.states()["reaper"] == (True, "not installed")
    install("reaper", hosts.kit())
    assert hosts.states()["reaper"][0] is True
    install("reaper", Kit("another command", "", hosts.presets_of_bridges()))
    assert hosts.states()["reaper"][0] is True, "how the server is started may differ"
    install("reaper", KIT)
    assert hosts.states()["reaper"] == (
        False,
        f"{tmp_path / 'REAPER/Scripts/Retake'} is of another version or has other presets; "
        f"run: {hosts.kit().program} install reaper",
    )
    shutil.rmtree(tmp_path / "REAPER/Scripts/Retake/retake")
    assert "missing or changed" in hosts.states()["reaper"][1]


@pytest.fixture
def diagnose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, tuple[bool, str]]]:
    """`retake doctor` with some options: what it says of hosts, on a machine that has none yet."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setenv("RETAKE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(doctor, "CHECKS", ())

    def look(*options: str) -> dict[str, tuple[bool, str]]:
        capsys.readouterr()
        status = main(["doctor", "--json", *options])
        found = json.loads(capsys.readouterr().out)
        assert status == (0 if all(one["is_well"] for one in found) else 1)
        return {one["name"]: (one["is_well"], one["text"]) for one in found}

    return look


@pytest.mark.parametrize("host", HOSTS)
def test_doctor_looks_with_the_state_folder_it_is_given(
    host: str, tmp_path: Path, diagnose: Callable[..., dict[str, tuple[bool, str]]]
) -> None:
    """The folder is written into some bridges: what was made for another one is another bridge."""
    options = ("--state-dir", str(tmp_path / "other state"))
    assert main(["install", host, "--to", str(tmp_path / host), *options]) == 0
    well, text = diagnose(*options)[host]
    assert (well, text.startswith(f"{tmp_path / host}, ")) == (True, True), text
    assert diagnose()[host][1].startswith("not installed"), "another state folder knows nothing"


def test_doctor_finds_what_was_put_elsewhere(
    tmp_path: Path, diagnose: Callable[..., dict[str, tuple[bool, str]]]
) -> None:
    elsewhere, again = tmp_path / "portable REAPER", tmp_path / "again"
    for folder in (elsewhere, again, elsewhere):
        assert main(["install", "reaper", "--to", str(folder)]) == 0
    assert diagnose()["reaper"][1].startswith(f"{elsewhere}, ")
    (elsewhere / "retake" / "widgets.lua").unlink()
    program = hosts.kit().program
    command = f'{program} install reaper --to "{elsewhere}" --state-dir {tmp_path / "state"}'
    assert diagnose()["reaper"] == (
        False,
        f"{elsewhere}: retake/widgets.lua missing or changed; run: {command}",
    )
    assert main(["install", "reaper", "--to", str(again), "--uninstall"]) == 0
    assert str(elsewhere) in diagnose()["reaper"][1], "another one was taken out"
    assert main(["install", "reaper", "--to", str(elsewhere), "--uninstall"]) == 0
    assert diagnose()["reaper"][1] == "not installed, no such program found"


def test_the_hosts_own_folder_counts_again_once_used(
    tmp_path: Path, diagnose: Callable[..., dict[str, tuple[bool, str]]]
) -> None:
    own = tmp_path / "home" / "REAPER"
    own.mkdir(parents=True)
    assert main(["install", "reaper", "--to", str(tmp_path / "elsewhere")]) == 0
    assert main(["install", "reaper"]) == 0
    assert diagnose()["reaper"][1].startswith(f"{own / 'Scripts/Retake'}, ")


@pytest.mark.parametrize("note", ["", "[]", "{", '{"reaper": 3}'])
def test_a_damaged_note_of_places_says_nothing(
    note: str, tmp_path: Path, diagnose: Callable[..., dict[str, tuple[bool, str]]]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / hosts.PLACES).write_text(note)
    assert diagnose()["reaper"] == (True, "not installed, no such program found")
