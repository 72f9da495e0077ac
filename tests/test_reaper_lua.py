"""The Lua the REAPER bridge is made of: its JSON, its WAV files, its key=value lines."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_reaper_studio import LUAS
from hypothesis import given, settings
from hypothesis import strategies as st

from server.spool import read_lines, write_lines

BRIDGE = Path(__file__).parent.parent / "daw_bridge/reaper"
SCRIPTS = sorted(BRIDGE.rglob("*.lua"))


def runtime(lua: str) -> Any:
    """A Lua that finds the bridge's modules; strings are bytes."""
    made = LUAS[lua].LuaRuntime(encoding=None, unpack_returned_tuples=True)
    made.execute(f'package.path = "{BRIDGE}/?.lua;" .. package.path'.encode())
    return made


RUNTIMES = {lua: runtime(lua) for lua in LUAS}
both = pytest.mark.parametrize("lua", list(LUAS))


@both
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_compiles(lua: str, path: Path) -> None:
    complaint = RUNTIMES[lua].eval(b"function(text) return (select(2, load(text))) end")
    assert complaint(path.read_bytes()) is None


@pytest.mark.parametrize("compiler", ["luac5.3", "luac5.4"])
def test_luac_is_clean(compiler: str) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} isn't installed")
    for path in SCRIPTS:  # one by one: luac 5.4.4 crashes over several
        answer = subprocess.run([compiler, "-p", str(path)], capture_output=True, text=True)
        assert (answer.returncode, answer.stderr) == (0, ""), path


def test_scripts_stay_short_and_have_no_stray_globals() -> None:
    """Only REAPER's own tables and Lua's are global: luac lists what is set and read."""
    if not shutil.which("luac5.4"):
        pytest.skip("luac5.4 isn't installed")
    known = {"reaper", "gfx", "require", "package", "string", "table", "math", "os", "io", "utf8"}
    known |= {"pairs", "ipairs", "type", "tostring", "tonumber", "error", "pcall", "select"}
    known |= {"setmetatable", "getmetatable"}
    for path in SCRIPTS:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 400, path
        listing = subprocess.run(
            ["luac5.4", "-l", "-p", str(path)], capture_output=True, text=True, check=True
        ).stdout
        lines = [line for line in listing.splitlines() if "_ENV" in line and "TABUP" in line]
        used = {line.split('"')[1] for line in lines if '"' in line}
        assert not {line for line in lines if "SETTABUP" in line}, f"{path} sets a global"
        assert used <= known, path


json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@both
@given(value=json_values)
@settings(max_examples=150, deadline=None)
def test_json_reads_and_writes_what_python_does(lua: str, value: Any) -> None:
    again = RUNTIMES[lua].eval(
        b'function(text) local json = require("retake.json")'
        b" local value, why = json.decode(text) return why or json.encode(value) end"
    )
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        assert json.loads(again(text).decode("utf-8", "surrogatepass")) == value


@both
@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,", '{"a" 1}', "{1: 2}", '"open', "tru", "[1] 2", "nil", "-", '"\\u12"', "[" * 99],
)
def test_json_says_what_is_wrong(lua: str, text: str) -> None:
    decode = RUNTIMES[lua].eval(b'function(t) return require("retake.json").decode(t) end')
    value, why = decode(text.encode())
    assert value is None
    assert why.startswith(b"byte ")


@both
def test_json_of_odd_numbers(lua: str) -> None:
    encode = RUNTIMES[lua].eval(b'function(...) return require("retake.json").encode({...}) end')
    text = encode(1, 2.5, 1e300, float("nan"), float("inf"), -0.1)
    assert json.loads(text) == [1, 2.5, 1e300, None, None, -0.1]


@both
def test_json_fits_a_line_of_a_project_file(lua: str) -> None:
    """No line ends, and of REAPER's three quotes never all at once: it would change one."""
    encode = RUNTIMES[lua].eval(b'require("retake.json").encode')
    text = encode(b"\"a\"\n'b' `c`\r\0").decode()
    assert not set(text) & set("\n\r\0`")
    assert json.loads(text) == "\"a\"\n'b' `c`\r\0"


@both
@given(
    n_channels=st.integers(1, 8),
    n_frames=st.integers(1, 700),
    rate=st.sampled_from([8000, 44100, 192000]),
)
@settings(max_examples=25, deadline=None)
def test_wav_holds_the_very_samples(lua: str, n_channels: int, n_frames: int, rate: int) -> None:
    samples = np.random.default_rng(n_frames).normal(size=(n_frames, n_channels)) * 2
    lua_runtime = RUNTIMES[lua]
    write = lua_runtime.eval(
        b'function(frames, channels, rate, values) local wav = require("retake.wav")'
        b" return wav.header(frames, channels, rate) .. wav.pack(values) end"
    )
    values = lua_runtime.table_from(samples.ravel().tolist())
    data = write(n_frames, n_channels, rate, values)
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    read, found_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert found_rate == rate
    np.testing.assert_array_equal(read, samples.astype(np.float32))


@both
def test_wav_refuses_what_no_wav_holds(lua: str) -> None:
    header = RUNTIMES[lua].eval(b'function(n) return require("retake.wav").header(n, 8, 48000) end')
    assert header(2**28) == (None, b"the item is longer than a WAV file can be")


plain = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=9)


@both
@given(pairs=st.lists(st.tuples(plain.filter(lambda k: k[0] != "#" and "=" not in k), plain)))
@settings(max_examples=60, deadline=None)
def test_lines_are_the_spools(lua: str, pairs: list[tuple[str, str]]) -> None:
    """What either side writes the other reads."""
    lua_runtime = RUNTIMES[lua]
    lines_of = lua_runtime.eval(b'require("retake.files").lines_of')
    rows = [lua_runtime.table_from([k.encode(), v.encode()]) for k, v in pairs]
    text = lines_of(lua_runtime.table_from(rows)).decode()
    assert read_lines(text) == pairs
    pairs_of = lua_runtime.eval(b'require("retake.files").pairs_of')
    back = [
        (row[1].decode(), row[2].decode()) for row in pairs_of(write_lines(pairs).encode()).values()
    ]
    assert back == pairs
