"""What presets are shown and tried on: six recorded clips, and speech that we damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine import Hole, Region, read
from engine.resample import resample
from presets import Preset

ROOT = Path(__file__).parents[1]
CLIPS = {
    "speech": "tests/clips/speech.flac",
    "music": "tests/clips/music.flac",
    "ambience": "docs/examples/stream.flac",
    "one-shot": "tests/clips/one_shot.flac",
    "stereo 48 kHz": "tests/clips/stereo_48k.flac",
    "mono 8 kHz": "tests/clips/mono_8k.flac",
}
#: On what a family is shown, and presets for which another clip says more.
SHOWN_ON = {
    "voice": "speech",
    "spaces": "one-shot",
    "weather": "speech",
    "media": "stereo 48 kHz",
    "machines": "stereo 48 kHz",
    "creatures": "speech",
    "impacts": "one-shot",
    "music": "music",
    "loops": "ambience",
    "next-room": "speech",
    "underwater": "speech",
    "canyon": "mono 8 kHz",
    "tunnel": "mono 8 kHz",
    "whoosh": "speech",
    "inside-a-helmet": "speech",
    "far-away": "speech",
    "inside-a-car": "speech",
    "telephone": "speech",
    "mobile-phone": "speech",
    "megaphone": "speech",
    "walkie-talkie": "speech",
    "lo-fi-drums": "stereo 48 kHz",
    "dark-bed": "music",
}
LONGEST_S = 2.5
#: What restoration is shown on: speech that we damaged.
GAP_S = (1.0, 1.3)


@dataclass(frozen=True, eq=False)
class Shown:
    """A region a preset is shown on, what is given beside the preset, and what it is called."""

    region: Region | None
    given: dict[str, Any]
    words: str


def shown(preset: Preset) -> Shown:
    """What a preset is shown on."""
    if preset.edit == "generate":
        return Shown(None, {}, "nothing")
    if preset.edit == "bandwidth":
        cutoff_hz = float(preset.parameters["cutoff"])
        rate = {3600: 8000, 1800: 4000, 900: 2000}[round(cutoff_hz)]
        return Shown(_through(_clip("speech"), rate), {}, f"speech sampled at {rate // 1000} kHz")
    if preset.edit == "inpaint":
        return _damaged(preset)
    name = SHOWN_ON.get(preset.name) or SHOWN_ON[preset.family]
    return Shown(_clip(name), {}, name)


def _clip(name: str) -> Region:
    whole = read(ROOT / CLIPS[name])
    n_frames = min(whole.n_frames, round(LONGEST_S * whole.rate))
    return read(ROOT / CLIPS[name], 0, n_frames)


def _through(region: Region, rate: int) -> Region:
    """A region as it would be had it been sampled at a lower rate."""
    waves = []
    for wave in region.samples.T:
        low = resample(wave, region.rate, rate, -(-len(wave) * rate // region.rate))
        waves.append(resample(low, rate, region.rate, region.n_frames))
    return Region(np.stack(waves, axis=1), region.rate)


def _damaged(preset: Preset) -> Shown:
    """Speech with a hole, a cough or a click in it, and the hole that covers it."""
    region = _clip("speech")
    samples = np.array(region.samples)
    start, stop = (round(at * region.rate) for at in GAP_S)
    words = "speech with a gap"
    if preset.name == "fill-dropout":
        samples[start:stop] = 0.0
    elif preset.name == "patch-click":
        stop = start + region.rate // 50
        samples[start + 100 : start + 130] = 0.9
        words = "speech with a click"
    elif preset.name == "remove-cough":
        burst = np.random.default_rng(0).standard_normal((stop - start, 1)) * 0.3
        samples[start:stop] += (burst * np.hanning(stop - start)[:, None]).astype(np.float32)
        words = "speech with a burst of noise over it"
    else:
        words = "speech"
    hole = Hole(start, stop - start)
    return Shown(Region(samples, region.rate), {"holes": (hole,)}, words)
