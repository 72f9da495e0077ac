"""A REAPER that runs ReaScripts under real Lua without REAPER.

It keeps projects, items, takes, ext state and an undo list, runs deferred functions thirty times a
second, and takes offence (MisuseError) at every function that isn't in REAPER's public list, at
wrong arguments and at dead pointers. It is a model, made from public documentation: what REAPER
itself does was not seen.
"""

from __future__ import annotations

import subprocess
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_reaper_api import TABLE, MisuseError, check_call, check_results
from fake_reaper_calls import AppCalls
from fake_reaper_gfx import GfxCalls, Window
from fake_reaper_media import Handle, Project, Source
from fake_reaper_media_calls import Accessor
from host_time import without_collection

#: REAPER runs deferred functions about thirty times a second.
REAPER_TICK_S = 1 / 30
GFX_FIELDS = {
    "x": 0.0, "y": 0.0, "w": 0.0, "h": 0.0, "ext_retina": 0.0, "mouse_x": 0.0, "mouse_y": 0.0,
    "mouse_cap": 0.0, "mouse_wheel": 0.0, "r": 1.0, "g": 1.0, "b": 1.0, "a": 1.0,
}  # fmt: skip

#: Made in Lua: tables that complain, reaper.array, which only Lua can fill fast, and pointers.
#: Nothing of Python's but one function crosses over: lupa 2.8 may lose or swap other objects under
#: Lua 5.3 (scoder/lupa#293).
PRELUDE = """
local dispatch, offend, names, fields, MARK = ...
local pointers, numbers = {}, {}
local function forbidden() return offend("a look into a pointer") end
local opaque = { __index = forbidden, __newindex = forbidden }
function opaque.__tostring(pointer) return "userdata: " .. numbers[pointer] end
local function from_python(value)
  if type(value) ~= "string" or value:sub(1, #MARK) ~= MARK then return value end
  local number = value:sub(#MARK + 1)
  if not pointers[number] then
    local pointer = setmetatable({}, opaque)
    pointers[number], numbers[pointer] = pointer, number
  end
  return pointers[number]
end
local function to_python(value) return numbers[value] and MARK .. numbers[value] or value end
local function each(convert, n, ...)
  if n > 0 then return convert((...)), each(convert, n - 1, select(2, ...)) end
end
local function all(convert, ...) return each(convert, select("#", ...), ...) end
local function strict(name)
  return { __index = function(_, key) return offend(name .. "." .. tostring(key)) end }
end
reaper, gfx = setmetatable({}, strict("reaper")), setmetatable({}, strict("gfx"))
for _, name in ipairs(names) do
  local owner, key = name:match("^(%w+)%.(.+)$")
  _G[owner][key] = function(...) return all(from_python, dispatch(name, all(to_python, ...))) end
end
for key, value in pairs(fields) do gfx[key] = value end
function reaper.new_array(size)
  local data = {}
  for i = 1, size do data[i] = 0.0 end
  local array = { size = size }
  function array.clear() for i = 1, size do data[i] = 0.0 end return true end
  function array.table(offset, n) return table.move(data, offset, offset + n - 1, 1, {}) end
  function array.fill(values) table.move(values, 1, #values, 1, data) end
  return array
end
"""
POINTER_MARK = "\0pointer "


@dataclass
class Script:
    """A script that runs: its Lua, its deferred functions, its window."""

    path: Path
    lua: Any
    window: Window = field(default_factory=Window)
    deferred: deque[Callable[[], Any]] = field(default_factory=deque)
    at_exit: list[Callable[[], Any]] = field(default_factory=list)
    calls: tuple[Callable[..., Any], ...] = ()
    options: int = 0
    is_ended: bool = False

    @property
    def gfx(self) -> Any:
        return self.lua.globals().gfx


@dataclass(frozen=True)
class Step:
    """One call of a deferred function: CPU time of the thread, and time on the clock."""

    script: str
    cpu_s: float
    wall_s: float


