"""Rendering: what the model answered becomes sound that fits the host's timeline.

The model is played here by waves and mels whose right answer is known: the source itself, filtered
noise, tones.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from engine.edits import Hole
from engine.errors import FaultError, RequestError
from engine.fades import crossfade, extrapolate
from engine.filters import band_taps, filtered
from engine.hybrid import MOST_BOOST_DB, MOST_CUT_DB, Spectra
from engine.loudness import gated_powers, integrated_lufs, matching_gain, rms
from engine.model_input import REFERENCE_DBFS, ModelInput, downmix, model_input
from engine.region import Region
from engine.render import (
    find_cutoff,
    loop_region,
    render_bandwidth,
    render_continue,
    render_generate,
    render_holes,
    render_transfer,
)
from engine.resample import resample
from engine.stft import BlockStft

MODEL_RATE, HOP, N_MELS = 16000, 160, 64
RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)


def noise(n_frames: int, n_channels: int = 1, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """White noise, float32, of an RMS of `level`."""
    made = np.random.default_rng(seed).standard_normal((n_frames, n_channels)) * level
    return made.astype(np.float32)


def tone(n_frames: int, rate: int, hz: float = 440.0, level: float = 0.3) -> np.ndarray:
    """A sine from phase 0, shape = (n_frames,)."""
    return (level * np.sin(2 * np.pi * hz * np.arange(n_frames) / rate)).astype(np.float32)


def db(value: float) -> float:
    """A magnitude in decibels."""
    return 20 * float(np.log10(max(value, 1e-30)))


def spectra(
    model: ModelInput, change_db: np.ndarray | float = 0.0, source_db: float = -20.0
) -> Spectra:
    """Mels of a flat source and of the same changed by so many decibels."""
    n_frames = -(-model.n_samples // HOP)
    source = np.full((n_frames, N_MELS), source_db * np.log(10) / 20, np.float32)
    change = np.broadcast_to(np.asarray(change_db) * np.log(10) / 20, source.shape)
    return Spectra(source, (source + change).astype(np.float32), HOP, 0.0, MODEL_RATE / 2)


def echoed(region: Region, model: ModelInput) -> np.ndarray:
    """A model that answers with what it heard."""
    return model.samples


# Resampling


@pytest.mark.parametrize("rate", RATES)
def test_resampling_moves_nothing(rate: int) -> None:
    heard = resample(tone(rate, rate), rate, MODEL_RATE, MODEL_RATE)
    inside = slice(2000, -2000)
    assert db(rms((heard - tone(MODEL_RATE, MODEL_RATE))[inside, None])) < -110
    back = resample(heard, MODEL_RATE, rate, rate)
    assert db(rms((back - tone(rate, rate))[rate // 8 : -rate // 8, None])) < -110


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_frames", [0, 1, 2, 3, 100])
def test_resampling_gives_the_length_asked_for(rate: int, n_frames: int) -> None:
    for wanted in (0, 1, 7, 1000):
        assert len(resample(np.ones(n_frames, np.float32), rate, MODEL_RATE, wanted)) == wanted


def test_one_frame_survives_to_a_faster_rate() -> None:
    assert np.abs(resample(np.ones(1, np.float32), 8000, 16000, 2)).max() > 0.5


# The short-time transform


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 20000), st.sampled_from(RATES))
def test_windows_add_up_to_the_signal(n_frames: int, rate: int) -> None:
    wave = noise(n_frames)[:, 0]
    stft = BlockStft(n_frames, rate)
    back = np.zeros(n_frames, np.float32)
    for windows in stft.blocks():
        stft.add(back, stft.analyse(wave, windows), windows)
    assert db(float(np.abs(back - wave).max())) < -110


def test_windows_lie_where_they_say() -> None:
    stft = BlockStft(48000, 48000)
    click = np.zeros(48000, np.float32)
    click[20000] = 1.0
    windows = range(stft.n_windows)
    energy = np.abs(stft.analyse(click, windows)).sum(axis=1)
    centre = (energy * stft.centres_frames(windows)).sum() / energy.sum()
    assert abs(centre - 20000) < stft.hop / 4


# What the model hears


@pytest.mark.parametrize("level", [1e-4, 0.01, 1.0, 30000.0])
def test_the_model_hears_one_level(level: float) -> None:
    region = Region(noise(48000, 2, level), 48000)
    model = model_input(region, MODEL_RATE)
    assert db(rms(model.samples[:, None])) == pytest.approx(REFERENCE_DBFS, abs=0.3)
    in_band = 10 * np.log10(MODEL_RATE / 48000)
    assert db(model.gain / level) == pytest.approx(-REFERENCE_DBFS + in_band, abs=0.8)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.floats(-60, 60))
def test_gain_reaches_the_gain_and_not_the_samples(gain_db: float) -> None:
    gain = np.float32(10 ** (gain_db / 20))
    region = noise(9000, 2)
    plain = model_input(Region(region, 44100), MODEL_RATE)
    scaled = model_input(Region(region * gain, 44100), MODEL_RATE)
    assert np.abs(scaled.samples - plain.samples).max() < 1e-5
    assert db(scaled.gain / plain.gain) == pytest.approx(gain_db, abs=0.001)


@pytest.mark.parametrize("value", [0.0, 0.5, -1.0, 0.1])
def test_silence_and_dc_are_silence_at_a_gain_of_one(value: float) -> None:
    model = model_input(Region(np.full((9000, 2), value, np.float32), 44100), MODEL_RATE)
    assert not model.samples.any()
    assert model.gain == 1.0


def test_a_lone_click_is_not_blown_up() -> None:
    click = np.zeros((48000, 1), np.float32)
    click[24000] = 0.5
    assert np.abs(model_input(Region(click, 48000), MODEL_RATE).samples).max() <= 1.0


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.permutations(range(4)), st.booleans())
def test_the_order_of_channels_is_not_heard(order: list[int], opposed: bool) -> None:
    samples = noise(4000, 4)
    samples[:, 1] = -samples[:, 0] if opposed else samples[:, 2]
    plain = model_input(Region(samples, 44100), MODEL_RATE)
    mixed = model_input(Region(samples[:, order], 44100), MODEL_RATE)
    assert np.array_equal(plain.samples, mixed.samples)
    assert plain.gain == mixed.gain


def test_what_is_out_of_phase_is_heard() -> None:
    mid, side = tone(48000, 48000, 440.0), tone(48000, 48000, 3000.0)
    wide = np.stack([mid + side, mid - side], axis=1)
    heard = model_input(Region(wide, 48000), MODEL_RATE).samples
    level = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(db(level[440] / level[3000])) < 1.0
    opposed = downmix([mid, -mid], 48000)
    assert db(rms(opposed[2000:-2000, None]) / rms(mid[2000:-2000, None])) == pytest.approx(
        0, abs=0.5
    )


def test_equal_channels_are_heard_as_one() -> None:
    mono = noise(5000)
    wide = model_input(Region(np.repeat(mono, 8, axis=1), 44100), MODEL_RATE)
    assert np.array_equal(wide.samples, model_input(Region(mono, 44100), MODEL_RATE).samples)


@pytest.mark.parametrize("rate", RATES)
def test_the_span_keeps_time(rate: int) -> None:
    whole = tone(2 * rate, rate)[:, None]
    region = Region(whole[rate // 5 * 2 : rate], rate, whole[: rate // 5 * 2], whole[rate:])
    model = model_input(region, MODEL_RATE)
    assert (model.start_samples, model.n_samples_region) == (6400, 9600)
    assert (model.n_samples, model.span_frames) == (32000, 2 * rate)
    assert model.span_of(0, rate // 5 * 3) == (6400, 16000)
    heard, plain = model.samples * model.gain, tone(32000, MODEL_RATE)
    assert np.abs(heard - plain)[1000:-1000].max() < 1e-3
    alone = model_input(region, MODEL_RATE, context=False)
    assert (alone.start_samples, alone.n_samples) == (0, 9600)


@pytest.mark.parametrize("side", ["before", "after"])
def test_room_for_what_is_new_is_silent(side: str) -> None:
    context = noise(3000)
    region = Region(noise(4800), 48000, context, context)
    model = model_input(region, MODEL_RATE, **{f"new_{side}_frames": 9600})  # type: ignore[arg-type]
    assert model.region_frames == 14400
    assert model.span_frames == 3000 + 14400
    room = slice(0, 3000) if side == "before" else slice(-3000, None)
    sound = slice(3300, None) if side == "before" else slice(0, -3300)
    assert np.abs(model.samples[room]).max() < 0.05 * np.abs(model.samples[sound]).max()


# Loudness


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.4, 0.45, 1.23, 7.7])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_loudness_is_pyloudnorms(rate: int, seconds: float, n_channels: int) -> None:
    n_frames = round(rate * seconds)
    samples = noise(n_frames, n_channels) * np.linspace(1e-4, 3, n_frames)[:, None]
    samples = samples.astype(np.float32)
    oracle = pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))
    assert integrated_lufs(gated_powers(samples, rate)) == pytest.approx(oracle, abs=1e-3)


def test_loudness_of_silence_is_none() -> None:
    assert integrated_lufs(gated_powers(np.zeros((48000, 1), np.float32), 48000)) == -np.inf
    assert integrated_lufs(np.zeros(0)) == -np.inf


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(-90, 20), st.floats(-90, 20), st.sampled_from([1, 500, 20000, 44100]))
def test_matching_matches(level_db: float, wanted_db: float, n_frames: int) -> None:
    samples = noise(n_frames, 2, 10 ** (level_db / 20), seed=1)
    wanted = noise(n_frames, 2, 10 ** (wanted_db / 20), seed=2)
    matched = samples * np.float32(matching_gain(samples, wanted, 44100))
    lufs = [integrated_lufs(gated_powers(s, 44100)) for s in (matched, wanted)]
    if np.isfinite(lufs).all():
        assert lufs[0] == pytest.approx(lufs[1], abs=0.1)
    else:
        assert db(rms(matched) / rms(wanted)) == pytest.approx(0, abs=0.1)


def test_silence_has_no_level_to_match() -> None:
    silence = np.zeros((44100, 1), np.float32)
    assert matching_gain(silence, noise(44100), 44100) == 1.0
    assert matching_gain(noise(44100), silence, 44100) == 1.0


# Transfer


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


# Holes


def assert_outside_is_untouched(take: np.ndarray, region: Region, *holes: Hole) -> None:
    outside = np.ones(region.n_frames, bool)
    for hole in holes:
        outside[hole.start_frames : hole.stop_frames] = False
    assert np.array_equal(take[outside], region.samples[outside])
    assert np.isfinite(take).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), rate=st.sampled_from(RATES), n_frames=st.integers(1, 6000))
def test_outside_the_holes_nothing_changes(data: st.DataObject, rate: int, n_frames: int) -> None:
    holes = []
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, n_frames - 1))
        frames = data.draw(st.integers(1, n_frames - start))
        band = data.draw(
            st.sampled_from([(None, None), (500.0, 2000.0), (None, 900.0), (700.0, None)])
        )
        holes.append(Hole(start, frames, *band))
    region = Region(noise(n_frames, 2), rate, noise(50, 2))
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=1)[:, 0] * 3
    take = render_holes(region, model, wave, holes, data.draw(st.sampled_from([1.0, 0.3])))
    assert_outside_is_untouched(take, region, *holes)


def test_a_hole_is_filled_with_the_new_sound() -> None:
    rate = 48000
    region = Region(tone(rate, rate, 1000.0)[:, None], rate)
    model = model_input(region, MODEL_RATE)
    hole = Hole(12000, 24000)
    take = render_holes(region, model, tone(model.n_samples, MODEL_RATE, 3000.0), [hole])
    assert_outside_is_untouched(take, region, hole)
    inside = take[14000:34000, 0] * np.hanning(20000)
    level = np.abs(np.fft.rfft(inside))
    assert np.argmax(level) * rate / 20000 == pytest.approx(3000.0, abs=3)
    assert db(level[round(1000 * 20000 / rate)] / level.max()) < -60


@pytest.mark.parametrize("wave_db", [-40.0, -15.0, 0.0, 10.0])
@pytest.mark.parametrize("seconds", [0.05, 0.5])
@pytest.mark.parametrize("levels", [(1.0, 0.25), (0.25, 1.0)])
def test_a_hole_meets_the_level_around_it(
    wave_db: float, seconds: float, levels: tuple[float, float]
) -> None:
    """Whatever the model's level and whatever was in the hole, the edges meet."""
    rate = 44100
    frames = round(seconds * rate)
    samples = noise(2 * rate, 2)
    samples[:rate] *= np.float32(levels[0])  # 12 dB less on one side
    samples[rate + frames :] *= np.float32(levels[1])
    samples[:, 1] *= np.float32(0.5)
    samples[rate : rate + frames] *= 3
    region = Region(samples, rate)
    model = model_input(region, MODEL_RATE)
    nominal = noise(model.n_samples, seed=3)[:, 0]
    take = render_holes(
        region, model, nominal * np.float32(10 ** (wave_db / 20)), [Hole(rate, frames)]
    )
    if wave_db < -20:  # more than 20 dB too quiet is not all made up for
        return
    edge = min(frames // 3, rate // 20)
    for channel in range(2):
        left = rms(take[rate : rate + edge, channel, None])
        right = rms(take[rate + frames - edge : rate + frames, channel, None])
        assert db(left / rms(samples[rate // 2 : rate, channel, None])) == pytest.approx(0, abs=3)
        assert db(right / rms(samples[rate + frames :, channel, None])) == pytest.approx(0, abs=3)


def test_a_loud_moment_in_a_hole_is_not_blown_up() -> None:
    """Where the model is quiet at the edges, the middle keeps the model's own level."""
    rate = 44100
    samples = noise(3 * rate)
    region = Region(samples, rate)
    model = model_input(region, MODEL_RATE)
    wave = model.samples.copy()
    wave[17000:31000] *= np.float32(0.03)
    wave[23000:25000] = noise(2000, level=0.2, seed=9)[:, 0]
    take = render_holes(region, model, wave, [Hole(rate, rate)])
    middle = take[rate + 17000 : rate + 23000]
    assert db(rms(middle) / (0.2 * model.gain)) < 3.0


def largest_jump(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max())


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("frames", [100, 1000, 10000])
def test_edges_of_holes_do_not_click(rate: int, frames: int) -> None:
    region = Region(tone(40000, rate, rate / 200)[:, None], rate)
    model = model_input(region, MODEL_RATE)
    hz = min(rate, MODEL_RATE) / 90
    wave = tone(model.n_samples, MODEL_RATE, hz)
    take = render_holes(region, model, wave, [Hole(20050, frames)])
    smoothest = max(2 * np.pi / 200, 2 * np.pi * hz / rate) * 0.3
    assert largest_jump(take) < 4 * smoothest


def test_a_constant_offset_goes_on_through_a_hole() -> None:
    region = Region(noise(40000, 2, 0.01) + np.float32([0.5, -0.2]), 44100)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, level=0.1, seed=3)[:, 0]
    take = render_holes(region, model, wave, [Hole(10000, 20000)])
    for piece in np.split(take, 40):
        assert np.abs(piece.mean(axis=0) - [0.5, -0.2]).max() < 0.005


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 96000])
@pytest.mark.parametrize("loss_db", [0.0, 20.0])
def test_a_hole_is_as_bright_as_what_is_around_it(rate: int, loss_db: float) -> None:
    """Above the model's band the surroundings' slope goes on."""
    tilt = signal.butter(1, 3000, fs=rate, output="sos") if loss_db else [[1, 0, 0, 1, 0, 0]]
    samples = signal.sosfilt(tilt, noise(3 * rate, 2), axis=0).astype(np.float32)
    region = Region(samples, rate)
    model = model_input(region, MODEL_RATE)
    take = render_holes(region, model, model.samples, [Hole(rate, rate)])
    hz, inside = signal.welch(take[rate : 2 * rate, 0], rate, nperseg=1024)
    _, outside = signal.welch(samples[:, 0], rate, nperseg=1024)
    gain_db = 10 * np.log10(inside / outside)
    for low in range(500, rate // 2 - 1500, 1000):
        band = gain_db[(hz > low) & (hz < low + 1000)]
        assert band.mean() == pytest.approx(0, abs=2.0)


def test_dull_surroundings_stay_dull() -> None:
    rate = 48000
    region = Region(low_passed(2 * rate, rate, 6000.0), rate)
    model = model_input(region, MODEL_RATE)
    take = render_holes(region, model, noise(model.n_samples)[:, 0], [Hole(rate // 2, rate)])
    hz, level = signal.welch(take[rate // 2 : rate * 3 // 2, 0], rate, nperseg=1024)
    assert 10 * np.log10(level[hz > 8500].max() / level[hz < 6000].mean()) < -40


def test_touching_and_overlapping_holes_are_one() -> None:
    region = Region(noise(30000), 44100)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=8)[:, 0]
    one = render_holes(region, model, wave, [Hole(5000, 15000)])
    parts = [Hole(9000, 11000), Hole(5000, 4000), Hole(6000, 7000)]
    assert np.array_equal(render_holes(region, model, wave, parts), one)


def test_a_hole_of_a_band_leaves_the_other_bands() -> None:
    rate = 48000
    low, middle, high = (tone(rate, rate, hz, 0.1) for hz in (300.0, 2000.0, 7000.0))
    region = Region((low + middle + high)[:, None], rate)
    model = model_input(region, MODEL_RATE)
    hole = Hole(8000, 32000, 1000.0, 4000.0)
    take = render_holes(region, model, tone(model.n_samples, MODEL_RATE, 2500.0), [hole])
    assert_outside_is_untouched(take, region, hole)
    window = slice(12000, 36000)
    level = np.abs(np.fft.rfft(take[window, 0] * np.blackman(24000)))
    before = np.abs(np.fft.rfft(region.samples[window, 0] * np.blackman(24000)))
    at = {hz: hz * 24000 // rate for hz in (300, 2000, 2500, 7000)}
    for kept in (300, 7000):
        assert abs(db(level[at[kept]] / before[at[kept]])) < 0.01
    assert db(level[at[2000]] / before[at[2000]]) < -60
    assert abs(db(level[at[2500]] / before[at[2000]])) < 1.0


@pytest.mark.parametrize("band", [(None, None), (500.0, None), (None, 3000.0), (400.0, 2000.0)])
def test_a_hole_at_the_regions_end_goes_on_from_what_is_before_it(
    band: tuple[float | None, float | None],
) -> None:
    """What sounds before and after the region counts as surroundings."""
    rate = 44100
    whole = tone(3 * rate, rate, 1000.0)[:, None]
    region = Region(whole[rate : 2 * rate], rate, whole[:rate], whole[2 * rate :])
    model = model_input(region, MODEL_RATE)
    take = render_holes(
        region, model, np.full(model.n_samples, 1e-6, np.float32), [Hole(0, rate, *band)]
    )
    joined = np.concatenate([region.before, take, region.after])
    assert largest_jump(joined) < 1.2 * largest_jump(whole)


@pytest.mark.parametrize(
    ("hole", "says"),
    [(Hole(0, 101), "100 frames"), (Hole(100, 1), "100 frames"), (Hole(0, 5, 24000.0), "24000")],
)
def test_holes_outside_the_region_are_refused(hole: Hole, says: str) -> None:
    region = Region(noise(100), 48000)
    model = model_input(region, MODEL_RATE)
    with pytest.raises(RequestError, match=says) as caught:
        render_holes(region, model, model.samples, [hole])
    assert caught.value.code == "bad-value"


def test_half_a_mix_is_half_way() -> None:
    region = Region(noise(9000, 2), 44100)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=6)[:, 0]
    hole = Hole(2000, 5000)
    full = render_holes(region, model, wave, [hole])
    half = render_holes(region, model, wave, [hole], mix=0.5)
    assert np.abs(half - (full + region.samples) / 2).max() < 1e-6


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_crossfades_keep_the_power(alike: float) -> None:
    old, other = noise(200000, seed=1), noise(200000, seed=2)
    new = (alike * old + np.sqrt(1 - alike**2) * other).astype(np.float32)
    mixed = crossfade(old, new)
    for part in np.split(mixed, 10):
        assert db(rms(part) / 0.1) == pytest.approx(0, abs=0.2)


# Bandwidth


def low_passed(n_frames: int, rate: int, cutoff_hz: float, n_channels: int = 1) -> np.ndarray:
    """Noise that ends at a cutoff, and the same noise whole."""
    taps = band_taps(0.0, cutoff_hz, cutoff_hz / 20, rate, 90.0)
    whole = noise(n_frames, n_channels)
    return np.column_stack([filtered(channel, taps) for channel in whole.T])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_cutoff_is_found(rate: int, share: float) -> None:
    cutoff_hz = share * rate / 2
    found_hz = find_cutoff(Region(low_passed(2 * rate, rate, cutoff_hz, 2), rate))
    assert found_hz == pytest.approx(cutoff_hz, rel=0.12, abs=150)


@pytest.mark.parametrize("rate", RATES)
def test_highs_that_do_not_end_are_left_alone(rate: int) -> None:
    pink = signal.lfilter([0.1], [1, -0.9], noise(2 * rate)[:, 0])  # falls 6 dB an octave
    for samples in (noise(2 * rate), pink.astype(np.float32), np.zeros(rate, np.float32)):
        assert find_cutoff(Region(samples, rate)) == rate / 2
    assert find_cutoff(Region(noise(1), rate)) == rate / 2


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_frames", [1, 100, 4000, 96000])
def test_lows_stay(rate: int, n_frames: int) -> None:
    cutoff_hz = min(rate, MODEL_RATE) * 0.2
    region = Region(noise(n_frames, 2), rate)
    model = model_input(region, MODEL_RATE)
    take = render_bandwidth(region, model, noise(model.n_samples, seed=1)[:, 0], cutoff_hz)
    assert take.shape == region.samples.shape
    change = np.abs(np.fft.rfft(take.astype(np.float64) - region.samples, axis=0))
    before = np.abs(np.fft.rfft(region.samples.astype(np.float64), axis=0))
    low = np.fft.rfftfreq(n_frames, 1 / rate) <= cutoff_hz
    assert db(float(np.sqrt((change[low] ** 2).sum() / (before[low] ** 2).sum()))) < -80
    if n_frames * MODEL_RATE > 16000 * rate // 8:
        assert db(float(np.sqrt((change[~low] ** 2).sum() / (before[~low] ** 2).sum()))) > -40


def test_a_click_past_the_cutoff_leaves_the_lows() -> None:
    """What is loud for a moment leaks furthest; the gains that follow it must not."""
    rate, cutoff_hz = 48000, 3000.0
    samples = noise(rate) * 0.01
    samples[20000:20400] = 0.9
    region = Region(samples.astype(np.float32), rate)
    model = model_input(region, MODEL_RATE)
    take = render_bandwidth(region, model, model.samples, cutoff_hz)
    change = np.abs(np.fft.rfft(take[:, 0].astype(np.float64) - region.samples[:, 0]))
    low = np.fft.rfftfreq(rate, 1 / rate) <= cutoff_hz
    assert (
        db(np.sqrt((change[low] ** 2).sum() / (np.abs(np.fft.rfft(samples[:, 0])) ** 2).sum()))
        < -80
    )


@pytest.mark.parametrize("wave_db", [-15.0, 0.0, 15.0])
def test_new_highs_meet_the_lows_at_the_cutoff(wave_db: float) -> None:
    rate, cutoff_hz = 48000, 4000.0
    whole = noise(2 * rate)
    taps = band_taps(0.0, cutoff_hz, 100.0, rate, 90.0)
    region = Region(filtered(whole[:, 0], taps), rate)
    model = model_input(region, MODEL_RATE)
    wave = resample(whole[:, 0], rate, MODEL_RATE, model.n_samples)
    take = render_bandwidth(region, model, wave * np.float32(10 ** (wave_db / 20)), cutoff_hz)
    hz, level = signal.welch(take[:, 0], rate, nperseg=2048)
    low = level[(hz > 2000) & (hz < 3500)].mean()
    high = level[(hz > 5000) & (hz < 7000)].mean()
    assert 10 * np.log10(high / low) == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("cutoff_hz", [50.0, 7900.0, 30000.0])
def test_cutoffs_without_room_are_refused(cutoff_hz: float) -> None:
    region = Region(noise(9000), 48000)
    model = model_input(region, MODEL_RATE)
    with pytest.raises(RequestError, match=f"{cutoff_hz:g} Hz") as caught:
        render_bandwidth(region, model, model.samples, cutoff_hz)
    assert caught.value.code == "bad-value"


# Continue, loop, generate


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    n_frames=st.integers(1, 5000),
    new_frames=st.integers(1, 5000),
    rate=st.sampled_from(RATES),
    direction=st.sampled_from(["after", "before"]),
)
def test_a_longer_clip_keeps_its_own_part(
    n_frames: int, new_frames: int, rate: int, direction: str
) -> None:
    region = Region(noise(n_frames, 2), rate, noise(10, 2), noise(10, 2))
    model = model_input(region, MODEL_RATE, **{f"new_{direction}_frames": new_frames})  # type: ignore[arg-type]
    take = render_continue(region, model, noise(model.n_samples)[:, 0], new_frames, direction)
    assert take.shape == (n_frames + new_frames, 2)
    assert np.isfinite(take).all()
    own = take[:n_frames] if direction == "after" else take[-n_frames:]
    assert np.array_equal(own, region.samples)


@pytest.mark.parametrize("direction", ["after", "before"])
def test_going_on_neither_clicks_nor_drops(direction: str) -> None:
    rate = 44100
    region = Region(tone(rate, rate, 221.0)[:, None], rate)
    model = model_input(region, MODEL_RATE, **{f"new_{direction}_frames": rate})  # type: ignore[arg-type]
    wave = tone(model.n_samples, MODEL_RATE, 330.0, 0.02)
    take = render_continue(region, model, wave, rate, direction)
    assert largest_jump(take) < 2 * 0.3 * 2 * np.pi * 330 / rate
    pieces = np.split(take[: 2 * rate // 441 * 441], 200)
    levels = [db(rms(piece) / rms(region.samples)) for piece in pieces[5:-5]]
    assert min(levels) > -3.5
    assert max(levels) < 3.5


def test_a_tone_is_extrapolated() -> None:
    whole = tone(6000, 44100, 500.0)[:, None]
    ahead = extrapolate(whole[:5000], 500)
    assert np.abs(ahead[:200] - whole[5000:5200]).max() < 0.05
    assert rms(ahead) <= rms(whole)
    hiss = extrapolate(noise(4410), 4410)
    assert db(rms(hiss) / 0.1) == pytest.approx(0, abs=2)
    assert not extrapolate(np.zeros((100, 2), np.float32), 50).any()
    assert extrapolate(np.zeros((0, 2), np.float32), 5).shape == (5, 2)


def looped(region: Region, rotated: Region, wave: np.ndarray, seam: Hole) -> np.ndarray:
    """The region with its seam filled, turned back."""
    filled = render_holes(rotated, model_input(rotated, MODEL_RATE), wave, [seam])
    return np.roll(filled, -(region.n_frames // 2), axis=0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(n_frames=st.integers(1, 9000), seam_s=st.floats(0.01, 30), rate=st.sampled_from(RATES))
def test_outside_the_seam_nothing_changes(n_frames: int, seam_s: float, rate: int) -> None:
    region = Region(noise(n_frames, 2), rate)
    rotated, seam = loop_region(region, seam_s)
    if seam is None:
        assert n_frames == 1
        return
    model = model_input(rotated, MODEL_RATE)
    take = looped(region, rotated, noise(model.n_samples)[:, 0], seam)
    assert take.shape == region.samples.shape
    changed = np.flatnonzero((take != region.samples).any(axis=1))
    from_wrap = np.minimum(changed, n_frames - changed)
    assert seam.frames <= max(1, n_frames // 2)
    assert from_wrap.max(initial=0) <= seam.frames // 2 + 1


def test_a_loop_wraps_without_a_click() -> None:
    rate = 44100
    ramp = (tone(rate, rate, 200.0) + np.linspace(-0.5, 0.5, rate)).astype(np.float32)
    region = Region(ramp[:, None], rate)
    rotated, seam = loop_region(region, 0.2)
    assert seam is not None
    model = model_input(rotated, MODEL_RATE)
    wave = tone(model.n_samples, MODEL_RATE, 250.0)
    take = looped(region, rotated, wave, seam)
    assert abs(ramp[0] - ramp[-1]) > 0.9
    assert largest_jump(np.concatenate([take, take])) < 0.05


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


# Honest failure


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


# Long clips


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
    assert peak < 4 * region.samples.nbytes
