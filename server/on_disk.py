"""Waiting for the disk together: one sync for all that were written before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: What nobody waits for is brought to the disk within so long.
LATER_S = 1.0


class OnDisk:
    """Calls a blocking sync on a thread, one call at a time.

    Parameters
    ----------
    sync : callable
        Brings to the disk whatever was written before it was called.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._waiting: list[asyncio.Future[None]] = []
        self._rounds: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Until everything written so far is on disk; the sync's OSError where it failed."""
        await self._begin()

    def later(self) -> None:
        """What was written may wait a moment, so that those who wait for theirs come first."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATER_S, self._begin)

    def _begin(self) -> asyncio.Future[None]:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(_heed)
        self._waiting.append(waiting)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._work())
        return waiting

    async def close(self) -> None:
        """Until nobody waits any more."""
        self._stop_timer()
        if self._rounds:
            await asyncio.gather(self._rounds, return_exceptions=True)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def _work(self) -> None:
        while self._waiting:
            self._stop_timer()
            waiting, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._sync)
                error = None
            except OSError as caught:
                error = caught
            for one in waiting:
                if not one.done():
                    one.set_exception(error) if error else one.set_result(None)


def _heed(waiting: asyncio.Future[None]) -> None:
    """An error nobody awaits is no news to asyncio's log."""
    if not waiting.cancelled():
        waiting.exception()
