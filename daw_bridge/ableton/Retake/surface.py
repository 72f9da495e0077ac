"""Retake as Live sees it: a control surface without controls."""

from __future__ import annotations

from typing import Any

# Live's own
from _Framework.ControlSurface import ControlSurface  # type: ignore[import-not-found]

from .bridge import Bridge


class Retake(ControlSurface):  # type: ignore[misc]
    """Chosen in Settings > Link, Tempo & MIDI; Live calls `update_display` every 100 ms."""

    def __init__(self, c_instance: Any) -> None:
        super().__init__(c_instance)
        self._bridge = Bridge(c_instance)
        self._is_open = True

    def update_display(self) -> None:
        """Live's tick. An error stops at this door: it must not stop the next tick."""
        super().update_display()
        if self._is_open:
            try:
                self._bridge.tick()
            except Exception as error:
                self.log_message(f"Retake: {type(error).__name__}: {error}")

    def disconnect(self) -> None:
        """Live quits, opens another set, or Retake is chosen no longer."""
        if self._is_open:
            self._is_open = False
            self._bridge.close()
        super().disconnect()
