"""Spoken words: sentences from word lists, said by espeak-ng or flite, or by formants of our own.

The two programs are optional. Which of them is installed changes how a voice sounds, never which
random numbers are drawn.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import signal

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.throat import spoken

N_SENTENCES = 600


TIMEOUT_S = 10.0


ESPEAK_RATE = 22050


WHO = (
    "my brother", "the teacher", "an old friend", "our neighbour", "the doctor", "a young woman",
    "the driver", "somebody", "the captain", "my mother", "the whole family", "a strange man",
    "the little girl", "his uncle", "the shopkeeper", "everyone here", "the engineer",
    "a tourist",
)  # fmt: skip
DID = (
    "opened the door", "went to the market", "wrote a long letter", "found a map",
    "missed the bus", "painted the kitchen", "told us a story", "bought some bread",
    "forgot the keys", "fixed the roof", "called me back", "lost the game", "planted a tree",
    "read the news", "left the country", "saw a fox", "cooked dinner", "turned off the lights",
    "sold the old car", "sang a song",
)  # fmt: skip
WHEN = (
    "this morning", "before the storm", "last winter", "after lunch", "on the way home",
    "at noon", "without a word", "in the garden", "by the river", "as usual", "two days ago",
    "in the dark", "when nobody was looking", "near the station", "just in time",
    "for the first time",
)  # fmt: skip
SAID = (
    "I don't think that {who} {did} {when}.", "Did you know that {who} {did} {when}?",
    "Yesterday {who} {did}, and then {who2} {did2}.", "{who} {did} {when}.",
    "Well, {who} {did}, you see.", "Listen, {who} {did} {when}, but {who2} did not.",
    "It was late when {who} {did} {when}.",
    "Please wait here until {who2} comes back. I heard that {who} {did}.",
    "First {who} {did}, and after that, {who2} {did2} {when}.",
    "Why has nobody told me? I mean, {who} {did}!",
)  # fmt: skip
SHOUTED = (
    "What are you doing? Get out of here!", "I told you, {who} {did}!",
    "Stop it right now! Leave me alone!", "Hey, you! Come back here! {who} {did}!",
    "No! No! I said no! You never listen to me!", "How could you do that? {who} {did} {when}!",
    "Be quiet! I have had enough of this!", "Get away from my car! I will call the police!",
    "Don't you dare! {who} trusted you!",
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
    Speaker(voice, "", (85, 99), (280.0, 360.0), 0.72)
    for voice in ("en-us+f2", "en-gb+f3", "en-us+f4")
)


WHISPERERS = (
    Speaker("en-us+whisper", "", (40, 60), (0.0, 0.0), 1.0),
    Speaker("en-us+whisperf", "", (50, 70), (0.0, 0.0), 0.86),
)


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


def say(
    rng: np.random.Generator,
    who: Speaker,
    rate: int,
    pace: float = 1.0,
    lift: float = 0.0,
    shouted: bool = False,
    height: float | None = None,
) -> Signal:
    """One sentence.

    `pace` multiplies the speed, `lift` raises the pitch by that many octaves, `height` from 0 to 1
    is the place within the speaker's range of pitch.
    """
    text = sentence(int(rng.integers(N_SENTENCES)), shouted)
    place, flite_first = rng.random(), dsp.chance(rng, 0.4)
    place = place if height is None else height
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
