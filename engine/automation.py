"""What changes over time: texts, painted masks, and the takes a search starts from. No torch here.

Each has one canonical form, made of plain tuples, texts and numbers, and one form in words for the
command line and the wire::

    prompts   ((0.0, "light rain"), (2.5, "thunder"))        "0: light rain | 2.5: thunder"
    mask      ((0.0, 1000.0, 0.0), (2.0, 1000.0, 1.0))       "0:1000:0 2:1000:1", or a file's path
    around    "12" or "12/0.3/57"                            the same
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

#: (seconds from the region's start, text) in the order of time.
Prompts = tuple[tuple[float, str], ...]
#: (seconds from the region's start, Hz, strength) in the order of time.
Points = tuple[tuple[float, float, float], ...]

MAX_PROMPTS, MAX_POINTS, MAX_STEPS_AWAY = 32, 4096, 16
MASK_SUFFIXES = (".png", ".npy")
PROMPTS_FORM = 'texts with their seconds, as "0: light rain | 2.5: thunder"'
MASK_FORM = (
    f'the path of a {" or ".join(MASK_SUFFIXES)}, or points seconds:hz:strength, as "0:1000:0.2"'
)
AROUND_FORM = 'a take\'s seed, "12/0.3/57" for a take found around one, or job:index on a server'
#: A take of a server's job.
JOB_TAKE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}:[1-9][0-9]?")


def read_prompts(value: Any) -> Prompts:
    """Texts over time in their canonical form; ValueError, with what is wrong, otherwise.

    Parameters
    ----------
    value : str, or sequence of {at, text} or (at, text)
    """
    if isinstance(value, str):
        value = [part.split(":", 1) for part in value.split("|") if part.strip()]
    found = [_prompt(item) for item in _items(value, PROMPTS_FORM)]
    if [at for at, _ in found] != sorted({at for at, _ in found}):
        raise ValueError("texts in the order of their times, each at its own")
    if len(found) > MAX_PROMPTS:
        raise ValueError(f"at most {MAX_PROMPTS} texts")
    return tuple(found)


def _items(value: Any, form: str) -> list[Any]:
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ValueError(form)
    return list(value)


def _prompt(item: Any) -> tuple[float, str]:
    if isinstance(item, Mapping):
        if set(item) != {"at", "text"}:
            raise ValueError("{at, text} pairs")
        item = item["at"], item["text"]
    try:
        at, text = item
        at_s = float(at)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(PROMPTS_FORM) from None
    if not isinstance(text, str) or not text.strip():
        raise ValueError("texts that say something")
    if "|" in text:
        raise ValueError("texts without |, which parts one from the next")
    if not (math.isfinite(at_s) and at_s >= 0.0):
        raise ValueError("times from 0 s on")
    return at_s, " ".join(text.split())


def read_mask(value: Any) -> str | Points:
    """A painted mask's path, or its points; ValueError, with what is wrong, otherwise.

    The file itself is opened by the edit.

    Parameters
    ----------
    value : str, PurePath, or sequence of (seconds, hz, strength)
        "" and no points are no mask.
    """
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        if PurePath(value.strip()).suffix.lower() in MASK_SUFFIXES:
            return value.strip()
        value = [part.split(":") for part in value.split()]
    found = [_point(item) for item in _items(value, MASK_FORM)]
    if [at for at, _, _ in found] != sorted(at for at, _, _ in found):
        raise ValueError("points in the order of their times")
    if len(found) > MAX_POINTS:
        raise ValueError(f"at most {MAX_POINTS} points; paint a picture instead")
    return tuple(found)


def _point(item: Any) -> tuple[float, float, float]:
    try:
        at_s, hz, strength = (float(number) for number in item)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(MASK_FORM) from None
    if not (math.isfinite(at_s) and at_s >= 0 and math.isfinite(hz) and hz >= 0):
        raise ValueError("points whose seconds and Hz are 0 or more")
    if not 0.0 <= strength <= 1.0:
        raise ValueError("points whose strength is 0 to 1")
    return at_s, hz, strength


def read_around(value: Any) -> str:
    """Where a search starts, as text; "" is nowhere. ValueError otherwise.

    Parameters
    ----------
    value : str or int
        A seed, or "seed/spread/seed …": from the first towards the next as far as spread says; or
        "job:index", a take of a server's job, which only that server can look up.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(AROUND_FORM)
    text = str(value).strip()
    if text and not JOB_TAKE.fullmatch(text):
        lineage(text)
    return text


def lineage(around: str) -> tuple[int, tuple[tuple[float, int], ...]]:
    """The first seed of `around`, and the (spread, seed) of every step away from it."""
    first, *rest = around.split("/")
    try:
        steps = tuple((float(s), int(n)) for s, n in zip(rest[::2], rest[1::2], strict=True))
        seed = int(first)
    except ValueError:
        raise ValueError(AROUND_FORM) from None
    if len(steps) > MAX_STEPS_AWAY:
        raise ValueError(f"at most {MAX_STEPS_AWAY} steps away from the first take")
    if not all(0.0 <= spread <= 1.0 for spread, _ in steps):
        raise ValueError("ways from 0 to 1 between the seeds")
    if not all(0 <= n < 2**63 for n in (seed, *(n for _, n in steps))):
        raise ValueError("seeds from 0 on")
    return seed, steps


def further(around: str, spread: float, seed: int) -> str:
    """`around` of a take that was itself found around something: the next search starts there."""
    return f"{around}/{spread!r}/{seed}" if around else str(seed)


def in_words(value: Any) -> str:
    """A canonical value of this module as its text."""
    if isinstance(value, str):
        return value
    if value and isinstance(value[0][1], str):
        return " | ".join(f"{at!r}: {text}" for at, text in value)
    return " ".join(":".join(repr(number) for number in point) for point in value)
