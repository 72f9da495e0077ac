"""Rendering: what the model answered becomes sound that fits the host's timeline.

The model is played here by waves and mels whose right answer is known.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pyloudnorm
import pytest
from scipy import signal
from signals import (
    HOP,
    MODEL_RATE,
    N_MELS,
    RATES,
    db,
    noise,
    spectra,
    tone,
)

from engine.edits import Hole
from engine.errors import FaultError
from engine.hybrid import MOST_BOOST_DB, MOST_CUT_DB
from engine.loudness import rms
from engine.model_input import model_input
from engine.region import Region
from engine.render import (
    render_bandwidth,
    render_generate,
    render_holes,
    render_transfer,
)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_frames", [1, 2, 99, 5000])
@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
def test_every_length_at_every_rate(rate: int, n_frames: int, how: str) -> None:
    region = Region(noise(n_frames, 2), rate)
    model = model_input(region, MODEL_RATE)
    take = render_transfer(region, model, model.samples, spectra(model, 3.0), how)
    assert take.shape == (n_frames, 2)
    assert take.dtype == np.float32
    assert np.isfinite(take).all()


@pytest.mark.parametrize("rate", RATES)
def test_a_model_that_changes_nothing_changes_nothing(rate: int) -> None:
    region = Region(noise(rate // 2, 2), rate)
    model = model_input(region, MODEL_RATE)
    take = render_transfer(region, model, noise(model.n_samples)[:, 0], spectra(model))
    assert np.array_equal(take, region.samples)


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
def test_no_mix_is_the_source(how: str) -> None:
    region = Region(noise(5000, 2), 44100)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=5)[:, 0]
    take = render_transfer(region, model, wave, spectra(model, 9.0), how, mix=0.0)
    assert np.array_equal(take, region.samples)


@pytest.mark.parametrize("rate", [16000, 44100, 96000])
def test_the_source_takes_on_the_change(rate: int) -> None:
    region = Region(noise(2 * rate), rate)
    model = model_input(region, MODEL_RATE)
    change_db = np.where(np.arange(N_MELS) < 30, -12.0, 6.0)  # the 30th mel lies near 1.3 kHz
    take = render_transfer(
        region, model, np.zeros(model.n_samples, np.float32) + 1e-9, spectra(model, change_db)
    )
    hz, before = signal.welch(region.samples[:, 0], rate, nperseg=1024)
    _, after = signal.welch(take[:, 0], rate, nperseg=1024)
    gain_db = 10 * np.log10(after / before)
    low, high = gain_db[(hz > 100) & (hz < 1000)], gain_db[(hz > 1800) & (hz < 7500)]
    assert high.mean() - low.mean() == pytest.approx(18.0, abs=0.5)
    assert low.std() < 0.5
    assert high.std() < 0.5


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("context_frames", [0, 3001])
def test_the_change_comes_when_the_model_says(rate: int, context_frames: int) -> None:
    region = Region(noise(2 * rate), rate, noise(context_frames, seed=1))
    model = model_input(region, MODEL_RATE)
    mels = spectra(model)
    step = len(mels.mel_result) // 2
    mels.mel_result[step:] -= 9 * np.log(10) / 20
    take = render_transfer(region, model, model.samples, mels)
    gain = np.abs(take[:, 0]) / np.maximum(np.abs(region.samples[:, 0]), 1e-6)
    size = rate // 500  # 2 ms
    pieces = gain[: len(gain) // size * size].reshape(-1, size)
    gain_db = 20 * np.log10(np.median(pieces, axis=1))
    middle_db = (gain_db[100:300].mean() + gain_db[-300:-100].mean()) / 2
    falls_s = np.flatnonzero(gain_db < middle_db)[0] * size / rate
    # Half-way down between the middles of the last mel frame before and the first one after.
    expected_s = step * HOP / MODEL_RATE - context_frames / rate
    assert falls_s == pytest.approx(expected_s, abs=0.006)


def test_a_small_change_is_the_sources_own_and_a_turn_the_vocoders() -> None:
    rate = 48000
    region = Region(noise(2 * rate), rate)
    model = model_input(region, MODEL_RATE)
    wave = tone(model.n_samples, MODEL_RATE, 3000.0, 0.3)

    def tone_db(change_db: float) -> float:
        """The vocoder's tone over the source's noise."""
        take = render_transfer(region, model, wave, spectra(model, change_db, -5.0))
        hz, level = signal.welch(take[:, 0], rate, nperseg=4096)
        return 10 * float(np.log10(level[abs(hz - 3000) < 30].max() / np.median(level[hz < 7000])))

    assert tone_db(8.0) < 3.0  # no more than noise's own ripple
    assert tone_db(-8.0) < 3.0
    assert tone_db(-35.0) > 40.0


def test_the_gain_is_bounded_and_the_vocoder_gives_the_rest() -> None:
    region = Region(noise(48000), 48000)
    model = model_input(region, MODEL_RATE)
    wave = tone(model.n_samples, MODEL_RATE, 5000.0, 0.2)
    half = np.where(np.arange(N_MELS) < 40, -100.0, 60.0)  # the 40th mel lies near 2.4 kHz
    take = render_transfer(region, model, wave, spectra(model, half, -60.0))
    hz, before = signal.welch(region.samples[:, 0], 48000, nperseg=2048)
    _, after = signal.welch(take[:, 0], 48000, nperseg=2048)
    gain_db = 10 * np.log10(after / before)
    cut = gain_db[(hz > 100) & (hz < 1800)].mean()
    boost = np.median(gain_db[(hz > 6000) & (hz < 7500)])
    # The quiet floor under both mels takes the edge off a cut of 100 dB.
    assert boost - cut == pytest.approx(MOST_BOOST_DB + 22.5 + 1.5, abs=3.0)
    assert boost - cut <= MOST_BOOST_DB + MOST_CUT_DB + 0.5
    at_tone = gain_db[np.argmin(abs(hz - 5000))]
    assert at_tone > boost + 10


def test_silence_that_stays_silence_stays_silence() -> None:
    """Decoder noise on the mel's floor is not turned into gain."""
    samples = noise(48000)
    samples[24000:] *= np.float32(1e-5)
    region = Region(samples, 48000)
    model = model_input(region, MODEL_RATE)
    flat = spectra(model)
    floor = np.log(1e-5)
    rng = np.random.default_rng(3)
    half = len(flat.mel_source) // 2
    for mel in (flat.mel_source, flat.mel_result):
        mel[half:] = floor + np.abs(rng.normal(0, 0.7, mel[half:].shape))
    take = render_transfer(region, model, noise(model.n_samples)[:, 0] * 1e-5, flat)
    quiet = slice(30000, 47000)
    assert abs(db(rms(take[quiet]) / rms(samples[quiet]))) < 3.0


