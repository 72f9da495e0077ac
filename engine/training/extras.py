"""Packages of the `train` extra, asked for before there is work that would be lost."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from engine.errors import RequestError

#: In the run of clap: the teacher's embeddings of the recordings' captions.
RECORDED_TEXTS = "recorded.npz"
#: Files of a part's run that hold all it needs of the text teacher.
TAUGHT = {"clap": ("lessons.json", RECORDED_TEXTS), "words": ("lessons.json",)}


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
    """Refuse a part whose packages aren't there. What the teacher said once needs no teacher.

    Raises
    ------
    RequestError, FileNotFoundError
        A package, or the text teacher, is not installed.
    """
    has_lessons = all((out / part / name).exists() for name in TAUGHT.get(part, ()))
    if part == "words" and not has_lessons:
        require("wordfreq")
    if part == "words" or (part == "clap" and not has_lessons):
        from engine.training.text import teacher_folder

        teacher_folder()
