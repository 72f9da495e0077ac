"""Packages of the `train` extra, asked for before there is work that would be lost."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from engine.errors import RequestError


def require(package: str) -> None:
    """Refuse to begin without `package`.

    Raises
    ------
    RequestError
        `bad-value`: it is not installed; the sentence says how to.
    """
    if importlib.util.find_spec(package) is None:
        raise RequestError(
            "bad-value",
            f"{package} (of the train extra) is not installed: "
            f"{sys.executable} -m pip install {package}",
        )


def check_packages(part: str, out: Path) -> None:
    """Refuse a part whose packages aren't there. Lessons that are kept need no teacher.

    Raises
    ------
    RequestError, FileNotFoundError
        A package, or the text teacher, is not installed.
    """
    has_lessons = (out / part / "lessons.json").exists()
    if part == "words" and not has_lessons:
        require("wordfreq")
    if part == "words" or (part == "clap" and not has_lessons):
        from engine.training.text import teacher_folder

        teacher_folder()
