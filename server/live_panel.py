"""`retake live`: the panel of Ableton Live's bridge in a terminal.

It speaks to the Remote Script inside Live, as any control surface may: `/retake/live/…` over UDP.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from daw_bridge.ableton.Retake.conf import read_pairs
from daw_bridge.wire import pack
from engine.errors import FaultError, RequestError
from server import osc
from server.config import state_folder
from server.console import CLEAR_LINE
from server.options import add_debug, add_state_dir

ADDRESS = "/retake/live/"
CONF_NAME = "live.conf"
CHOOSE = "in Live's Settings > Link, Tempo & MIDI choose Retake as a Control Surface"
#: Live ticks ten times a second; one that is busy loading a set takes its time.
ANSWER_S = 5.0
#: The script forgets who says nothing for a minute.
GREET_EVERY_S = 20.0
LOOK_S = 0.1
HELP = """\
a text           makes takes of the clip in Live's clip view
/preset NAME     a preset; /presets lists them
/strength 0.5    how far from the clip; 0 changes nothing
/takes 3         how many
/KEY VALUE       any other key of submit; without a value it is unset
/go  /again      with the text as it is; the same with a new seed
/cancel  /clip   stop the latest job; which clip is meant
/quit"""
PLAIN = ("go", "again", "cancel", "clip", "presets")

Said = tuple[str, tuple[Any, ...]]


class Wire:
    """The way to the script inside Live."""

    def __init__(self, folder: Path) -> None:
        self._conf = _read_note(folder / CONF_NAME)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", int(self._conf["port"])))
        self._greeted_s = 0.0

    def open(self) -> list[Said]:
        """Say hello; what was answered.

        Raises
        ------
        RequestError
            `no-such-file`: nobody answers.
        """
        said: list[Said] = []
        deadline = time.monotonic() + ANSWER_S
        self._greet()
        while time.monotonic() < deadline:
            said += self.receive(LOOK_S)
            if any(word == "server" for word, _ in said):
                return said
        raise RequestError(
            "no-such-file", f"Live (pid {self._conf.get('pid')}) doesn't answer; {CHOOSE}"
        )

    def _greet(self) -> None:
        self._greeted_s = time.monotonic()
        self.send("watch", 1)
        self.send("hello")

    def send(self, word: str, *values: str | int | float) -> None:
        """One message."""
        try:
            self._socket.send(pack(ADDRESS + word, *values))
        except ConnectionError:
            raise FaultError("internal", "Live has gone, or Retake was chosen off") from None

    def receive(self, timeout_s: float) -> list[Said]:
        """What was said, each address's last word and its values; nothing in time: none."""
        if time.monotonic() - self._greeted_s > GREET_EVERY_S:
            self._greeted_s = time.monotonic()
            self.send("watch", 1)
        self._socket.settimeout(timeout_s)
        try:
            messages = osc.decode(self._socket.recv(65507))
        except (TimeoutError, osc.OscError):
            return []
        except ConnectionError:
            raise FaultError("internal", "Live has gone, or Retake was chosen off") from None
        return [(message.address.removeprefix(ADDRESS), message.args) for message in messages]

    def close(self) -> None:
        """Hear nothing more."""
        with contextlib.suppress(FaultError):  # nobody is there to be told
            self.send("watch", 0)
        self._socket.close()


def _read_note(path: Path) -> dict[str, str]:
    pairs = read_pairs(str(path))
    if not pairs.get("port", "").isdigit():
        raise RequestError("no-such-file", f"Live doesn't run Retake (no {path}); {CHOOSE}")
    return pairs


