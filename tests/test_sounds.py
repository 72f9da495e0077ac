"""The synthesised sounds: clean audio, deterministic, true to their names and their words."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import signal

from engine.training import sounds
from engine.training.sounds import captions, dsp, effects, scene, speech

RATE = 16000
SHORT = 3 * RATE // 2
CLIP = round(5.12 * RATE)


def make(name: str, seed: int = 0, n: int = CLIP) -> tuple[np.ndarray, dict[str, str]]:
    x, attributes = sounds.KINDS[name].make(np.random.default_rng(seed), n, RATE)
    return x.astype(np.float64), attributes


def spectrum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean power spectrum: frequencies in Hz and power, shape = (n_bins,)."""
    return signal.welch(x, RATE, nperseg=4096)


def share(x: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Part of the energy between two frequencies."""
    hz, power = spectrum(x)
    return float(power[(hz >= low_hz) & (hz < high_hz)].sum() / power.sum())


def pitch_track(x: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """Frequency of the strongest bin of every frame, in Hz."""
    hz, _, bins = signal.stft(x, RATE, nperseg=2048)
    inside = (hz >= low_hz) & (hz <= high_hz)
    return hz[inside][np.argmax(np.abs(bins[inside]), axis=0)]


def period_s(x: np.ndarray, low_s: float, high_s: float) -> tuple[float, float]:
    """Shortest strong period of the loudness and how strong it is, 0 to 1."""
    loud = np.abs(x[: x.size // 160 * 160]).reshape(-1, 160).max(axis=1)
    loud = loud - loud.mean()
    match = np.correlate(loud, loud, "full")[loud.size - 1 :]
    match = match / match[0] * loud.size / (loud.size - np.arange(loud.size))
    lags = np.arange(int(low_s * 100), int(high_s * 100))
    lag = next(lag for lag in lags if match[lag] >= 0.85 * match[lags].max())
    best = lag + int(np.argmax(match[lag : lag + 5]))
    return best / 100, float(match[best])


def test_there_are_many_kinds_in_many_families():
    assert len(sounds.KINDS) >= 120
    assert len({kind.family for kind in sounds.KINDS.values()}) >= 12


@pytest.mark.parametrize("name", sorted(sounds.KINDS))
def test_kind_makes_clean_audio_that_its_seed_decides(name: str):
    kind = sounds.KINDS[name]
    x, attributes = kind.make(np.random.default_rng(1), SHORT, RATE)
    again, attributes_again = kind.make(np.random.default_rng(1), SHORT, RATE)
    other, _ = kind.make(np.random.default_rng(2), SHORT, RATE)
    assert (x.dtype, x.shape) == (np.float32, (SHORT,))
    assert np.isfinite(x).all()
    assert np.max(np.abs(x)) == pytest.approx(1.0, abs=1e-3)
    assert dsp.rms(x) > 1e-3
    assert np.array_equal(x, again)
    assert attributes == attributes_again
    assert not np.array_equal(x, other)


@pytest.mark.parametrize("name", sorted(sounds.KINDS))
def test_kind_has_words_for_itself_and_its_attributes(name: str):
    kind = sounds.KINDS[name]
    assert len(set(kind.phrases)) >= 6
    assert all(phrase == phrase.strip() and "  " not in phrase for phrase in kind.phrases)
    wordings = captions.of_single(np.random.default_rng(3), kind, {})
    assert len({wording.lower().rstrip(".") for wording in wordings}) >= 10
    for seed in range(2):
        _, attributes = kind.make(np.random.default_rng(seed), SHORT // 2, RATE)
        for attribute, value in attributes.items():
            assert captions.words_for(kind, attribute, value), (attribute, value)


@pytest.fixture(scope="module")
def examples() -> list[sounds.Example]:
    return [sounds.example(np.random.default_rng(seed)) for seed in range(80)]


def test_examples_are_levelled_clips_with_ten_captions(examples: list[sounds.Example]):
    for example in examples:
        peak = np.max(np.abs(example.samples))
        assert (example.samples.dtype, example.samples.shape) == (np.float32, (CLIP,))
        assert np.isfinite(example.samples).all()
        assert 0.29 < peak <= 0.96
        assert len(set(example.captions)) >= 10
        assert all(name in sounds.KINDS for name in example.kinds)


def test_examples_are_mostly_single_sounds(examples: list[sounds.Example]):
    sizes = Counter(len(example.kinds) for example in examples)
    assert 0.55 < sizes[1] / len(examples) < 0.85
    assert sizes[2] > 10


def test_example_is_decided_by_its_seed():
    for seed in (0, 4, 9):
        first, second = (sounds.example(np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first.samples, second.samples)
        assert first.captions == second.captions


def test_pair_captions_name_both_sounds_in_order():
    rain, bark = sounds.KINDS["rain"], sounds.KINDS["dog bark"]
    words = captions.of_pair(np.random.default_rng(0), rain, bark, {}, ("{a}, then {b}",))
    for wording in words:
        first, second = wording.lower().rstrip(".").split(", then ")
        assert any(captions.bare(phrase) in first for phrase in (*rain.phrases, rain.name))
        assert any(captions.bare(phrase) in second for phrase in (*bark.phrases, bark.name))


@pytest.mark.parametrize(
    ("phrase", "word", "expected"),
    [
        ("a dog barking", "old", "an old dog barking"),
        ("an engine", "loud", "a loud engine"),
        ("the sea", "distant", "the distant sea"),
        ("rain", "heavy", "heavy rain"),
        ("a bell", "...far away", "a bell far away"),
        ("a sound", "unusual", "an unusual sound"),
        ("a sound", "european", "a european sound"),
    ],
)
def test_adjectives_keep_the_article_right(phrase: str, word: str, expected: str):
    assert captions.with_word(phrase, word) == expected


def test_gerunds_and_persons_take_no_adjective():
    refused = ("someone typing", "typing on a keyboard", "people cheering")
    assert not any(map(captions.takes_adjective, refused))
    assert all(map(captions.takes_adjective, ("typing", "a dog", "heavy rain")))


# -- truths of single kinds ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_siren_glides_up_and_down(seed: int):
    track = pitch_track(make("police siren", seed)[0], 400, 1900)
    assert np.percentile(track, 95) > 1.4 * np.percentile(track, 5)
    steps = np.abs(np.diff(np.log2(signal.medfilt(track, 5))))
    assert np.median(steps) < 0.1  # glides, does not jump


@pytest.mark.parametrize("seed", range(4))
def test_kick_is_low_and_hi_hat_is_high(seed: int):
    assert share(make("kick drum", seed)[0], 0, 200) > 0.8
    assert share(make("hi-hat", seed)[0], 4000, 8000) > 0.9


@pytest.mark.parametrize("name", ["rain", "heavy rain", "white noise", "static", "shower"])
def test_rain_and_hiss_are_broadband(name: str):
    x, _ = make(name)
    octaves = [share(x, hz, 2 * hz) for hz in (500, 1000, 2000, 3500)]
    assert min(octaves) > 0.01
    assert max(octaves) < 0.9


@pytest.mark.parametrize(
    ("name", "db_per_octave"), [("white noise", 3.0), ("pink noise", 0.0), ("brown noise", -3.0)]
)
def test_coloured_noise_has_its_slope(name: str, db_per_octave: float):
    x, _ = make(name)
    levels = [10 * np.log10(share(x, hz, 2 * hz)) for hz in (250, 500, 1000, 2000)]
    assert np.diff(levels) == pytest.approx([db_per_octave] * 3, abs=0.7)


@pytest.mark.parametrize("seed", range(3))
def test_sine_tone_is_one_line_at_its_pitch(seed: int):
    x, attributes = make("sine tone", seed)
    hz, power = spectrum(x)
    peak_hz = hz[np.argmax(power)]
    assert share(x, peak_hz - 20, peak_hz + 20) > 0.99
    named = attributes.get("pitch")
    assert named == ("low" if peak_hz < 275 else "high" if peak_hz > 1610 else None)


@pytest.mark.parametrize("name", ["alarm clock", "busy tone", "reversing beep", "clock ticking"])
def test_alarms_are_periodic(name: str):
    _, strength = period_s(make(name, 5)[0], 0.15, 2.4)
    assert strength > 0.6


@pytest.mark.parametrize("seed", range(6))
def test_heartbeat_has_the_rate_it_is_called(seed: int):
    x, attributes = make("heartbeat", seed)
    per_minute = 60 / period_s(x, 0.36, 1.3)[0]
    bounds = {"slow": (48, 76), None: (66, 110), "fast": (100, 160)}[attributes.get("speed")]
    assert bounds[0] < per_minute < bounds[1]


def fundamental_hz(x: np.ndarray) -> float:
    """Pitch of the loudest eighth of a second, from the first strong peak of its correlation."""
    start = int(np.argmax(np.convolve(x**2, np.ones(2000), "valid")))
    part = x[start : start + 2000]
    match = signal.correlate(part, part, "full")[1999:]
    lags = np.arange(RATE // 1000, RATE // 80)
    peaks = [k for k in lags if match[k] > max(match[k - 1], match[k + 1], 0.8 * match[lags].max())]
    return RATE / peaks[0]


def test_mosquito_flies_higher_than_a_bee():
    for seed in range(3):
        bee, mosquito = (fundamental_hz(make(name, seed)[0]) for name in ("bee", "mosquito"))
        assert bee < 300 < 400 < mosquito


def voicing(x: np.ndarray) -> float:
    """How periodic the loudest 60 ms frames are between 70 and 450 Hz, 0 to 1."""
    frames = x[: x.size // 960 * 960].reshape(-1, 960)
    loud = frames[np.argsort(np.sum(frames**2, axis=1))[-12:]]
    scores = []
    for frame in loud:
        match = signal.correlate(frame, frame, "full")[959:] / np.sum(frame**2)
        match /= 1 - np.arange(960) / 960  # fewer samples overlap at longer lags
        scores.append(match[RATE // 450 : RATE // 70].max())
    return float(np.median(scores))


@pytest.mark.parametrize("spoken_by", ["programs", "formants"])
def test_speech_is_voiced_and_whispering_is_not(spoken_by: str, monkeypatch: pytest.MonkeyPatch):
    if spoken_by == "formants":
        monkeypatch.setattr(speech, "installed", lambda program: None)
    assert voicing(make("man speaking", 1)[0]) > 0.65
    assert voicing(make("woman speaking", 1)[0]) > 0.65
    assert voicing(make("whispering", 1)[0]) < 0.62


def test_anger_is_brighter_than_calm(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speech, "installed", lambda program: None)
    calm, angry = (
        np.mean([share(make(name, seed)[0], 1200, 8000) for seed in range(3)])
        for name in ("man speaking", "angry man")
    )
    assert angry > 1.5 * calm


def test_sweep_goes_where_it_says():
    for seed in range(4):
        x, attributes = make("sweep", seed)
        track = pitch_track(x, 60, 7600)
        rising = np.mean(track[-20:]) > np.mean(track[:20])
        assert rising == (attributes["direction"] == "up")


def test_risers_rise_and_downers_fall():
    for name, sign in (("riser", 1), ("downer", -1)):
        x, _ = make(name)
        early, late = (
            share(part, 1500, 8000)
            for part in (x[CLIP // 5 : CLIP // 3], x[-CLIP // 3 : -CLIP // 5])
        )
        assert sign * (late - early) > 0


# -- building blocks -------------------------------------------------------------------------------


def test_sculpt_with_unit_gain_changes_nothing():
    x = np.random.default_rng(0).standard_normal(5000)
    flat = np.ones((1, dsp.FRAME // 2 + 1))
    assert np.allclose(dsp.sculpt(x, flat), x, atol=1e-9)


@pytest.mark.parametrize("hz", [82.4, 220.0, 987.8])
def test_string_sounds_at_its_pitch(hz: float):
    x = dsp.string(np.random.default_rng(0), 4 * RATE, RATE, hz, 6.0, pluck_at=0.3)
    power = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2
    freqs = np.fft.rfftfreq(x.size, 1 / RATE)
    near = (freqs > 0.8 * hz) & (freqs < 1.2 * hz)
    measured = freqs[near][np.argmax(power[near])]
    assert abs(1200 * np.log2(measured / hz)) < 12  # cents


def test_modes_die_by_60_db_in_their_time():
    x = dsp.modes(np.random.default_rng(0), 2 * RATE, RATE, [500.0], [1.0], [1.0])
    start, end = (np.max(np.abs(x[at : at + 400])) for at in (100, RATE + 100))
    assert 20 * np.log10(start / end) == pytest.approx(60, abs=1)


def test_wavetable_leaves_no_aliases():
    x = dsp.wavetable(1900.0, dsp.saw_amplitudes(80), RATE, RATE)
    power = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2
    harmonic = np.zeros(power.size, bool)
    for k in range(1, 5):
        harmonic[1900 * k - 4 : 1900 * k + 5] = True
    assert power[~harmonic].sum() < 1e-5 * power.sum()


def test_room_keeps_the_length_and_rings_on():
    x = np.zeros(RATE)
    x[100] = 1.0
    wet = dsp.room(np.random.default_rng(0), x, RATE, 1.0, 0.5)
    assert wet.shape == x.shape
    assert dsp.rms(wet[RATE // 2 :]) > 0


# -- effects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(effects.EFFECTS))
def test_effect_keeps_length_and_makes_a_difference(name: str):
    effect = effects.EFFECTS[name]
    x, _ = make("dog bark")
    y = effect.apply(np.random.default_rng(0), x, RATE)
    assert y.shape == x.shape
    assert np.isfinite(y).all()
    assert dsp.rms(y) > 1e-3
    assert not np.allclose(dsp.unit(y), dsp.unit(x), atol=0.05)
    assert effect.before
    assert effect.after


def test_effects_do_what_they_are_called():
    rng = np.random.default_rng(0)
    noise = dsp.white(rng, CLIP)
    apply = {name: effect.apply for name, effect in effects.EFFECTS.items()}
    assert share(apply["underwater"](rng, noise, RATE), 0, 800) > 0.9
    assert share(apply["through a wall"](rng, noise, RATE), 0, 800) > 0.8
    assert share(apply["telephone"](rng, noise, RATE), 300, 3600) > 0.9
    assert np.array_equal(apply["reversed"](rng, noise, RATE), noise[::-1])


def test_pitch_effects_move_a_tone():
    tone = np.sin(2 * np.pi * 600 * np.arange(CLIP) / RATE)
    for name, low, high in (
        ("pitched up", 1.35, 2.0),
        ("pitched down", 0.48, 0.75),
        ("slowed down", 0.43, 0.67),
        ("sped up", 1.55, 2.25),
    ):
        moved = effects.EFFECTS[name].apply(np.random.default_rng(1), tone, RATE)
        assert low < np.median(pitch_track(moved, 100, 3000)) / 600 < high


def test_sequence_holds_one_sound_after_the_other():
    example = scene.sequence(np.random.default_rng(2), 5.12, RATE)
    assert len(example.kinds) == 2
    assert example.kinds[0] != example.kinds[1]
    halves = example.samples[: CLIP // 3], example.samples[-CLIP // 3 :]
    assert all(dsp.rms(half) > 1e-4 for half in halves)
