"""A clip's warp map: which moment of the file lies on which beat of the clip."""

from __future__ import annotations

from bisect import bisect_right
from typing import Iterable

#: Beats closer than this are one marker.
SAME_BEATS = 1e-6


class WarpMap:
    """Warp markers joined by straight lines, the first and last going on for ever.

    Parameters
    ----------
    markers : iterable of (float, float)
        Beat and second of each marker. Live's last one is invisible; it gives the last tempo.
    """

    def __init__(self, markers: Iterable[tuple[float, float]]) -> None:
        self.markers: list[tuple[float, float]] = []
        for beat, second in sorted(markers):
            last = self.markers[-1] if self.markers else (float("-inf"), float("-inf"))
            if beat - last[0] > SAME_BEATS and second > last[1]:
                self.markers.append((beat, second))
        if len(self.markers) < 2:
            raise ValueError(f"a warp map needs two markers; {len(self.markers)} are there")

    def seconds(self, beat: float) -> float:
        """Where in the file a beat lies."""
        (beat_0, second_0), (beat_1, second_1) = self._segment(0, beat)
        return second_0 + (beat - beat_0) * (second_1 - second_0) / (beat_1 - beat_0)

    def beats(self, second: float) -> float:
        """On which beat a moment of the file lies."""
        (beat_0, second_0), (beat_1, second_1) = self._segment(1, second)
        return beat_0 + (second - second_0) * (beat_1 - beat_0) / (second_1 - second_0)

    def part(self, start_beat: float, length_s: float) -> list[tuple[float, float]]:
        """The markers for a file that holds only a stretch of this one.

        Parameters
        ----------
        start_beat : float
            Where the stretch begins; beat 0 and second 0 of the new file.
        length_s : float

        Returns
        -------
        markers : list of (float, float)
            Beat and second; the first and the last at the new file's ends.
        """
        start_s = self.seconds(start_beat)
        end_beat = self.beats(start_s + length_s)
        inner = [
            (beat - start_beat, second - start_s)
            for beat, second in self.markers[:-1]
            if start_beat + SAME_BEATS < beat < end_beat - SAME_BEATS
        ]
        return [(0.0, 0.0), *inner, (end_beat - start_beat, length_s)]

    def _segment(self, axis: int, value: float) -> list[tuple[float, float]]:
        at = bisect_right([marker[axis] for marker in self.markers], value)
        at = min(max(at, 1), len(self.markers) - 1)
        return self.markers[at - 1 : at + 1]
