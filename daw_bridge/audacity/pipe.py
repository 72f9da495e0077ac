"""A client of Audacity's script pipe: standard library only.

Switch the pipe on once: Edit > Preferences > Modules > mod-script-pipe: Enabled, then restart
Audacity. Where a command opens a message box there, it is answered only once somebody presses OK;
so everything here has a deadline.

>>> with ScriptPipe.connect() as audacity:
...     audacity.do("SelectTracks: Track=0 TrackCount=1")
...     audacity.info("Clips")
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import sys
import threading
import time
from types import TracebackType
from typing import Any

ENDED = "BatchCommand finished: "
CONNECT_S = 30.0
COMMAND_S = 60.0
RETRY_S = 0.05
ECHO_S = 2.0


class AudacityError(Exception):
    """Audacity isn't there, doesn't answer, or refused a command."""


def pipe_paths(platform: str = sys.platform, user: int | None = None) -> tuple[str, str]:
    """Where commands go and where answers come from."""
    if platform == "win32":
        return r"\\.\pipe\ToSrvPipe", r"\\.\pipe\FromSrvPipe"
    number = os.getuid() if user is None else user
    return f"/tmp/audacity_script_pipe.to.{number}", f"/tmp/audacity_script_pipe.from.{number}"


class ScriptPipe:
    """A conversation with the Audacity that runs; it holds one conversation at a time."""

    def __init__(self, to_audacity: int, from_audacity: int) -> None:
        self._to, self._from = to_audacity, from_audacity
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def connect(cls, timeout_s: float = CONNECT_S) -> ScriptPipe:
        """A conversation, once Audacity has a project to talk about.

        Raises
        ------
        AudacityError
            There is no Audacity with its pipe switched on, or a dialog is open there.
        """
        deadline = time.monotonic() + timeout_s
        to_path, from_path = pipe_paths()
        pipe = cls(_open_to(to_path, deadline), os.open(from_path, os.O_RDONLY))
        while time.monotonic() < deadline:
            if pipe._echoes():
                return pipe
        pipe.close()
        raise AudacityError(f"Audacity said nothing for {timeout_s:g} s; is a dialog open there?")

    def __enter__(self) -> ScriptPipe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; Audacity stays open."""
        with contextlib.suppress(OSError):
            os.close(self._to)  # Audacity then closes its end, which ends the reading

    def send(self, command: str) -> None:
        """Say a command; `answer` tells what came of it.

        Raises
        ------
        AudacityError
            Audacity is gone.
        """
        end = "\r\n\0" if sys.platform == "win32" else "\n"
        try:
            os.write(self._to, (command + end).encode())
        except OSError as error:
            raise AudacityError(f"Audacity is gone ({error.strerror})") from None

    def answer(self, timeout_s: float = COMMAND_S) -> str | None:
        """What the oldest unanswered command was answered with; None if nothing came in time.

        Raises
        ------
        AudacityError
            Audacity says that the command failed.
        """
        deadline = time.monotonic() + timeout_s
        lines: list[str] = []
        while (line := self._line(deadline)) is not None:
            if line.startswith(ENDED):
                text = "\n".join(lines).strip()
                if line.strip() != f"{ENDED}OK":
                    raise AudacityError(text or "Audacity says no more than that it failed")
                return text
            lines.append(line)
        return None

    def do(self, command: str, timeout_s: float = COMMAND_S) -> str:
        """Say a command and wait for its answer.

        Raises
        ------
        AudacityError
            It failed, or wasn't answered in time.
        """
        self.send(command)
        text = self.answer(timeout_s)
        if text is None:
            raise AudacityError(
                f"no answer to {command!r} within {timeout_s:g} s; is a dialog open in Audacity?"
            )
        return text

    def info(self, kind: str) -> Any:
        """What GetInfo says of Tracks, Clips, Labels or Menus."""
        return json.loads(self.do(f"GetInfo: Type={kind} Format=JSON"))

    def _echoes(self) -> bool:
        """Whether it repeats a word; all that was said before is then answered and forgotten."""
        word = f"retake-{secrets.token_hex(8)}"
        self.send(f"Message: Text={word}")
        deadline = time.monotonic() + ECHO_S
        while (line := self._line(deadline)) is not None:
            if line == word:
                return self.answer(ECHO_S) is not None
            if line.startswith(ENDED) or not line:  # a project isn't there yet
                deadline = min(deadline, time.monotonic() + 10 * RETRY_S)
        return False

    def _line(self, deadline: float) -> str | None:
        try:
            return self._lines.get(timeout=max(deadline - time.monotonic(), 1e-3))
        except queue.Empty:
            return None

    def _read(self) -> None:
        with os.fdopen(self._from, "rb") as file:
            for line in file:
                self._lines.put(line.decode(errors="replace").strip("\r\n\0"))


def _open_to(path: str, deadline: float) -> int:
    """The pipe's end to write to; without a reader at the other end, none opens."""
    flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)
    while True:
        try:
            descriptor = os.open(path, flags)
        except OSError:
            if time.monotonic() > deadline:
                raise AudacityError(
                    f"no Audacity listens at {path}; start it, with mod-script-pipe enabled "
                    "(Edit > Preferences > Modules)"
                ) from None
            time.sleep(RETRY_S)
        else:
            if sys.platform != "win32":
                os.set_blocking(descriptor, True)
            return descriptor