def test_new_sound_appears_where_there_was_none() -> None:
    region = Region(np.concatenate([noise(24000, 2), np.zeros((24000, 2), np.float32)]), 48000)
    model = model_input(region, MODEL_RATE)
    flat = spectra(model)
    half = len(flat.mel_source) // 2
    flat.mel_source[half:] = np.log(1e-5)
    wave = noise(model.n_samples, seed=4)[:, 0]
    take = render_transfer(region, model, wave, flat)
    assert abs(db(rms(take[30000:47000]) / (rms(wave[:, None]) * model.gain))) < 3.0


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
@pytest.mark.parametrize("seconds", [0.1, 0.39, 0.41, 3.0])
@pytest.mark.parametrize("level", [1e-3, 0.3])
def test_the_take_is_as_loud_as_the_source(how: str, seconds: float, level: float) -> None:
    rate = 44100
    n_frames = round(rate * seconds)
    samples = noise(n_frames, 2, level)
    samples *= np.linspace(0.2, 1, n_frames, dtype=np.float32)[:, None]
    region = Region(samples, rate)
    model = model_input(region, MODEL_RATE)
    change = np.linspace(-20, 20, N_MELS)
    take = render_transfer(
        region, model, noise(model.n_samples, seed=9)[:, 0], spectra(model, change), how
    )
    if seconds < 0.4:
        assert db(rms(take) / rms(samples)) == pytest.approx(0, abs=0.1)
        return
    meter = pyloudnorm.Meter(rate)
    lufs = [meter.integrated_loudness(s.astype(np.float64)) for s in (take, samples)]
    assert lufs[0] == pytest.approx(lufs[1], abs=0.1)


def test_an_attack_has_no_echo_before_it() -> None:
    rate, onset = 48000, 24000
    samples = np.zeros((rate, 1), np.float32)
    samples[onset:] = noise(rate - onset, level=0.3) * np.exp(-np.arange(rate - onset) / 2000)[
        :, None
    ].astype(np.float32)
    region = Region(samples, rate)
    model = model_input(region, MODEL_RATE)
    jagged = np.random.default_rng(0).uniform(-13, 13, N_MELS)
    take = render_transfer(
        region, model, np.zeros(model.n_samples, np.float32) + 1e-9, spectra(model, jagged)
    )
    peak = float(np.abs(take).max())
    assert db(float(np.abs(take[: onset - 480]).max()) / peak) < -30  # 10 ms before
    assert db(float(np.abs(take[: onset - 1440]).max()) / peak) < -60  # 30 ms before
    assert abs(int(np.argmax(np.abs(take))) - int(np.argmax(np.abs(samples)))) < 480


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
def test_swapped_channels_give_a_swapped_take(how: str) -> None:
    samples = noise(20000, 2)
    samples[:, 1] *= np.linspace(0, 2, 20000)
    takes = []
    for flip in (slice(None), slice(None, None, -1)):
        region = Region(samples[:, flip], 44100)
        model = model_input(region, MODEL_RATE)
        wave = model.samples[::-1].copy()
        takes.append(
            render_transfer(region, model, wave, spectra(model, np.linspace(-9, 30, N_MELS)), how)
        )
    assert np.array_equal(takes[0], takes[1][:, ::-1])
    assert not np.array_equal(takes[0], takes[1])


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
@pytest.mark.parametrize("n_channels", [2, 3, 8])
def test_equal_channels_stay_equal(how: str, n_channels: int) -> None:
    region = Region(np.repeat(noise(20000), n_channels, axis=1), 44100)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=2)[:, 0]
    take = render_transfer(region, model, wave, spectra(model, np.linspace(-9, 30, N_MELS)), how)
    assert all(np.array_equal(take[:, 0], take[:, c]) for c in range(1, n_channels))


