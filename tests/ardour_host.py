"""A real Ardour 7 with Retake's scripts, driven through its OSC surface and its windows."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from desktop import Desktop
from pythonosc.udp_client import SimpleUDPClient
from running import DEADLINE_S, wait_until

from daw_bridge.install import Kit, install
from engine.region import read

LIBRARY = Path("/usr/lib/ardour7")
OSC_PORT = 3819
#: Ardour counts time in superclocks.
SUPERCLOCKS = 282_240_000
#: A set of 49 signals, written from the last: LuaTimerDS, ten times a second.
TIMER_BITS = "01" + "0" * 47
CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour><Config>
    <Option name="hide-dummy-backend" value="0"/>
    <Option name="try-autostart-engine" value="1"/>
</Config><Extra><AudioMIDISetup><EngineStates>
    <State backend="None (Dummy)" driver="Normal Speed" device="Silence" input-device=""
        output-device="" sample-rate="{rate}" buffer-size="1024" n-periods="0" input-latency="0"
        output-latency="0" input-channels="0" output-channels="0" lm-input="" lm-output=""
        active="1" use-buffered-io="0" midi-option="1 in, 1 out, Silence"><MIDIDevices/></State>
</EngineStates></AudioMIDISetup></Extra></Ardour>
"""
CREATE = """
local backend = AudioEngine:set_backend ("None (Dummy)", "Unit-Test", "")
backend:set_device_name ("Silence")
backend:set_sample_rate ({rate})
AudioEngine:start (false)
Session = create_session ("{folder}", "{name}", {rate})
Session:new_audio_track ({channels}, 2, nil, 1, "Vox", ARDOUR.PresentationInfo.max_order,
    ARDOUR.TrackMode.Normal, true)
Session:save_state ("")
close_session ()
"""
BOUNCE = """
AudioEngine:set_backend ("None (Dummy)", "Unit-Test", "")
Session = load_session ("{folder}", "song")
for route in Session:get_tracks ():iter () do
    local bounced = route:to_track ():bounce_range ({start}, {end_}, ARDOUR.InterThreadInfo (),
        ARDOUR.LuaAPI.nil_proc (), false, "heard")
    local file = io.open ("{told}", "w")
    for i = 0, bounced:to_audioregion ():to_readable ():n_channels () - 1 do
        file:write (bounced:source (i):to_filesource ():path (), "\\n")
    end
    file:close ()
    break
end
"""
#: The action without a window: what is selected and said in its dialog is given here.
EDIT = """
AudioEngine:set_backend ("None (Dummy)", "Unit-Test", "")
Session = load_session ("{folder}", "song")
local chosen = {{}}
for route in Session:get_tracks ():iter () do
    for region in route:to_track ():playlist ():region_list ():iter () do
        if region:name () == "{region}" then chosen[#chosen + 1] = region end
    end
end
local function each (list)
    return {{iter = function () local i = 0 return function () i = i + 1 return list[i] end end}}
end
local frame = function () return 0 end
Editor = {{get_selection = function () return {{
    regions = {{regionlist = function () return each (chosen) end}},
    tracks = {{routelist = function () return each ({{}}) end}},
    time = {{start_sample = frame, end_sample = frame}},
}} end}}
LuaDialog = {{
    Dialog = function () return {{run = function () return {{edit = "transfer", preset = "{preset}",
        text = "{text}", negative = "", strength = 0, takes = 1, seed = 0, seconds = 5}} end}} end,
    Message = function (title, said) error (said) end, MessageType = {{}}, ButtonType = {{}},
    ProgressWindow = function () return {{progress = frame, canceled = function () return false end,
        done = frame}} end,
}}
local scripts = ARDOUR.user_config_directory (-1) .. "/scripts"
loadfile (scripts .. "/retake_edit.luai") (scripts) ()
"""
#: Tells how every region lies, into the file named in RETAKE_TEST_LIST.
LIST = """return function ()
    local file = io.open (os.getenv ("RETAKE_TEST_LIST") .. ".half", "w")
    local is_well, why = pcall (function ()
        local chosen = {}
        for region in Editor:get_selection ().regions:regionlist ():iter () do
            chosen[region:to_stateful ():id ():to_s ()] = true
        end
        for route in Session:get_tracks ():iter () do
            for region in route:to_track ():playlist ():region_list ():iter () do
                local audio, words = region:to_audioregion (), {}
                for _, word in ipairs {route:name (), region:name (),
                    region:position ():samples (), region:start ():samples (),
                    region:length ():samples (), region:layer (), region:muted () and 1 or 0,
                    audio:scale_amplitude (), audio:fade_in_active () and 1 or 0,
                    audio:fade_out_active () and 1 or 0,
                    chosen[region:to_stateful ():id ():to_s ()] and 1 or 0} do
                    words[#words + 1] = tostring (word)
                end
                for i = 0, audio:to_readable ():n_channels () - 1 do
                    words[#words + 1] = region:source (i):to_filesource ():path ()
                end
                file:write (table.concat (words, "\\t"), "\\n")
            end
        end
    end)
    if not is_well then file:write (tostring (why)) end
    file:close ()
    os.rename (os.getenv ("RETAKE_TEST_LIST") .. ".half", os.getenv ("RETAKE_TEST_LIST"))
end"""

