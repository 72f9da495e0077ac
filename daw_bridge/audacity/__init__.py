"""Audacity's bridge: the Nyquist plug-ins as they are installed.

The plug-ins are made, not copied: each carries the code they share (Nyquist plug-ins stand alone)
and the presets there are, for a Nyquist dialog can't ask a server what to list.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
#: Which presets each plug-in lists.
EDIT_OF = {
    "retake-transfer.ny": "transfer",
    "retake-inpaint.ny": "inpaint",
    "retake-restore-highs.ny": "bandwidth",
    "retake-generate.ny": "generate",
    "retake-other-edit.ny": "",
    "retake-takes.ny": "",
}


def files(
    presets: Iterable[Mapping[str, Any]] | None = None,
    state_dir: str | os.PathLike[str] | None = None,
    command: str = "retake serve",
) -> dict[str, str]:
    """The plug-ins' texts by file name, to be written as UTF-8.

    Parameters
    ----------
    presets : iterable of mappings, optional
        What `retake presets --json` prints: `name` and `edit` are read. None lists no presets; the
        effects work all the same.
    state_dir : path, optional
        Where the server keeps server.conf, if not where it does by itself.
    command : str
        A command line that starts a server, for the messages that ask for one.
    """
    listed = list(presets or ())
    common = (HERE / "common.lsp").read_text(encoding="utf-8")
    folder = f'"{_quote(os.fspath(state_dir))}"' if state_dir else "nil"
    return {
        name: (HERE / name)
        .read_text(encoding="utf-8")
        .replace("@PRESETS@", _choices(_names(listed, edit)))
        .replace(
            "@COMMON@",
            f"(setf retake-state-folder {folder})\n"
            f"(setf retake-serve-command {_string(command)})\n"
            f"(setf retake-presets (list {' '.join(map(_string, _names(listed, edit)))}))\n\n"
            f"{common}",
        )
        for name, edit in EDIT_OF.items()
    }


def _names(presets: list[Mapping[str, Any]], edit: str) -> list[str]:
    return [str(preset["name"]) for preset in presets if edit and preset["edit"] == edit]


def _choices(names: list[str]) -> str:
    return " ".join(f'("{_quote(name)}" "{_quote(name)}")' for name in ["none", *names])


def _string(text: str) -> str:
    return f'"{_quote(text)}"'


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
