"""What a host may send: regions and edits for hypothesis to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from engine import (
    Bandwidth,
    Continue,
    Edit,
    Hole,
    Inpaint,
    Loop,
    Region,
    Transfer,
    Vary,
)

if TYPE_CHECKING:
    pass

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000)
PROMPT = "heavy rain on a tin roof"


def examples(count: int) -> Any:
    """So many examples, the same ones each time, as slow as they need to be."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@dataclass(frozen=True)
class Sound:
    """A recipe for samples; hypothesis shows this and not the samples."""

    rate: int
    n_frames: int
    n_channels: int
    kind: str = "noise"
    level: float = 0.1
    context_frames: int = 0
    seed: int = 0

    def region(self, gain: float = 1.0) -> Region:
        """The region the recipe describes."""
        n_all = self.n_frames + 2 * self.context_frames
        samples = (self._shape(n_all) * self.level * gain).astype(np.float32)
        first, last = self.context_frames, self.context_frames + self.n_frames
        return Region(samples[first:last], self.rate, samples[:first], samples[last:])

    def _shape(self, n_frames: int) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        noise = rng.standard_normal((n_frames, self.n_channels))
        time_s = np.arange(n_frames)[:, None] / self.rate
        if self.kind == "tone":
            return np.sin(2 * np.pi * (300 + 200 * time_s) * time_s) + 0.01 * noise
        if self.kind == "beats":  # bursts of noise, four a second
            since_s = np.mod(time_s + 0.1, 0.25)
            return noise * np.exp(-since_s / 0.02) * (since_s > 0.0005)
        return noise


def sounds(longest_s: float = 1.0, most_channels: int = 8) -> st.SearchStrategy[Sound]:
    """Regions of any rate, length and number of channels."""

    def of_rate(rate: int) -> st.SearchStrategy[Sound]:
        lengths = st.one_of(st.integers(1, 50), st.integers(1, int(longest_s * rate)))
        return st.builds(
            Sound,
            rate=st.just(rate),
            n_frames=lengths,
            n_channels=st.integers(1, most_channels),
            kind=st.sampled_from(["noise", "tone", "beats"]),
            level=st.sampled_from([0.5, 0.1, 1e-3]),
            context_frames=st.sampled_from([0, 0, 1, 2000]),
            seed=st.integers(0, 99),
        )

    return st.one_of(st.sampled_from(RATES), st.integers(8000, 192000)).flatmap(of_rate)


@st.composite
def holes(draw: st.DrawFn, n_frames: int) -> tuple[Hole, ...]:
    """One to three holes inside so many frames, some of a band."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, n_frames - 1))
        frames = draw(st.integers(1, n_frames - start))
        bands = [(None, None), (None, None), (300.0, 1500.0), (None, 900.0), (1000.0, None)]
        made.append(Hole(start, frames, *draw(st.sampled_from(bands))))
    return tuple(made)


@st.composite
def cases(draw: st.DrawFn, longest_s: float = 1.0) -> tuple[Sound, Edit]:
    """A region and an edit of it, any of the six that take one."""
    sound = draw(sounds(longest_s))
    common: dict[str, Any] = {
        "prompt": draw(st.sampled_from(["", PROMPT])),
        "steps": 2,
        "seed": draw(st.integers(0, 9)),
        "mix": draw(st.sampled_from([1.0, 1.0, 0.4])),
    }
    render = draw(st.sampled_from(["hybrid", "vocoder"]))
    strength = draw(st.sampled_from([0.1, 0.5, 1.0]))
    edits: list[Edit] = [
        Transfer(strength=strength, render=render, **common),
        Vary(amount=strength, render=render, **common),
        Inpaint(holes=draw(holes(sound.n_frames)), **common),
        Bandwidth(cutoff=2500.0, **common),
        Continue(
            seconds=draw(st.sampled_from([0.001, 0.02, 0.7])),
            direction=draw(st.sampled_from(["after", "before"])),
            **common,
        ),
        Loop(seam=draw(st.sampled_from([0.01, 0.3, 30.0])), **common),
    ]
    return sound, draw(st.sampled_from(edits))


def db(ratio: float) -> float:
    """A ratio of magnitudes in decibels."""
    return 20 * float(np.log10(max(ratio, 1e-30)))