class FakeReaper(AppCalls, GfxCalls):
    """The application.

    Parameters
    ----------
    lua_module : module
        `lupa.lua53` or `lupa.lua54`.
    folder : Path
        Where the project's media folder is.
    """

    def __init__(self, lua_module: Any, folder: Path) -> None:
        self._lua_module = lua_module
        self.media = folder / "Media"
        self.projects = [Project(self.media, str(folder / "song.rpp"))]
        self.ext: dict[tuple[str, str], str] = {}
        self.kept: dict[tuple[str, str], str] = {}
        self.scripts: list[Script] = []
        self.commands: dict[int, Path] = {}
        self.messages: list[str] = []
        self.dialogs: deque[str | None] = deque()
        self.asked: list[tuple[str, str, str]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.offences: list[str] = []
        self.steps: list[Step] = []
        self.accessors: set[Accessor] = set()
        self.sources: set[Source] = set()
        self.chunks: dict[str, dict[str, Any]] = {}
        self._pointers: dict[str, Handle] = {}
        self.refresh_locks = 0
        self.can_start = True
        self.tick_s = 0.01  # faster than REAPER's, where a test isn't about time
        self.clock_ahead_s = 0.0
        self.missing: set[str] = set()  # functions this version hasn't got

    @property
    def project(self) -> Project:
        return self.projects[0]

    # Scripts

    def run_script(self, path: Path) -> Script:
        """Run a script as from the action list."""
        for running in [s for s in self.scripts if s.path == path and not s.is_ended]:
            assert running.options & 1, f"REAPER asks what to do: {path.name} runs already"
            self.end_script(running)
            if not running.options & 2:
                return running
        lua = self._lua_module.LuaRuntime(
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
        )
        script = Script(path, lua)
        self.scripts.append(script)
        names = lua.table_from([name for name in TABLE if self._has(name)])
        script.calls = (lambda name, *values: self._call(script, name, values), self._offend)
        lua.execute(PRELUDE, *script.calls, names, lua.table_from(GFX_FIELDS), POINTER_MARK)
        lua.execute(path.read_text(encoding="utf-8"))
        return script

    def _has(self, name: str) -> bool:
        return name.split(".")[1] not in self.missing and name != "reaper.new_array"

    def _call(self, script: Script, name: str, given: tuple[Any, ...]) -> Any:
        """One call of a script: checked, done, and its results checked."""
        owner, key = name.split(".")
        values = tuple(map(self._from_lua, given))
        try:
            check_call(name, values, self._is_alive)
            result = getattr(self, f"_gfx_{key}" if owner == "gfx" else key)(script, *values)
        except (MisuseError, AssertionError) as error:
            self.offences.append(f"{name}: {error}")
            raise
        check_results(name, result)
        if isinstance(result, tuple):
            return tuple(map(self._to_lua, result))
        return self._to_lua(result)

    def _to_lua(self, value: Any) -> Any:
        if not isinstance(value, Handle):
            return value
        self._pointers[str(id(value))] = value  # held for good: a dead pointer stays what it was
        return f"{POINTER_MARK}{id(value)}"

    def _from_lua(self, value: Any) -> Any:
        is_pointer = isinstance(value, str) and value.startswith(POINTER_MARK)
        return self._pointers[value.removeprefix(POINTER_MARK)] if is_pointer else value

    def _offend(self, name: str) -> None:
        self.offences.append(f"{name} is not in REAPER's API")
        raise MisuseError(self.offences[-1])

    def end_script(self, script: Script) -> None:
        """Terminate a script."""
        script.is_ended = True
        script.deferred.clear()
        for function in script.at_exit:
            function()

    def tick(self) -> None:
        """Run what was deferred, once."""
        for script in [s for s in self.scripts if not s.is_ended]:
            for _ in range(len(script.deferred)):
                function = script.deferred.popleft()
                with without_collection():
                    cpu_s, wall_s = time.thread_time(), time.perf_counter()
                    function()
                    cpu_s, wall_s = time.thread_time() - cpu_s, time.perf_counter() - wall_s
                self.steps.append(Step(script.path.stem, cpu_s, wall_s))
                if script.is_ended:
                    break
            if not script.deferred and not script.is_ended:
                self.end_script(script)

    def run_until(self, is_so: Callable[[], bool], timeout_s: float = 90.0) -> None:
        """Let time pass in REAPER until something is so."""
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline_s, f"it never came to pass; {self.trouble()}"
            began_s = time.monotonic()
            self.tick()
            time.sleep(max(0.0, self.tick_s - (time.monotonic() - began_s)))

    def trouble(self) -> str:
        """What a failed test should say."""
        shown = [text for s in self.scripts for text in s.window.texts()]
        return f"offences {self.offences}, messages {self.messages}, panels {shown}"

    def close(self) -> None:
        """Quit: scripts end, processes that were started are stopped."""
        for script in self.scripts:
            if not script.is_ended:
                self.end_script(script)
        for process in self.processes:
            process.terminate()
            process.wait(30)

    # What is alive

    def _is_alive(self, handle: Any) -> bool:
        if isinstance(handle, Project):
            return handle in self.projects
        if isinstance(handle, Accessor):
            return handle in self.accessors
        if isinstance(handle, Source):
            used = [take.source for project in self.projects for take in project.takes]
            return any(handle in source.chain for source in (*self.sources, *used) if source)
        return any(handle in group for p in self.projects for group in (p.tracks, p.items, p.takes))

    def close_project(self) -> Project:
        """The project in front is closed; an empty one takes its place."""
        gone = self.projects.pop(0)
        self.projects.insert(0, Project(self.media))
        return gone

    def open_in_place(self, other: Project) -> Project:
        """Open a file in the tab in front, and get what was there before.

        As REAPER does: the pointer to the project stays, what it holds is another's.
        """
        before = Project(other.folder)
        for mine, theirs in ((before, self.project), (self.project, other)):
            vars(mine).update(vars(theirs))
        self.accessors = {a for a in self.accessors if a.take in self.project.takes}
        return before

    def show(self, project: Project) -> None:
        """Bring a project's tab to the front, or open it in a tab of its own."""
        self.projects = [project, *(p for p in self.projects if p is not project)]

    def undo(self) -> str:
        """One step back; as in REAPER, pointers into the project are new ones then."""
        point = self.project.undo.pop()
        self.project.tracks = point.tracks
        return point.name