def test_a_silent_channel_stays_silent() -> None:
    samples = noise(20000, 2)
    samples[:, 1] = 0
    region = Region(samples, 44100)
    model = model_input(region, MODEL_RATE)
    for how in ("hybrid", "vocoder"):
        take = render_transfer(
            region, model, noise(model.n_samples)[:, 0], spectra(model, 30.0), how
        )
        assert not take[:, 1].any()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_frames", [1, 2, 999, 20000])
@pytest.mark.parametrize("n_channels", [1, 8])
def test_generated_clips_have_the_frames_asked_for(
    rate: int, n_frames: int, n_channels: int
) -> None:
    made = render_generate(noise(16000)[:, 0] * 100, MODEL_RATE, rate, n_channels, n_frames)
    assert made.shape == (n_frames, n_channels)
    assert np.isfinite(made).all()
    assert np.abs(made).max() <= 1.0
    assert np.array_equal(made, np.repeat(made[:, :1], n_channels, axis=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_that_answers_nan_is_a_fault(bad: float) -> None:
    region = Region(noise(20000), 44100)
    model = model_input(region, MODEL_RATE)
    wave = model.samples.copy()
    wave[1234] = bad
    calls: list[Callable[[], np.ndarray]] = [
        lambda: render_transfer(region, model, wave, spectra(model, 3.0)),
        lambda: render_transfer(region, model, wave, spectra(model, 3.0), "vocoder"),
        lambda: render_holes(region, model, wave, [Hole(0, 5)]),
        lambda: render_bandwidth(region, model, wave, 4000.0),
        lambda: render_generate(wave, MODEL_RATE, 44100, 1, 1000),
    ]
    for call in calls:
        with pytest.raises(FaultError, match="sample 1234") as caught:
            call()
        assert caught.value.code == "internal"
    mels = spectra(model, 3.0)
    mels.mel_result[3, 3] = bad
    with pytest.raises(FaultError, match="mel"):
        render_transfer(region, model, model.samples, mels)


def test_silence_is_not_passed_off_as_audio() -> None:
    region = Region(noise(20000), 44100)
    model = model_input(region, MODEL_RATE)
    silence = np.zeros(model.n_samples, np.float32)
    with pytest.raises(FaultError, match="silence"):
        render_transfer(region, model, silence, spectra(model, 3.0), "vocoder")
    with pytest.raises(FaultError, match="silence"):
        render_generate(silence, MODEL_RATE, 44100, 1, 20000)


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_silence_and_dc_come_through(how: str, value: float) -> None:
    region = Region(np.full((30000, 2), value, np.float32), 44100)
    model = model_input(region, MODEL_RATE)
    take = render_transfer(region, model, model.samples, spectra(model, 3.0, -100.0), how)
    assert np.isfinite(take).all()
    assert np.abs(take).max() <= 1.0


def test_full_scale_noise_comes_through() -> None:
    region = Region(np.sign(noise(30000, 2)), 44100)
    model = model_input(region, MODEL_RATE)
    take = render_transfer(region, model, model.samples, spectra(model, 12.0))
    assert np.isfinite(take).all()
    assert db(rms(take)) == pytest.approx(0, abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("edit", ["hear", "hybrid", "vocoder", "hole", "band", "bandwidth"])
def test_memory_stays_with_the_clip(edit: str) -> None:
    rate = 48000
    region = Region(noise(60 * rate, 2), rate)
    model = model_input(region, MODEL_RATE)
    mels = spectra(model, 6.0)
    hole = Hole(10 * rate, 40 * rate, *((500.0, 3000.0) if edit == "band" else ()))
    calls: dict[str, Callable[[], object]] = {
        "hear": lambda: model_input(region, MODEL_RATE),
        "hybrid": lambda: render_transfer(region, model, model.samples, mels),
        "vocoder": lambda: render_transfer(region, model, model.samples, mels, "vocoder"),
        "hole": lambda: render_holes(region, model, model.samples, [hole]),
        "band": lambda: render_holes(region, model, model.samples, [hole]),
        "bandwidth": lambda: render_bandwidth(region, model, model.samples, 4000.0),
    }
    tracemalloc.start()
    try:
        calls[edit]()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * region.samples.nbytes