#: What somebody may do while a job runs: the selected regions cut at both ends and laid elsewhere;
#: or cut at their front and laid at the session's start.
CUT, SHIFT = 5_000, 30_000
_MOVE = """return function ()
    Session:begin_reversible_command ("Move")
    for region in Editor:get_selection ().regions:regionlist ():iter () do
        region:to_stateful ():clear_changes ()
        local from = region:position ():samples ()
        local past = from + region:length ():samples ()
        region:trim_end (Temporal.timepos_t (past - {end_cut}))
        region:trim_front (Temporal.timepos_t (from + {cut}))
        region:set_position (Temporal.timepos_t ({to}))
        Session:add_stateful_diff_command (region:to_statefuldestructible ())
    end
    Session:commit_reversible_command (nil)
end"""
MOVE = _MOVE.format(end_cut=2 * CUT, cut=CUT, to=f"from + {CUT + SHIFT}")
MOVE_TO_START = _MOVE.format(end_cut=0, cut=CUT, to=0)
#: A take whose text is this can't be laid: the hook stumbles when it is half on its track.
STUMBLE = "by design"
RAISE = "regions[i]:raise_to_top ()"
STUMBLES = f"""if regions[i]:name ():find ("{STUMBLE}") then error ("it stumbled") end {RAISE}"""

#: Around the hook: how long each call took, in seconds, into RETAKE_TEST_TICKS.
TIMED = """local call = (function () {hook} return factory () end) ()
return function (...)
    local began = ARDOUR.LuaAPI.monotonic_time ()
    call (...)
    local took_s = (ARDOUR.LuaAPI.monotonic_time () - began) / 1e6
    local file = io.open (os.getenv ("RETAKE_TEST_TICKS"), "a")
    file:write (string.format ("%.6f ", took_s))
    file:close ()
end"""


@dataclass(frozen=True)
class Place:
    """Where a region of a file lies, in frames, and what of the file it holds: all, if not told."""

    position: int
    start: int = 0
    frames: int | None = None


@dataclass(frozen=True)
class Lies:
    """A region as it lies on its track."""

    track: str
    name: str
    position: int
    start: int
    frames: int
    layer: int
    is_muted: bool
    gain: float
    has_fades: tuple[bool, bool]
    is_selected: bool
    files: tuple[Path, ...]

    def samples(self) -> np.ndarray:
        """What its sources hold where the region lies in them."""
        whole = [read(path, context_s=0.0).samples for path in self.files]
        joined = np.concatenate(whole, axis=1) if len(set(self.files)) > 1 else whole[0]
        return joined[self.start : self.start + self.frames]


