"""What an edit worked out and the next one asks for again: kept by content, in bounded memory.

A key is made from everything a result depends on (the samples themselves, never a file's name), so
an entry can't be out of date; what fails or is cancelled leaves none. No torch here.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

V = TypeVar("V")


class Cache:
    """Results by key; the least recently used go first. Not for several threads at once.

    What comes out is the very object that went in: nobody may write into it.

    Parameters
    ----------
    max_bytes : int
        What all entries may hold together; a larger one is not kept. 0 keeps nothing.
    max_entries : int
    """

    def __init__(self, max_bytes: int, max_entries: int) -> None:
        self._max_bytes, self._max_entries = max_bytes, max_entries
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, make: Callable[[], V], size_bytes: Callable[[V], int]) -> V:
        """The result kept under a key, or a fresh one, kept from now on if there is room.

        Parameters
        ----------
        key : Hashable
        make : callable
            What it raises passes through, and nothing is kept.
        size_bytes : callable
            How large a result is.
        """
        if key in self._entries:
            self._entries.move_to_end(key)
            value: V = self._entries[key][0]
            return value
        value = make()
        self._keep(key, value, size_bytes(value))
        return value

    def _keep(self, key: Hashable, value: Any, n_bytes: int) -> None:
        if n_bytes > self._max_bytes or not self._max_entries:
            return
        self._entries[key] = value, n_bytes
        self.n_bytes += n_bytes
        while self.n_bytes > self._max_bytes or len(self._entries) > self._max_entries:
            _, (_, freed_bytes) = self._entries.popitem(last=False)
            self.n_bytes -= freed_bytes

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
        self.n_bytes = 0


def fingerprint(*parts: npt.NDArray[Any] | int) -> bytes:
    """A hash that two contents share only if they are the same bit for bit.

    Shapes and kinds of samples count too; NaN and silence are contents like any other.
    """
    sum_of_all = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            sum_of_all.update(f"{part.dtype.str}{part.shape}".encode())
            sum_of_all.update(np.ascontiguousarray(part).data)
        else:
            sum_of_all.update(f"int {part};".encode())
    return sum_of_all.digest()
