"""The parts of Live's bridge that need no Live: Python 3.7, OSC, warp maps, the page about it."""

from __future__ import annotations

import ast
import contextlib
import importlib
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import osc as servers_osc

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "daw_bridge/ableton/Retake"
SOURCES = sorted(SCRIPT.glob("*.py"))
LIVES_OWN = {"Live", "_Framework"}
#: What stalls Live, or what its Python needn't have.
UNWANTED = {"threading", "asyncio", "multiprocessing", "subprocess", "concurrent", "ssl", "http"}


def part(name: str) -> ModuleType:
    """A module of the script that asks nothing of Live."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        return importlib.import_module(f"Retake.{name}")
    finally:
        sys.path.remove(str(SCRIPT.parent))


@pytest.fixture(autouse=True, scope="module")
def clean() -> Iterator[None]:
    yield
    for name in [one for one in sys.modules if one.split(".")[0] == "Retake"]:
        del sys.modules[name]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_syntax_and_modules_of_python_3_7(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for top in {name.split(".")[0] for name in names}:
            assert top in sys.stdlib_module_names | LIVES_OWN, f"{path.name} imports {top}"
            assert top not in UNWANTED, f"{path.name} imports {top}"


def test_nothing_newer_than_python_3_7_is_used() -> None:
    """vermin knows since when each function, argument and module is there."""
    vermin = [sys.executable, "-c", "from vermin import main; main()", "--target=3.7-"]
    done = subprocess.run([*vermin, "--no-tips", str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def python_3_7() -> str | None:
    """A Python like Live's, where one is installed."""
    found = [shutil.which("python3.7"), *Path.home().glob(".pyenv/versions/3.7.*/bin/python")]
    for program in filter(None, found):
        check = [str(program), "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 7))"]
        if subprocess.run(check, capture_output=True).returncode == 0:
            return str(program)
    return None


def test_script_runs_under_a_real_python_3_7() -> None:
    program = python_3_7()
    if program is None:
        pytest.skip("Python 3.7 is not installed")
    command = [program, "-B", str(ROOT / "tests/live_under_python_3_7.py"), str(SCRIPT.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("No clip is chosen"), done.stderr


def test_newer_syntax_would_be_seen() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("if (n := 1): pass", feature_version=(3, 7))


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.lists(st.one_of(TEXTS, INTEGERS, st.floats(allow_nan=False), st.binary(max_size=30)))


@given(VALUES)
def test_packets_are_read_by_the_server_as_they_were_meant(values: list[Any]) -> None:
    (message,) = servers_osc.decode(part("osc").encode("/a/b", *values))
    assert (message.address, message.fault) == ("/a/b", "")
    assert list(message.args) == values


@given(VALUES)
def test_the_servers_packets_are_read_as_they_were_meant(values: list[Any]) -> None:
    tags = {str: "s", int: "h", float: "d", bytes: "b"}
    message = servers_osc.Message("/a", "".join(tags[type(v)] for v in values), tuple(values))
    assert part("osc").decode(servers_osc.encode(message)) == [("/a", tuple(values))]


@given(st.binary(max_size=60))
def test_any_bytes_are_messages_or_an_oscerror(packet: bytes) -> None:
    osc = part("osc")
    for data in (packet, b"/a\0\0,ifb" + packet, b"#bundle\0" + packet):
        with contextlib.suppress(osc.OscError):
            osc.decode(data)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_narrow_numbers_are_32_bits(number: float) -> None:
    osc = part("osc")
    packet = osc.encode("/a", number, 7, is_narrow=True)
    assert packet[4:8] == b",fi\0"
    ((_, (read, seven)),) = osc.decode(packet)
    assert math.isclose(read, number, rel_tol=1e-6) or abs(number) < 1e-37
    assert seven == 7


GAPS = st.tuples(st.floats(0.1, 8), st.floats(0.05, 4))


@given(st.lists(GAPS, min_size=1, max_size=8), st.floats(-4, 40), st.floats(0.1, 20))
def test_warp_map_of_a_stretch_is_the_maps_own(
    gaps: list[tuple[float, float]], start_beat: float, length_s: float
) -> None:
    """Each beat of the new file lies where the old map has it; there and back is the same beat."""
    markers = [(0.0, 0.3)]
    for beats, seconds in gaps:
        markers.append((markers[-1][0] + beats, markers[-1][1] + seconds))
    warp = part("warp").WarpMap(markers)
    stretch = part("warp").WarpMap(warp.part(start_beat, length_s))
    assert stretch.markers[0] == (0.0, 0.0)
    assert stretch.markers[-1][1] == pytest.approx(length_s)
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        beat = share * stretch.markers[-1][0]
        moment = warp.seconds(start_beat + beat)
        assert stretch.seconds(beat) == pytest.approx(moment - warp.seconds(start_beat), abs=1e-3)
        assert warp.beats(moment) == pytest.approx(start_beat + beat, abs=1e-6)


@pytest.mark.parametrize("markers", [[], [(0.0, 0.0)], [(0.0, 1.0), (1.0, 1.0)]])
def test_warp_map_without_sense_is_refused(markers: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="two markers"):
        part("warp").WarpMap(markers)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Retake: rain (seed 7)", "Retake rain (seed 7)"),
        ('a/b\\c:d*e?"<f>|\n', "a b c d e f"),
        ("..", "Retake"),
        ("x" * 300, "x" * 80),
    ],
)
def test_titles_become_names_of_files(title: str, name: str) -> None:
    assert part("files").file_name(title) == name


def test_page_names_every_address() -> None:
    page = (ROOT / "docs/hosts/ableton.md").read_text()
    door = part("door")
    for address, arguments, doc in (*door.COMMANDS, *door.EVENTS):
        shown = f"`{address}`" + (f" {arguments}" if arguments else "")
        assert f"| {shown} | {doc} |" in page, address
    named = set(re.findall(r"`(/retake/live/\w+)`", page))
    assert named <= {row[0] for row in (*door.COMMANDS, *door.EVENTS)}