class Screen:
    """Lines, and below them how far the job is."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._is_live = stream, stream.isatty()

    def say(self, line: str) -> None:
        self._stream.write(f"{CLEAR_LINE if self._is_live else ''}{line}\n")
        self._stream.flush()

    def progress(self, text: str) -> None:
        """On a terminal only."""
        if self._is_live:
            self._stream.write(CLEAR_LINE + text)
            self._stream.flush()

    def show(self, word: str, values: tuple[Any, ...]) -> None:
        """What the script said, in words."""
        if word == "progress":
            left = f", {values[3]:.0f} s left" if values[3] >= 0 else ""
            self.progress(f"{values[1]:4.0%} {values[2]}{left} ")
        elif word in _LINES:
            self.say(_LINES[word](*values))


def _settings(*pairs: Any) -> str:
    return "  ".join(f"{k}={v}" for k, v in zip(pairs[::2], pairs[1::2], strict=False))


_LINES: dict[str, Callable[..., str]] = {
    "form": _settings,
    "server": lambda is_there, text: text,
    "clip": lambda name, start_s, length_s: f"{name or 'clip'}: {start_s:.2f} s + {length_s:.2f} s",
    "preset": lambda name, *facts: f"{name:24} {facts[0] if facts else ''}",
    "presets": lambda n: f"{n} presets",
    "take": lambda job, where, title: f"{title}: {where}",
    "ended": lambda job, how, text: text,
    "error": lambda text: text,
}


def add(commands: Any) -> None:
    """The command `retake live`."""
    command = commands.add_parser(
        "live", help="the panel of Ableton Live's bridge", epilog="Without a text it stays open."
    )
    command.add_argument("text", nargs="?", help="what the clip in Live's clip view should become")
    command.add_argument("--preset", metavar="NAME", help="a preset")
    command.add_argument("--edit", metavar="NAME", help="an edit (transfer)")
    command.add_argument("--strength", type=float, metavar="X", help="0 changes nothing, to 1")
    command.add_argument("--takes", type=int, metavar="N", help="how many takes")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any other key of submit"
    )
    add_state_dir(command)
    add_debug(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """One job where a text or a preset is given, else the panel until /quit."""
    wire = Wire(state_folder(options.state_dir))
    screen = Screen(sys.stdout)
    try:
        greeting = wire.open()
        settings = list(_given(options))
        for key, value in settings:
            wire.send("set", key, value)
        if options.text is not None or options.preset:
            wire.send("go", *([] if options.text is None else [options.text]))
            _follow(wire, screen)
            return
        for said in greeting:
            screen.show(*said)
        screen.say("Type a text; /help says what else there is.")
        _stay(wire, screen, sys.stdin)
    finally:
        wire.close()


def _given(options: argparse.Namespace) -> Iterator[tuple[str, str | int | float]]:
    for key in ("edit", "preset", "strength", "takes"):
        value = getattr(options, key)
        if value is not None:
            yield key, value
    for pair in options.set:
        key, is_pair, text = pair.partition("=")
        if not is_pair:
            raise RequestError("bad-value", f"--set is {pair[:60]!r}; it must read KEY=VALUE")
        yield key, number_or_text(text)


def number_or_text(text: str) -> str | int | float:
    """A number where it reads as one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _follow(wire: Wire, screen: Screen) -> None:
    """Show one job until it has ended; Ctrl-C cancels it."""
    job = ""
    try:
        while True:
            for word, values in wire.receive(LOOK_S):
                if word == "job" and not job:
                    job = values[0]
                elif word == "error":
                    raise RequestError("bad-request", values[0])
                elif job and values and values[0] == job:
                    if word == "ended" and values[1] != "placed":
                        raise FaultError("internal", values[2])
                    screen.show(word, values)
                    if word == "ended":
                        return
    except KeyboardInterrupt:
        if job:
            wire.send("cancel", job)
        raise


def _stay(wire: Wire, screen: Screen, typed: IO[str]) -> None:
    """Do what is typed and show what is said, until /quit or the input's end."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(typed, lines), daemon=True).start()
    while True:
        for said in wire.receive(LOOK_S):
            screen.show(*said)
        while not lines.empty():
            line = lines.get()
            if line is None or line.strip() in ("/quit", "/q"):
                return
            obey(line.strip(), wire.send, screen.say)


def _read(typed: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in typed:
        lines.put(line)
    lines.put(None)


def obey(line: str, send: Callable[..., None], say: Callable[[str], None]) -> None:
    """One typed line: a text, or a command that begins with `/`."""
    if not line.startswith("/"):
        if line:
            send("go", line)
        return
    word, _, value = line[1:].partition(" ")
    if word in PLAIN:
        send(word)
    elif word in ("", "help"):
        say(HELP)
    elif word == "text":
        send("set", "prompt", value.strip())
    else:
        send("set", word, number_or_text(value.strip()))
