"""Hybrid rendering: no sound before its cause, no spikes, the source's own image and words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import signal
from signals import MODEL_RATE, N_MELS, db, noise, spectra

from benchmarks.hybrid import octave_correlations, words
from engine import Region, Transfer, read
from engine.hybrid import MOST_BOOST_ABOVE_DB
from engine.loudness import rms
from engine.model_input import ModelInput, model_input
from engine.onsets import Onsets, find_onsets, hold_before_onsets
from engine.peaks import CREST, MOST_OVER, Level, match_level
from engine.render import render_transfer

if TYPE_CHECKING:
    from engine import Engine

CLIPS = Path(__file__).parent / "clips"
RATE = 48000


def castanets(onsets: Sequence[int], n_frames: int = 2 * RATE, n_channels: int = 1) -> np.ndarray:
    """Clicks of a few milliseconds in silence, as a pair of castanets makes them."""
    t = np.arange(RATE // 20) / RATE
    click = np.exp(-t / 0.006) * (
        np.sin(2 * np.pi * 2200 * t) + 0.5 * np.random.default_rng(1).standard_normal(len(t))
    )
    made = np.zeros((n_frames, n_channels), np.float32)
    for onset in onsets:
        made[onset : onset + len(t)] += (0.5 * click[:, np.newaxis]).astype(np.float32)
    return made


ONSETS = (RATE // 2, RATE + 1234, RATE + RATE // 2)


def early_db(take: np.ndarray, onset: int) -> float:
    """Loudest sample from 60 to 10 ms before an onset, against the loudest just after it."""
    before = take[onset - round(0.06 * RATE) : onset - round(0.01 * RATE)]
    return db(np.abs(before).max()) - db(np.abs(take[onset : onset + RATE // 50]).max())


def smeared(model: ModelInput) -> np.ndarray:
    """A vocoder's answer that begins 32 ms before every click, as mels of 64 ms ask for."""
    wave = noise(model.n_samples, seed=7)[:, 0]
    shape = np.zeros(model.n_samples, np.float32)
    for onset in ONSETS:
        at = round(onset / RATE * MODEL_RATE)
        shape[at - 512 : at + 1024] = np.hanning(1536)
    return wave * shape


@pytest.mark.parametrize("change_db", [-35.0, 6.0, 30.0])
@pytest.mark.parametrize("is_jagged", [False, True])
def test_castanets_have_no_echo_before_them(change_db: float, is_jagged: bool) -> None:
    region = Region(castanets(ONSETS), RATE)
    model = model_input(region, MODEL_RATE)
    change = change_db + np.random.default_rng(0).uniform(-13, 13, N_MELS) * is_jagged
    take = render_transfer(region, model, smeared(model), spectra(model, change))
    for onset in ONSETS:
        assert early_db(take, onset) < -60


def test_it_is_the_holding_back_that_does_it() -> None:
    """The vocoder's own rendering of the same answer has the echo."""
    region = Region(castanets(ONSETS), RATE)
    model = model_input(region, MODEL_RATE)
    take = render_transfer(region, model, smeared(model), spectra(model, 30.0), "vocoder")
    assert early_db(take, ONSETS[0]) > -30


