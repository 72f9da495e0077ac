"""A mistake in a preset's file, and the error it becomes when the preset is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RequestError

#: Where in a file: keys and, inside arrays, indexes from 0.
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing that is wrong in a preset's file.

    Parameters
    ----------
    path : Path
    line : int
        1 is the first; 0 where the whole file is meant.
    key : str
        The key as a reader would name it, "chain[2].room_size"; empty for the whole file.
    message : str
        The value found and what would do, without file, line or key.
    """

    path: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """file:line: key: message."""
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class PresetError(RequestError):
    """A preset that was asked for has mistakes (`bad-value`).

    Parameters
    ----------
    mistakes : sequence of Mistake
        At least one.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        more = f" (and {len(mistakes) - 1} more; see retake preset check)"
        super().__init__("bad-value", f"{mistakes[0]}{more if len(mistakes) > 1 else ''}")

    def __reduce__(self) -> tuple[type, tuple[tuple[Mistake, ...]]]:  # type: ignore[override]
        return type(self), (self.mistakes,)


def shown(keys: KeyPath) -> str:
    """A path of keys as a reader would name it; arrays count from 1."""
    text = ""
    for key in keys:
        text += f"[{key + 1}]" if isinstance(key, int) else f".{key}" if text else key
    return text
