"""Where Retake's server keeps its state, and the small `key=value` files there."""

from __future__ import annotations

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SERVE = "retake serve"


def read_pairs(path: str) -> dict[str, str]:
    """A file's `key=value` lines; none where it can't be read."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write_pairs(path: str, pairs: dict[str, object]) -> None:
    """Put such a file in place whole, readable by this user alone."""
    temporary = path + ".part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("".join("{}={}\n".format(*pair) for pair in pairs.items()))
    os.replace(temporary, path)


def installed() -> dict[str, str]:
    """What `retake install ableton` wrote beside this script: command and perhaps state."""
    return read_pairs(os.path.join(HERE, "retake.conf"))


def state_folder() -> str:
    """As installed, else $RETAKE_STATE_DIR, else the user's own."""
    given = installed().get("state") or os.environ.get("RETAKE_STATE_DIR")
    if given:
        return os.path.expanduser(given)
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(local, "retake")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "retake")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(state, "retake")


def serve_command() -> str:
    """What starts a server, to be shown to the user."""
    return installed().get("command") or SERVE
