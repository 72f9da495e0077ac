"""What can happen to a sound on its way to the listener, with the words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pedalboard import Chorus, Delay, Phaser, Reverb
from scipy import signal

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal

Apply = Callable[[np.random.Generator, Signal, int], Signal]


@dataclass(frozen=True)
class Effect:
    """Attributes
    ----------
    before : adjectives, "muffled"
    after : adverbials, "through a wall"
    on_textures : also audible on sounds that go on and on
    """

    name: str
    apply: Apply
    before: tuple[str, ...]
    after: tuple[str, ...]
    on_textures: bool = True


EFFECTS: dict[str, Effect] = {}


def effect(
    name: str, before: tuple[str, ...], after: tuple[str, ...], on_textures: bool = True
) -> Callable[[Apply], Apply]:
    def register(apply: Apply) -> Apply:
        EFFECTS[name] = Effect(name, apply, before, after, on_textures)
        return apply

    return register


def _board(plugin: object, x: Signal, rate: int) -> Signal:
    return plugin.process(x.astype(np.float32), rate).astype(np.float64)  # type: ignore[attr-defined]


def resampled(x: Signal, factor: float) -> Signal:
    """Played `factor` times as fast, as a tape would, looped or cut to the old length."""
    n = x.size
    source = np.arange(int(n / factor)) * factor
    y = dsp.lowpass(x, 0.47 * 16000 / factor, 16000, 6) if factor > 1.05 else x
    y = np.interp(source, np.arange(n), y)
    return np.tile(y, int(np.ceil(n / y.size)))[:n]


@effect(
    "underwater", ("underwater", "submerged", "muffled underwater"),
    ("underwater", "heard under water", "from below the water", "as if under water"),
)  # fmt: skip
def underwater(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.lowpass(x, rng.uniform(300, 550), rate, 3)
    y = _board(Chorus(rate_hz=0.8, depth=0.5, mix=0.5), y, rate)
    return dsp.unit(y) + 0.08 * dsp.unit(dsp.lowpass(dsp.coloured(rng, x.size, -4), 400, rate))


@effect(
    "telephone", ("tinny", "telephone-quality"),
    ("through a telephone", "over the phone", "on a phone line", "heard through a phone"),
)  # fmt: skip
def telephone(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.bandpass(dsp.unit(x), 450, 2800, rate, 3)
    return dsp.drive(y, 1.2) + 0.01 * dsp.white(rng, x.size)


@effect(
    "old radio", ("crackly", "old-radio"),
    ("on an old radio", "over an old radio", "on a vintage radio", "through a crackling radio"),
)  # fmt: skip
def old_radio(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.drive(dsp.unit(dsp.bandpass(x, 350, 3200, rate, 2)), 1.5)
    y *= dsp.wander(rng, x.size, rate, 3, 0.7, 1.0)
    crackle = dsp.bandpass(dsp.sparks(rng, x.size, rate, 60, 4), 500, 4000, rate)
    return y + 1.2 * dsp.peak(crackle) + 0.06 * dsp.band_noise(rng, x.size, rate, 400, 4000)


@effect(
    "cathedral", ("reverberant", "echoing"),
    ("in a cathedral", "in a large hall", "in a church", "in a huge reverberant space",
     "with a lot of reverb"),
)  # fmt: skip
def cathedral(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return dsp.room(rng, x, rate, rng.uniform(2.8, 4.0), rng.uniform(0.6, 0.8))


@effect(
    "small room", ("roomy", "boxy"),
    ("in a small room", "in a tiled bathroom", "in a stairwell", "in a bare room"),
)  # fmt: skip
def small_room(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return _board(Reverb(room_size=0.35, damping=0.2, wet_level=0.5, dry_level=0.3), x, rate)


@effect(
    "distorted", ("distorted", "overdriven", "crunchy", "clipped"),
    ("with heavy distortion", "distorted", "through an overdriven amplifier"),
)  # fmt: skip
def distorted(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.drive(dsp.peak(x), rng.uniform(12, 40))
    return dsp.lowpass(y, 5500, rate, 1)


@effect(
    "distant", ("distant", "faraway", "far-off"),
    ("in the distance", "far away", "from far away", "heard from a distance"),
)  # fmt: skip
def distant(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.lowpass(x, rng.uniform(900, 1600), rate, 1)
    y = dsp.unit(dsp.room(rng, y, rate, rng.uniform(1.5, 2.5), 0.6))
    return y + 0.06 * dsp.coloured(rng, x.size, -4)


@effect(
    "through a wall", ("muffled", "muted"),
    ("through a wall", "behind a wall", "from the next room", "behind a closed door"),
)  # fmt: skip
def through_wall(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return dsp.room(rng, dsp.lowpass(x, rng.uniform(250, 480), rate, 2), rate, 0.4, 0.2)


@effect(
    "slowed down", ("slowed-down", "slow-motion"),
    ("slowed down", "in slow motion", "played too slowly", "at half speed"), False,
)  # fmt: skip
def slowed(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return resampled(x, rng.uniform(0.45, 0.65))


@effect(
    "sped up", ("sped-up", "chipmunk-like"),
    ("sped up", "played too fast", "at double speed", "fast-forwarded"), False,
)  # fmt: skip
def sped_up(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return resampled(x, rng.uniform(1.6, 2.2))


@effect(
    "reversed", ("reversed", "backwards"),
    ("reversed", "played backwards", "in reverse", "played in reverse"), False,
)  # fmt: skip
def reversed_(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return x[::-1].copy()


@effect(
    "echo", ("echoing", "echoed"),
    ("with an echo", "with echoes", "echoing repeatedly", "with a delay effect"), False,
)  # fmt: skip
def echo(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return _board(Delay(delay_seconds=rng.uniform(0.22, 0.5), feedback=0.5, mix=0.45), x, rate)


def shifted(x: Signal, semitones: float) -> Signal:
    """Pitch moved with the timing kept: overlapping grains, read faster or slower."""
    ratio, n, grain = 2.0 ** (semitones / 12.0), x.size, 1024
    starts = np.arange(0, n, grain // 4)
    reach = np.arange(grain) - grain // 2
    source = starts[:, None] + reach[None, :] * ratio  # (n_grains, grain)
    grains = np.interp(source, np.arange(n), x, 0.0, 0.0) * signal.windows.hann(grain, sym=False)
    out = np.zeros((starts.size + 4, grain // 4))
    for part in range(4):
        out[part : part + starts.size] += grains[:, part * 256 : (part + 1) * 256]
    return out.ravel()[grain // 2 : grain // 2 + n] / 2.0


@effect(
    "pitched up", ("pitched-up", "higher-pitched"),
    ("pitched up", "shifted up in pitch", "at a raised pitch"), False,
)  # fmt: skip
def pitched_up(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.lowpass(x, 4200, rate, 4)
    return shifted(y, rng.uniform(6, 11))


@effect(
    "pitched down", ("pitched-down", "low-pitched"),
    ("pitched down", "shifted down in pitch", "at a lowered pitch"), False,
)  # fmt: skip
def pitched_down(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return shifted(x, -rng.uniform(6, 12))


@effect(
    "phaser", ("swirling", "phased"),
    ("with a phaser effect", "with a sweeping phaser", "with a swirling effect"),
)  # fmt: skip
def phaser(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    return _board(Phaser(rate_hz=rng.uniform(0.4, 1.2), depth=0.9, feedback=0.6, mix=0.5), x, rate)


@effect(
    "megaphone", ("amplified", "loudspeaker"),
    ("through a megaphone", "over a loudspeaker", "over a public address system"),
)  # fmt: skip
def megaphone(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    y = dsp.drive(dsp.unit(dsp.bandpass(x, 700, 3500, rate, 2)), 4)
    return dsp.room(rng, dsp.resonate(y, 1400, 1.2, rate) + 0.4 * y, rate, 1.2, 0.35)


@effect(
    "low quality", ("lo-fi", "bit-crushed", "low-quality"),
    ("in lo-fi quality", "bit-crushed", "from an 8-bit sampler"),
)  # fmt: skip
def low_quality(rng: np.random.Generator, x: Signal, rate: int) -> Signal:
    hold = int(rng.integers(4, 8))
    return np.repeat(np.round(dsp.peak(x)[::hold] * 10) / 10, hold)[: x.size]
