"""Takes leave the server's spool for the set's own folder, a little at each tick."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any, Iterator

#: Of a tick: a quarter of what Live can spare.
BUDGET_S = 0.005
CHUNK_BYTES = 2**16
MAX_NAME = 80
UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')


def take_folder(song: Any, state_folder: str) -> str:
    """The set's `Samples/Retake`; of a set that was never saved, a folder beside the server's."""
    try:
        set_path = song.file_path or ""
    except (AttributeError, RuntimeError):  # before Live 12
        set_path = ""
    if set_path:
        return os.path.join(os.path.dirname(set_path), "Samples", "Retake")
    return os.path.join(state_folder, "live-takes")


def file_name(title: str) -> str:
    """A take's title as a file may be called everywhere."""
    name = UNSAFE.sub(" ", title.replace(": ", " "))
    return " ".join(name.split())[:MAX_NAME].rstrip(" .") or "Retake"


def copy(source: str, folder: str, title: str) -> Iterator[str]:
    """Bring a take beside the set's samples, never over a file; the last thing given is its path.

    Gives "" whenever a tick's share of copying is done. On the server's own disk nothing needs to
    be copied: the file gets a second name, and stays when the server takes its own one away.

    Raises
    ------
    OSError
        No such file, no room, no right; nothing half-written stays.
    """
    os.makedirs(folder, exist_ok=True)
    path = _free_path(folder, file_name(title))
    try:
        os.link(source, path)
    except FileExistsError:
        raise
    except OSError:
        yield from _copy(source, path)
    yield path


def _copy(source: str, path: str) -> Iterator[str]:
    try:
        with open(source, "rb") as take, open(path, "xb") as out:
            began_s = time.perf_counter()
            data = take.read(CHUNK_BYTES)
            while data:
                out.write(data)
                data = take.read(CHUNK_BYTES)
                if data and time.perf_counter() - began_s > BUDGET_S:
                    yield ""
                    began_s = time.perf_counter()
    except BaseException:
        if os.path.exists(path):
            os.unlink(path)
        raise


def _free_path(folder: str, name: str) -> str:
    for number in range(1, 10000):
        tail = "" if number == 1 else f" ({number})"
        path = os.path.join(folder, name + tail + ".wav")
        if not os.path.exists(path):
            return path
    raise OSError(f"{folder} is full of takes called {name}")


def keep_recipe(path: str, recipe: dict[str, Any]) -> None:
    """Lay what a take was made with beside it, as JSON."""
    with open(os.path.splitext(path)[0] + ".json", "w", encoding="utf-8") as file:
        json.dump(recipe, file, ensure_ascii=False, indent=1)
