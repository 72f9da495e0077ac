# ruff: noqa: N802 (they are called as REAPER calls them)
"""What each ReaScript function does in the fake REAPER; arguments are checked before.

Every function gets the calling script first.
"""

from __future__ import annotations

import copy
import shlex
import subprocess
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_reaper_api import TABLE, MisuseError
from fake_reaper_media import Item, Project, UndoPoint, new_guid
from fake_reaper_media_calls import MediaCalls

#: EnumProjExtState gives no more of a value; GetProjExtState gives all of it.
ENUM_BUFFER_CHARACTERS = 4095


class AppCalls(MediaCalls):
    """The functions, by their names in REAPER."""

    ext: dict[tuple[str, str], str]
    kept: dict[tuple[str, str], str]
    commands: dict[int, Path]
    messages: list[str]
    dialogs: deque[str | None]
    asked: list[tuple[str, str, str]]
    processes: list[subprocess.Popen[bytes]]
    missing: set[str]
    refresh_locks: int
    can_start: bool
    clock_ahead_s: float

    # Scripts

    def get_action_context(self, script: Any) -> tuple[Any, ...]:
        return False, str(script.path), 0, 1, -1, -1, 0.0, ""

    def defer(self, script: Any, function: Callable[[], Any]) -> bool:
        script.deferred.append(function)
        return True

    def atexit(self, script: Any, function: Callable[[], Any]) -> bool:
        script.at_exit.append(function)
        return True

    def set_action_options(self, script: Any, flag: int) -> None:
        script.options = int(flag)

    def APIExists(self, script: Any, name: str) -> bool:
        return f"reaper.{name}" in TABLE and name not in self.missing

    def AddRemoveReaScript(
        self, script: Any, add: bool, section: int, path: str, commit: bool
    ) -> int:
        if not Path(path).is_file() or section != 0:
            return 0
        known = {str(p): number for number, p in self.commands.items()}
        number = known.get(path, 50000 + len(self.commands))
        self.commands[number] = Path(path)
        return number

    def Main_OnCommand(self, script: Any, command: int, flag: int) -> None:
        self.run_script(self.commands[int(command)])  # type: ignore[attr-defined]

    def time_precise(self, script: Any) -> float:
        return time.perf_counter() + self.clock_ahead_s

    def GetOS(self, script: Any) -> str:
        return "Other"

    def genGuid(self, script: Any, unused: str = "") -> str:
        return new_guid()

    def ExecProcess(self, script: Any, command: str, timeout_ms: int) -> str | None:
        if timeout_ms >= 0:
            raise MisuseError("ExecProcess would hold REAPER up")
        if not self.can_start:
            return None
        self.processes.append(
            subprocess.Popen(
                shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
        return "0\n"

    def RecursiveCreateDirectory(self, script: Any, path: str, ignored: int) -> int:
        if Path(path).is_dir():
            return 0
        Path(path).mkdir(parents=True)
        return 1

    # Dialogs and ext state

    def ShowMessageBox(self, script: Any, message: str, title: str, kind: int) -> int:
        self.messages.append(message)
        return 1

    def GetUserInputs(
        self, script: Any, title: str, n: int, captions: str, values: str
    ) -> tuple[bool, str]:
        self.asked.append((title, captions, values))
        answer = self.dialogs.popleft() if self.dialogs else None
        return (True, answer) if answer is not None else (False, values)

    def GetExtState(self, script: Any, section: str, key: str) -> str:
        return self.ext.get((section, key), "")

    def SetExtState(self, script: Any, section: str, key: str, value: str, persist: bool) -> None:
        self.ext[section, key] = value
        if persist:
            if "\n" in value:
                raise MisuseError(f"SetExtState: {key} holds a line end, which an ini file can't")
            self.kept[section, key] = value

    def DeleteExtState(self, script: Any, section: str, key: str, persist: bool) -> None:
        self.ext.pop((section, key), None)

    def GetProjExtState(self, script: Any, proj: Any, name: str, key: str) -> tuple[int, str]:
        value = self._project(proj).ext.get((name, key), "")
        return len(value), value

    def SetProjExtState(self, script: Any, proj: Any, name: str, key: str, value: str) -> int:
        if "\n" in value or "\r" in value:
            raise MisuseError(f"SetProjExtState: {key} holds a line end")
        ext = self._project(proj).ext
        ext[name, key] = value
        if not value:
            del ext[name, key]
        return sum(len(text) for (section, _), text in ext.items() if section == name.lower())

    def EnumProjExtState(
        self, script: Any, proj: Any, name: str, index: int
    ) -> tuple[bool, str | None, str | None]:
        """Keys come in capitals, and values cut to the size of the buffer."""
        ext = self._project(proj).ext
        found = [(k, v) for (section, k), v in ext.items() if section == name.lower()]
        if index >= len(found):
            return False, None, None
        key, value = found[int(index)]
        return True, key, value[:ENUM_BUFFER_CHARACTERS]

    def MarkProjectDirty(self, script: Any, proj: Any) -> None:
        self._project(proj).n_dirty += 1

    # The project

    def EnumProjects(self, script: Any, index: int) -> tuple[Project | None, str | None]:
        """The project in front is the first of `projects`."""
        if index >= len(self.projects):
            return None, None
        project = self.projects[max(0, int(index))]
        return project, project.path

    def GetProjectPathEx(self, script: Any, proj: Any) -> str:
        return str(self._project(proj).folder)

    def GetSetProjectInfo(
        self, script: Any, proj: Any, key: str, value: float, is_set: bool
    ) -> float:
        return {"PROJECT_SRATE": float(self._project(proj).rate), "PROJECT_SRATE_USE": 1.0}[key]

    def GetAudioDeviceInfo(self, script: Any, attribute: str) -> tuple[bool, str]:
        return False, ""

    def GetCursorPositionEx(self, script: Any, proj: Any) -> float:
        return self._project(proj).cursor_s

    def GetSet_LoopTimeRange2(
        self,
        script: Any,
        proj: Any,
        is_set: bool,
        is_loop: bool,
        start: float,
        end: float,
        seek: bool,
    ) -> tuple[float, float]:
        assert not is_set, "the bridge must leave the time selection alone"
        return self._project(proj).selection

    def ValidatePtr2(self, script: Any, proj: Any, pointer: Any, name: str) -> bool:
        if name != f"{pointer.kind}*":
            return False
        return bool(self._is_alive(pointer))  # type: ignore[attr-defined]

    def Undo_BeginBlock2(self, script: Any, proj: Any) -> None:
        project = self._project(proj)
        assert project.open_block is None, "undo blocks must not be nested"
        project.open_block = copy.deepcopy(project.tracks)

    def Undo_EndBlock2(self, script: Any, proj: Any, name: str, flags: int) -> None:
        project = self._project(proj)
        assert project.open_block is not None, "no undo block is open"
        assert flags == -1, "an undo point of everything"
        project.undo.append(UndoPoint(name, project.open_block))
        project.open_block = None

    def PreventUIRefresh(self, script: Any, count: int) -> None:
        self.refresh_locks += int(count)
        assert self.refresh_locks >= 0, "PreventUIRefresh out of balance"

    def UpdateArrange(self, script: Any) -> None:
        pass

    def UpdateItemInProject(self, script: Any, item: Item) -> None:
        pass
