"""Inpainting holes and restoring highs in held-out recordings, against trivial repairs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from tqdm import tqdm

from benchmarks.quality.hearing import FRONT, Recording, Wave, log_mel
from benchmarks.quality.reconstruction import ways
from engine import Bandwidth, Engine, Hole, Inpaint, Region
from engine.training.corpus import RATE

HOLES_S = (0.5, 1.5)
CUTOFFS_HZ = (2000.0, 4000.0)
#: Sound a clip must have on each side of a hole.
AROUND_S = 0.4
#: A clip counts as full band when this share of its energy lies above 4 kHz.
HIGH_SHARE = 1e-4
LEVEL_S = 0.05


def holes(
    engine: Engine, recordings: list[Recording], n: int, **options: object
) -> dict[str, dict[str, float]]:
    """For each length: mean log-mel error inside the hole of the take, of the line drawn across it,
    of that line made into sound by the vocoder, of the sound before the hole played backwards (what
    another stretch of the same recording is off by), of what the hole itself holds, each bin at its
    median all along (what knowing its mean spectrum is worth), and of the recording itself sent
    through VAE and vocoder; the step of level across the seams of the take, of the recording in the
    same places, and how far the one is from the other. `options` go to every edit."""
    rows = {}
    for seconds in HOLES_S:
        clips = [r.wave for r in recordings if len(r.wave) > (seconds + 2 * AROUND_S) * RATE]
        found = [
            _hole(engine, clip, seconds, options)
            for clip in tqdm(clips[:n], desc=f"hole {seconds} s", unit="clip")
        ]
        made, line, sounding, mirrored, median, coded, silence, step, own, off = np.mean(
            found, axis=0
        )
        rows[f"hole of {seconds} s, {len(found)} clips"] = {
            "log-mel L1": float(made),
            "linear interpolation": float(line),
            "the same as sound": float(sounding),
            "the sound before, mirrored": float(mirrored),
            "the hole's own median": float(median),
            "the recording, coded": float(coded),
            "silence": float(silence),
            "ratio": float(made / line),
            "level step, dB": float(step),
            "recording's own, dB": float(own),
            "off by, dB": float(off),
        }
    return rows


def _hole(engine: Engine, clip: Wave, seconds: float, options: dict) -> tuple[float, ...]:
    frames = round(seconds * RATE)
    start = (len(clip) - frames) // 2 // FRONT.hop * FRONT.hop
    broken = clip.copy()
    broken[start : start + frames] = 0.0
    edit = Inpaint(holes=(Hole(start, frames),), **options)
    take = engine.edit(Region(broken, RATE), edit).samples[:, 0]
    first, last = start // FRONT.hop, (start + frames) // FRONT.hop
    mel = log_mel(clip)
    inside = slice(first + 3, last - 3)  # frames whose windows lie in the hole alone
    wanted = mel[inside]
    share = np.linspace(0, 1, last - first)[3:-3, None]
    line = mel[first - 4] * (1 - share) + mel[last + 3] * share
    bridged = np.concatenate((mel[: inside.start], line, mel[inside.stop :])).astype(np.float32)
    sounding = engine.networks.voice(torch.from_numpy(bridged))
    mirrored = clip.copy()
    mirrored[start : start + frames] = np.pad(clip[:start], (0, frames), "reflect")[start:]
    coded = ways(engine.networks)["VAE + vocoder"](clip)
    return (
        float(np.abs(log_mel(take)[inside] - wanted).mean()),
        float(np.abs(line - wanted).mean()),
        float(np.abs(log_mel(sounding)[inside] - wanted).mean()),
        float(np.abs(log_mel(mirrored)[inside] - wanted).mean()),
        float(np.abs(np.median(wanted, axis=0) - wanted).mean()),
        float(np.abs(log_mel(coded)[inside] - wanted).mean()),
        float(np.abs(np.log(1e-5) - wanted).mean()),
        *_level_steps(take, clip, (start, start + frames)),
    )


def _level_steps(take: Wave, clip: Wave, seams: tuple[int, int]) -> tuple[float, float, float]:
    """How far the level steps at the seams, in the take and in the recording, and how far these
    differ; means over both seams, in dB."""
    n = round(LEVEL_S * RATE)

    def steps(wave: Wave) -> NDArray[np.float64]:
        powers = [
            [np.mean(part**2) + 1e-8 for part in (wave[max(0, at - n) : at], wave[at : at + n])]
            for at in seams
        ]
        return 10 * np.log10([after / before for before, after in powers])

    made, own = steps(take), steps(clip)
    return tuple(float(np.abs(step).mean()) for step in (made, own, made - own))


def highs(
    engine: Engine, recordings: list[Recording], n: int, **options: object
) -> dict[str, dict[str, float]]:
    """For each cutoff: mean log-spectral distance over the whole band of the take, the low-passed
    input, and the input with noise shaped by a line through its spectrum."""
    clips = [r.wave[: 4 * RATE] for r in recordings if _has_highs(r.wave)][:n]
    rows = {}
    for cutoff in CUTOFFS_HZ:
        found = []
        for clip in tqdm(clips, desc=f"cutoff {cutoff:.0f} Hz", unit="clip"):
            low = signal.butter(12, cutoff, fs=RATE, output="sos")
            dull = signal.sosfiltfilt(low, clip).astype(np.float32)
            edit = Bandwidth(cutoff=cutoff, **options)
            take = engine.edit(Region(dull, RATE), edit).samples[:, 0]
            shaped = shaped_noise(dull, cutoff)
            found.append([log_spectral_distance(clip, wave) for wave in (take, dull, shaped)])
        made, dull, shaped = np.mean(found, axis=0)
        rows[f"low-passed at {cutoff:.0f} Hz, {len(found)} clips"] = {
            "log-spectral distance, dB": float(made),
            "low-passed input": float(dull),
            "shaped noise": float(shaped),
            "ratio": float(made / dull),
        }
    return rows


def _has_highs(wave: Wave) -> bool:
    power = np.abs(np.fft.rfft(wave)) ** 2
    return len(wave) > RATE // 2 and power[len(power) // 2 :].sum() > HIGH_SHARE * power.sum()


def log_spectral_distance(first: Wave, second: Wave) -> float:
    """Root mean square over frequency of the difference in dB, mean over frames (floor -80 dB of
    the first's peak)."""
    spectra = [
        np.abs(signal.stft(wave, RATE, nperseg=1024, noverlap=768)[2]) for wave in (first, second)
    ]
    floor = spectra[0].max() * 1e-4 + 1e-9
    db = [20 * np.log10(np.maximum(spectrum, floor)) for spectrum in spectra]
    return float(np.sqrt(((db[0] - db[1]) ** 2).mean(axis=0)).mean())


def shaped_noise(dull: Wave, cutoff: float) -> Wave:
    """The input with noise above the cutoff whose level follows a line fitted, frame by frame, to
    the octave and a half below it (dB over log frequency)."""
    rng = np.random.default_rng(0)
    hz, _, spectrum = signal.stft(dull, RATE, nperseg=1024, noverlap=768)
    below = (hz > cutoff / 2.8) & (hz < cutoff * 0.9)
    above = hz >= cutoff
    x = np.log2(hz[below])
    level = 20 * np.log10(np.abs(spectrum[below]) + 1e-9)
    slope = ((x - x.mean())[:, None] * (level - level.mean(0))).sum(0) / ((x - x.mean()) ** 2).sum()
    line = level.mean(0) + np.minimum(slope, 0.0) * (np.log2(hz[above])[:, None] - x.mean())
    phase = np.exp(2j * np.pi * rng.random((int(above.sum()), spectrum.shape[1])))
    spectrum[above] = 10 ** (line / 20) * phase
    return signal.istft(spectrum, RATE, nperseg=1024, noverlap=768)[1][: len(dull)].astype(
        np.float32
    )