class Ardour:
    """One with a home and a session of its own; `start` opens its window."""

    def __init__(
        self,
        desktop: Desktop,
        folder: Path,
        state: Path,
        rate: int = 48000,
        has_slots: bool = True,
        command: str = "retake serve",
    ) -> None:
        self.desktop, self.rate = desktop, rate
        self.home, self.session = folder / "home", folder / "song"
        self.ticks = folder / "ticks.txt"
        self._list, self._state = folder / "list.txt", state
        self.process: subprocess.Popen[bytes] | None = None
        config = self.home / ".config" / "ardour7"
        config.mkdir(parents=True)
        (config / "config").write_text(CONFIG.format(rate=rate))
        (config / ".a7").touch()
        install("ardour", Kit(command, str(state)), to=config / "scripts")
        self._has_slots = has_slots
        if has_slots:
            _write_slots(config / "ui_scripts", config / "scripts")
            _make_stumble(config / "scripts" / "retake_takes.luai")

    def create(self, wav: Path, *places: Place, channels: int = 1) -> None:
        """A session with one track, and this file as a region at each of these places."""
        words = {"rate": self.rate, "folder": self.session, "name": "song", "channels": channels}
        self._run(CREATE.format(**words))
        _edit_session(self._file(), wav, places)

    def start(self) -> None:
        """Open the session in a window, and wait until it listens."""
        with open(self.home / "ardour.log", "ab") as log:
            self.process = subprocess.Popen(
                [str(next(LIBRARY.glob("ardour-7*"))), "-n", "-a", str(self.session)],
                env=self._env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.desktop.wait_for("song - Ardour$")
        if self._has_slots:
            self.regions()  # it listens

    def stop(self, is_saved: bool = True) -> None:
        """Save and end it."""
        if self.process is None:
            return
        if is_saved:
            before_ns = self._file().stat().st_mtime_ns
            self._send("/save_state", 1.0)
            wait_until(lambda: self._file().stat().st_mtime_ns != before_ns)
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def act(self, action: str) -> None:
        """Do what a menu entry does."""
        self._send("/access_action", action)

    def select_all(self) -> None:
        """Every region."""
        deadline = time.monotonic() + DEADLINE_S
        while not all(region.is_selected for region in self.regions()):
            assert time.monotonic() < deadline, "the regions can't be selected"
            self.act("Editor/select-all-objects")
            time.sleep(0.2)

    def undo(self) -> None:
        self._send("/undo", 1.0)

    def redo(self) -> None:
        self._send("/redo", 1.0)

    def regions(self, timeout_s: float = DEADLINE_S) -> list[Lies]:
        """How the regions lie now, the uppermost last."""
        deadline = time.monotonic() + timeout_s
        self._list.unlink(missing_ok=True)
        while not self._list.exists():
            assert time.monotonic() < deadline, "Ardour doesn't answer"
            self.act("LuaAction/script-3")
            with contextlib.suppress(AssertionError):
                wait_until(self._list.exists, timeout_s=2.0)
        return sorted(map(_lies, self._list.read_text().splitlines()), key=lambda one: one.layer)

    def wait_for_regions(self, count: int) -> list[Lies]:
        """How they lie, once there are so many."""
        deadline = time.monotonic() + DEADLINE_S
        while len(found := self.regions()) != count:
            assert time.monotonic() < deadline, f"there are {found}"
            time.sleep(0.1)
        return found

    def bounce(self, start: int, end: int) -> np.ndarray:
        """What the first track plays, as Ardour itself reads it, without a window."""
        told = self.home / "bounced.txt"
        self._run(BOUNCE.format(folder=self.session, start=start, end_=end, told=told))
        paths = told.read_text().splitlines()
        return np.concatenate([read(Path(path), context_s=0.0).samples for path in paths], axis=1)

    def edit_without_window(self, region: str, text: str, preset: str = "") -> str:
        """Run the action on a region, and return its job's name."""
        words = {"region": region, "text": text, "preset": preset}
        self._run(EDIT.format(folder=self.session, **words))
        line = (self.session / "retake-jobs.txt").read_text()
        return line.split("job=")[1].split("\t")[0]

    def longest_tick_s(self) -> float:
        """The longest the hook has held Ardour up, since it was last asked."""
        times = [float(line) for line in self.ticks.read_text().split()]
        self.ticks.unlink()
        return max(times)

    def _run(self, text: str) -> None:
        """Run a script without a window."""
        script = self.home / "script.lua"
        script.write_text(text)
        command = ["ardour7-lua", str(script)]
        run = subprocess.run(command, env=self._env(), capture_output=True, timeout=300)
        assert b"error" not in run.stdout.lower(), run.stdout

    def _send(self, address: str, value: object) -> None:
        with SimpleUDPClient("127.0.0.1", OSC_PORT) as surface:
            surface.send_message(address, value)

    def _file(self) -> Path:
        return self.session / "song.ardour"

    def _env(self) -> dict[str, str]:
        data = {"ARDOUR_DATA_PATH": "/usr/share/ardour7", "ARDOUR_CONFIG_PATH": "/etc/ardour7"}
        code = {"ARDOUR_DLL_PATH": str(LIBRARY), "LD_LIBRARY_PATH": str(LIBRARY)}
        test = {"RETAKE_TEST_LIST": str(self._list), "RETAKE_TEST_TICKS": str(self.ticks)}
        more = {
            "HOME": str(self.home),
            "GTK_PATH": f"/etc/ardour7:{LIBRARY}",
            "UBUNTU_MENUPROXY": "",
        }
        more["ARDOUR_TRY_AUTOSTART_ENGINE"] = "1"
        env = self.desktop.env(**data, **code, **test, **more)
        return {key: value for key, value in env.items() if key != "GDK_BACKEND"}


def _lies(line: str) -> Lies:
    track, name, *rest = line.split("\t")
    position, start, frames, layer, muted, gain, fade_in, fade_out, chosen = rest[:9]
    return Lies(
        track,
        name,
        int(position),
        int(start),
        int(frames),
        int(layer),
        muted == "1",
        float(gain),
        (fade_in == "1", fade_out == "1"),
        chosen == "1",
        tuple(map(Path, rest[9:])),
    )


def _write_slots(path: Path, scripts: Path) -> None:
    """What the Script Manager writes when the two actions and the hook are put into slots."""
    actions = [(scripts / name).read_text() for name in ("retake.lua", "retake_jobs.lua")]
    bodies = [f"function ardour () end {text} return factory (...)" for text in actions]
    lines = ["scripts = {}"]
    for number, body in enumerate([*bodies, LIST, MOVE, MOVE_TO_START], 1):
        lines.append(f"scripts[{number}] = {_slot(f'Retake {number}', body)}")
    hook = (scripts / "retake_hook.lua").read_text().replace("ardour {", "local about = {", 1)
    timed = f"s = {_slot('Retake hook', TIMED.replace('{hook}', hook))}"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<UIScripts>'
        f'<ActionScript lua="Lua 5.3">{_base64(" ".join(lines))}</ActionScript><ActionHooks>'
        f'<LuaCallback lua="Lua 5.3" id="990000" name="Retake hook" signals="{TIMER_BITS}">'
        f"{_base64(timed)}</LuaCallback></ActionHooks></UIScripts>\n"
    )