def test_new_sound_that_was_there_before_an_onset_goes_on() -> None:
    source = castanets(ONSETS)
    change = noise(len(source), level=0.05, seed=3)
    held = change.copy()
    hold_before_onsets(held, [Onsets(wave, RATE) for wave in source.T])
    piece = slice(ONSETS[1] - RATE // 25, ONSETS[1] - RATE // 100)
    assert abs(db(rms(held[piece]) / rms(change[piece]))) < 1.5


def test_onsets_are_found_and_steady_sounds_have_none() -> None:
    levels = np.full(300, 1e-4)
    levels[100:] = 0.1
    levels[200:] = 1.0  # 20 dB over what was just before
    assert find_onsets(levels).tolist() == [100, 200]
    steady = np.abs(np.random.default_rng(0).normal(1.0, 0.2, 1000))
    assert not len(find_onsets(steady))
    assert not len(find_onsets(np.zeros(50)))
    assert not len(find_onsets(np.ones(50)))  # a region that begins in full sound


@pytest.mark.parametrize("n_frames", [1, 47, 48, 49, 5000])
def test_any_length_is_held(n_frames: int) -> None:
    change, source = noise(n_frames, 2), noise(n_frames, 2, seed=1)
    hold_before_onsets(change, [Onsets(wave, RATE) for wave in source.T])
    match_level(change, Level.of(source, RATE), RATE)
    assert np.isfinite(change).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_sparse_takes_don_t_spike(scale: float) -> None:
    """A second of speech-like noise turned into one click: as loud would be 13 dB over it."""
    source = noise(2 * RATE, level=0.1) * np.float32(scale)
    take = castanets([RATE]) * np.float32(scale)
    match_level(take, Level.of(source, RATE), RATE)
    active, peak = rms(source), float(np.abs(source).max())
    assert np.abs(take).max() <= max(CREST * active * 1.1, peak) * MOST_OVER * 1.01
    assert np.abs(take).max() > peak  # but it did come up


def test_peaks_under_the_sources_are_left_alone() -> None:
    source, take = noise(RATE, level=0.1), noise(RATE, level=0.03, seed=1)
    wanted = take.copy()
    match_level(take, Level.of(source, RATE), RATE)
    ratio = take / wanted
    assert ratio.std() < 1e-4 * ratio.mean()


@pytest.mark.parametrize("change_db", [-35.0, 8.0, 35.0])
@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_the_stereo_image_is_the_sources(change_db: float, shared: float) -> None:
    """Even where all sound is the vocoder's, which has one channel."""
    own, common = noise(2 * RATE, 2, seed=1), noise(2 * RATE, 1, seed=2)
    samples = (1 - shared) * own + shared * common * np.float32([1.0, 0.6])
    region = Region(samples.astype(np.float32), RATE)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=4)[:, 0]
    take = render_transfer(region, model, wave, spectra(model, change_db, -25.0))
    drift = octave_correlations(take, RATE) - octave_correlations(region.samples, RATE)
    # A moment that has turned altogether is one channel's sound in two: near, not quite.
    assert np.abs(drift).max() < (0.05 if change_db > -24 else 0.25)
    balance = [db(rms(s[:, :1]) / rms(s[:, 1:])) for s in (take, region.samples)]
    assert balance[0] == pytest.approx(balance[1], abs=0.5 if change_db > -24 else 1.5)


@pytest.mark.parametrize("change_db", [-18.0, -6.0, 2.0, 20.0])
def test_what_lies_above_the_model_follows_its_top_octave(change_db: float) -> None:
    region = Region(noise(2 * RATE), RATE)
    model = model_input(region, MODEL_RATE)
    change = np.where(np.arange(N_MELS) < 52, 0.0, change_db)  # the 52nd lies near 4.3 kHz
    take = render_transfer(region, model, model.samples, spectra(model, change))
    hz, before = signal.welch(region.samples[:, 0], RATE, nperseg=2048)
    _, after = signal.welch(take[:, 0], RATE, nperseg=2048)
    gain_db = 10 * np.log10(after / before)
    above = gain_db[hz > 10000].mean() - gain_db[(hz > 300) & (hz < 2500)].mean()
    # The octave's lowest mels lie under the step.
    assert above == pytest.approx(min(change_db, 0.93 * MOST_BOOST_ABOVE_DB), abs=3.0)


def test_silence_has_no_musical_noise() -> None:
    """The decoder's jitter in a pause doesn't become tones that come and go."""
    samples = noise(2 * RATE)
    samples[RATE:] *= np.float32(1e-3)
    region = Region(samples, RATE)
    model = model_input(region, MODEL_RATE)
    mels = spectra(model)
    half = len(mels.mel_source) // 2
    rng = np.random.default_rng(3)
    for mel in (mels.mel_source, mels.mel_result):
        mel[half:] = -11.0 + rng.normal(0, 1.0, mel[half:].shape)
    take = render_transfer(region, model, noise(model.n_samples)[:, 0] * 1e-4, mels)
    spread = [pause_spread(s) for s in (take, region.samples)]
    assert spread[0] < spread[1] + 1.0


def pause_spread(samples: np.ndarray) -> float:
    """How far the loudest hundredth of a pause's bins lies over its mean, in dB."""
    _, _, bins = signal.stft(samples[RATE + RATE // 10 :, 0], RATE, nperseg=1024)
    power = np.square(np.abs(bins[: 7500 * 1024 // RATE]))
    return 10 * float(np.log10(np.quantile(power, 0.99) / power.mean()))


@pytest.mark.parametrize("prompt", ["heavy rain on a metal roof", "a woman whispering"])
def test_words_stay_words(pocket: Engine, prompt: str) -> None:
    """STOI of speech at strength 0.3; the vocoder alone doesn't reach it."""
    pytest.importorskip("pystoi")
    region = read(CLIPS / "speech.flac")
    takes = {
        how: pocket.edit(region, Transfer(prompt=prompt, strength=0.3, render=how, steps=10))
        for how in ("hybrid", "vocoder")
    }
    hybrid, vocoder = (
        words(region.samples, takes[how].samples, region.rate) for how in ("hybrid", "vocoder")
    )
    assert hybrid >= 0.75
    assert vocoder < hybrid
