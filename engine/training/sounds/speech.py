"""Spoken words: sentences from word lists, said by espeak-ng or flite, or by formants of our own.

The two programs are optional. Which of them is installed changes how a voice sounds, never which
random numbers are drawn.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import signal

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal

N_SENTENCES = 600
TIMEOUT_S = 10.0
ESPEAK_RATE = 22050

WHO = (
    "my brother", "the teacher", "an old friend", "our neighbour", "the doctor", "a young woman",
    "the driver", "somebody", "the captain", "my mother", "the whole family", "a strange man",
    "the little girl", "his uncle", "the shopkeeper", "everyone here", "the engineer", "a tourist",
)  # fmt: skip
DID = (
    "opened the door", "went to the market", "wrote a long letter", "found a map", "missed the bus",
    "painted the kitchen", "told us a story", "bought some bread", "forgot the keys", "fixed the roof",
    "called me back", "lost the game", "planted a tree", "read the news", "left the country",
    "saw a fox", "cooked dinner", "turned off the lights", "sold the old car", "sang a song",
)  # fmt: skip
WHEN = (
    "this morning", "before the storm", "last winter", "after lunch", "on the way home", "at noon",
    "without a word", "in the garden", "by the river", "as usual", "two days ago", "in the dark",
    "when nobody was looking", "near the station", "just in time", "for the first time",
)  # fmt: skip
SAID = (
    "I don't think that {who} {did} {when}.", "Did you know that {who} {did} {when}?",
    "Yesterday {who} {did}, and then {who2} {did2}.", "{who} {did} {when}.", "Well, {who} {did}, you see.",
    "Listen, {who} {did} {when}, but {who2} did not.", "It was late when {who} {did} {when}.",
    "Please wait here until {who2} comes back. I heard that {who} {did}.",
    "First {who} {did}, and after that, {who2} {did2} {when}.", "Why has nobody told me? I mean, {who} {did}!",
)  # fmt: skip
SHOUTED = (
    "What are you doing? Get out of here!", "I told you, {who} {did}!", "Stop it right now! Leave me alone!",
    "Hey, you! Come back here! {who} {did}!", "No! No! I said no! You never listen to me!",
    "How could you do that? {who} {did} {when}!", "Be quiet! I have had enough of this!",
    "Get away from my car! I will call the police!", "Don't you dare! {who} trusted you!",
)  # fmt: skip


def sentence(index: int, shouted: bool = False) -> str:
    """The sentence of that number; the same one every time."""
    rng = np.random.default_rng(90_000 + index)
    template = dsp.pick(rng, SHOUTED if shouted else SAID)
    words = {"who": WHO, "who2": WHO, "did": DID, "did2": DID, "when": WHEN}
    text = template.format(**{name: dsp.pick(rng, choices) for name, choices in words.items()})
    return text[0].upper() + text[1:]


@dataclass(frozen=True)
class Speaker:
    """A voice: of espeak-ng (`voice`), of flite (`flite`, preferred by chance), or by formants.

    `pitch` from 0 to 99 and `words_per_minute` are espeak-ng's; `hz` is the mean pitch that our
    own voice and flite take; `tract` is the length of the vocal tract against a man's.
    """

    voice: str
    flite: str
    pitch: tuple[int, int]
    hz: tuple[float, float]
    tract: float


MEN = tuple(
    Speaker(voice, "rms", (25, 50), (85.0, 140.0), 1.0)
    for voice in ("en-us", "en-gb", "en-us+m3", "en-us+m5", "en-us+m7", "en-gb+m2", "en-us+klatt2")
)
WOMEN = tuple(
    Speaker(voice, "slt", (45, 75), (175.0, 240.0), 0.86)
    for voice in ("en-us+f2", "en-gb+f3", "en-us+f4", "en-us+f5", "en-gb+f1", "en-us+f3")
)
CHILDREN = tuple(
    Speaker(voice, "", (85, 99), (280.0, 360.0), 0.72) for voice in ("en-us+f2", "en-gb+f3", "en-us+f4")
)
WHISPERERS = (Speaker("en-us+whisper", "", (40, 60), (0.0, 0.0), 1.0), Speaker("en-us+whisperf", "", (50, 70), (0.0, 0.0), 0.86))


@lru_cache(maxsize=4)
def installed(program: str) -> str | None:
    return shutil.which(program)


@lru_cache(maxsize=384)
def _espeak(text: str, voice: str, pitch: int, words_per_minute: int, rate: int) -> Signal:
    """float32 samples of espeak-ng; empty when it fails."""
    command = [installed("espeak-ng") or "espeak-ng", "-v", voice, "-p", str(pitch)]
    command += ["-s", str(words_per_minute), "--stdout", text]
    try:
        wav = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return np.zeros(0, np.float32)
    return _trimmed(np.frombuffer(wav[44 : len(wav) // 2 * 2], "<i2"), ESPEAK_RATE, rate)


@lru_cache(maxsize=384)
def _flite(text: str, voice: str, hz: int, stretch: float, rate: int) -> Signal:
    """float32 samples of flite; empty when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        command = [installed("flite") or "flite", "-voice", voice, "-t", text, "-o", str(wav)]
        command += ["--setf", f"int_f0_target_mean={hz}", "--setf", f"duration_stretch={stretch}"]
        try:
            subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True)
            return _trimmed(np.frombuffer(wav.read_bytes()[44:], "<i2"), 16000, rate)
        except (OSError, subprocess.SubprocessError):
            return np.zeros(0, np.float32)