def _make_stumble(path: Path) -> None:
    text = path.read_text()
    assert text.count(RAISE) == 1
    path.write_text(text.replace(RAISE, STUMBLES))


def _slot(name: str, body: str) -> str:
    words = {"n": name, "s": body, "f": body}
    return "{" + ", ".join(f'["{key}"] = {_lua(word)}' for key, word in words.items()) + ", a = {}}"


def _lua(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _edit_session(path: Path, wav: Path, places: tuple[Place, ...]) -> None:
    """Lay a file on the session's track, and switch the OSC surface on."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    surfaces = root.find("ControlProtocols")
    assert surfaces is not None
    for protocol in surfaces:
        if "OSC" in protocol.get("name", ""):
            protocol.set("active", "1")
    media = path.parent / "interchange" / "song" / "audiofiles"
    media.mkdir(parents=True, exist_ok=True)
    shutil.copy(wav, media / wav.name)
    _add_region(root, wav, places)
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def _add_region(root: ElementTree.Element, wav: Path, places: tuple[Place, ...]) -> None:
    clip = read(wav, context_s=0.0)
    frames, channels = clip.samples.shape
    per_frame = SUPERCLOCKS // clip.rate
    counter = int(root.get("id-counter", "0"))

    def next_id() -> str:
        nonlocal counter
        counter += 1
        return str(counter)

    parts: dict[str, ElementTree.Element] = {}
    for name in ("Sources", "Regions", "Playlists"):
        part = root.find(name)
        assert part is not None
        parts[name] = part
    sources = [next_id() for _ in range(channels)]
    for channel, source in enumerate(sources):
        about = {"name": wav.name, "take-id": "", "type": "audio", "flags": "", "id": source}
        about |= {"channel": str(channel), "origin": "", "gain": "1"}
        ElementTree.SubElement(parts["Sources"], "Source", about)
    playlist = next(one for one in parts["Playlists"] if one.get("name") == "Vox")
    for number, place in enumerate((Place(0), *places)):
        length = f"a{(place.frames or frames) * per_frame}@a{place.position * per_frame}"
        about = {"name": wav.stem + (f".{number}" if number else ""), "id": next_id()}
        about |= {"type": "audio", "opaque": "1", "external": "1", "channels": str(channels)}
        about |= {"whole-file": "0" if number else "1", "length": length}
        about |= {"start": f"a{place.start * per_frame}"}
        about |= {"ancestral-start": "a0", "ancestral-length": length, "first-edit": "nothing"}
        about |= {"layering-index": str(number), "scale-amplitude": "1", "sync-position": "a0"}
        about |= {"fade-in-active": "0", "fade-out-active": "0", "stretch": "1", "shift": "1"}
        for channel, source in enumerate(sources):
            about |= {f"source-{channel}": source, f"master-source-{channel}": source}
        ElementTree.SubElement(playlist if number else parts["Regions"], "Region", about)
    root.set("id-counter", str(counter + 1))
