"""Log lines that a stranger could call forth by the thousand: one a second, the others counted."""

from __future__ import annotations

import logging
import time


class Seldom:
    """Writes warnings, at most one in so many seconds.

    Parameters
    ----------
    log : Logger
    every_s : float
    """

    def __init__(self, log: logging.Logger, every_s: float = 1.0) -> None:
        self._log, self._every_s = log, every_s
        self._last_s = -every_s
        self._n_left_out = 0

    def warning(self, text: str, *args: object) -> None:
        """Write a line, or count it; the next one says how many were left out."""
        now_s = time.monotonic()
        if now_s - self._last_s < self._every_s:
            self._n_left_out += 1
            return
        more = f" (and {self._n_left_out} lines like this since)" if self._n_left_out else ""
        self._last_s, self._n_left_out = now_s, 0
        self._log.warning(text + more, *args)