def _trimmed(pcm: np.ndarray, from_rate: int, rate: int) -> Signal:
    """Resampled, silence cut off at both ends, peak 1."""
    x = pcm.astype(np.float32) / 32768.0
    if from_rate != rate:
        common = np.gcd(from_rate, rate)
        x = signal.resample_poly(x, rate // common, from_rate // common).astype(np.float32)
    loud = np.flatnonzero(np.abs(x) > 0.01)
    if loud.size < rate // 20:
        return np.zeros(0, np.float32)
    return dsp.peak(x[loud[0] : loud[-1] + 1]).astype(np.float32)


def say(rng: np.random.Generator, who: Speaker, rate: int, pace: float = 1.0, lift: float = 0.0, shouted: bool = False) -> Signal:
    """One sentence. `pace` multiplies the speed, `lift` raises the pitch by that many octaves."""
    text = sentence(int(rng.integers(N_SENTENCES)), shouted)
    place, flite_first = rng.random(), dsp.chance(rng, 0.4)
    words_per_minute = int(round(pace * rng.uniform(140, 185) / 5) * 5)
    own = np.random.default_rng(rng.integers(2**32))
    hz = (who.hz[0] + place * (who.hz[1] - who.hz[0])) * 2.0**lift
    x = np.zeros(0, np.float32)
    if flite_first and who.flite and installed("flite"):
        x = _flite(text, who.flite, int(hz / 5) * 5, round(1.1 / pace, 1), rate)
    if not x.size and installed("espeak-ng"):
        pitch = int(min(99, who.pitch[0] + place * (who.pitch[1] - who.pitch[0]) + 45 * lift))
        x = _espeak(text, who.voice, pitch, words_per_minute, rate)
    return x.astype(np.float64) if x.size else spoken(own, rate, 2.2 / pace, hz, who.tract)


# -- a voice of our own ------------------------------------------------------------------------------

# formants of a man in Hz (Peterson & Barney 1952, rounded)
VOWELS = {
    "a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (270, 2290, 3010), "o": (570, 840, 2410),
    "u": (300, 870, 2240), "ae": (660, 1720, 2410), "uh": (520, 1190, 2390), "er": (490, 1350, 1690),
}  # fmt: skip


def glottis(hz: Curve, n: int, rate: int, tilt: float = 1.6) -> Signal:
    """Voice source: harmonics that fall by 6 dB an octave times `tilt`."""
    return dsp.wavetable(hz, dsp.saw_amplitudes(70, tilt), n, rate)


def vowel_tracks(vowels: Sequence[tuple[float, str]], n: int, tract: float) -> list[tuple[Curve, float, float]]:
    """Moving formants for `dsp.peak_gains`, through (position from 0 to 1, vowel)."""
    tracks: list[tuple[Curve, float, float]] = []
    for formant, (width, level) in enumerate(((90, 1.0), (120, 0.6), (180, 0.35))):
        points = [(position, VOWELS[vowel][formant] / tract) for position, vowel in vowels]
        tracks.append((dsp.curve(n, points), width, level))
    return [*tracks, (3500.0 / tract, 300, 0.2)]


def voiced(rng: np.random.Generator, n: int, rate: int, hz: Curve, vowels: Sequence[tuple[float, str]], tract: float = 1.0, breath: float = 0.03, tilt: float = 1.2) -> Signal:
    """A sung or called vowel that moves through `vowels`."""
    jitter = 1.0 + dsp.wander(rng, n, rate, 30, -0.008, 0.008)
    source = dsp.unit(glottis(np.broadcast_to(hz, n) * jitter, n, rate, tilt))
    source += breath * dsp.highpass(dsp.white(rng, n), 800, rate)
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, vowel_tracks(vowels, n, tract))))


def syllable_envelope(rng: np.random.Generator, n: int, rate: int, per_second: float) -> tuple[Signal, list[tuple[float, str]], Signal]:
    """Loudness of the vowels, the vowels, and the loudness of the consonants between them."""
    loud, hiss, vowels, t = np.zeros(n), np.zeros(n), [(0.0, "uh")], 0.0
    while t < n / rate:
        length = rng.uniform(0.6, 1.3) / per_second
        m = max(8, int(length * rng.uniform(0.6, 0.95) * rate))
        dsp.add(loud, dsp.swell(m, rate, 0.03, 0.06) * rng.uniform(0.5, 1.0), int(t * rate))
        burst = max(8, int(rng.uniform(0.02, 0.09) * rate))
        dsp.add(hiss, np.hanning(burst) * rng.uniform(0.0, 0.5), int(t * rate) - burst)
        vowels.append(((t + 0.4 * length) * rate / n, dsp.pick(rng, tuple(VOWELS))))
        t += length + (rng.uniform(0.2, 0.5) if dsp.chance(rng, 0.08) else 0.0)
    return loud, vowels, hiss


def spoken(rng: np.random.Generator, rate: int, length_s: float, hz: float, tract: float, per_second: float = 4.5) -> Signal:
    """Speech without words: syllables of random vowels and consonants; hz 0 whispers."""
    n = int(length_s * rate)
    loud, vowels, hiss = syllable_envelope(rng, n, rate, per_second)
    if hz > 0:
        melody = hz * dsp.wander(rng, n, rate, 3, 0.85, 1.2) * dsp.curve(n, [(0, 1.08), (1, 0.88)])
        x = voiced(rng, n, rate, melody, vowels, tract) * loud
    else:
        noise = dsp.highpass(dsp.white(rng, n), 400, rate)
        x = dsp.unit(dsp.sculpt(noise, dsp.peak_gains(n, rate, vowel_tracks(vowels, n, tract)))) * loud
    consonants = dsp.bandpass(dsp.white(rng, n), 2200, 7000, rate) * hiss
    return dsp.peak(x + 1.2 * consonants)
