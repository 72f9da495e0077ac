"""The quality benchmark's measures, on signals whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality import generation, reconstruction, repair, retrieval, transfer
from benchmarks.quality.hearing import Judge, Recording, frechet, fresh
from benchmarks.quality.prompts import FIRST_FORTY, PROMPTS, TRANSFER_TEXTS
from engine.training.corpus import RATE
from engine.training.sounds import KINDS


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def test_frechet_distance_is_zero_to_itself_and_the_square_of_a_shift() -> None:
    points = np.random.default_rng(0).normal(size=(400, 6))
    assert frechet(points, points) == pytest.approx(0, abs=1e-6)
    assert frechet(points, points + np.array((3, 0, 0, 0, 0, 4))) == pytest.approx(25, rel=1e-6)


def test_recall_counts_those_nearer_than_the_own_sound() -> None:
    sounds = np.eye(12, dtype=np.float32)
    assert retrieval.recall(sounds, sounds) == {"R@1": 1.0, "R@10": 1.0}
    shifted = np.roll(sounds, 1, axis=0)
    assert retrieval.recall(shifted, sounds, (1, 2))["R@1"] == 0.0


def test_probes_are_a_hundred_words_that_name_kinds_and_stand_in_none_of_their_phrases() -> None:
    probes = retrieval.read_probes()
    assert len(probes) == len({word for word, _ in probes}) == 100
    phrases = {phrase for kind in KINDS.values() for phrase in (kind.name, *kind.phrases)}
    for word, kind in probes:
        assert kind in KINDS
        assert word not in phrases


def test_prompts_are_a_hundred_and_name_kinds() -> None:
    assert len(PROMPTS) == 100
    assert len(FIRST_FORTY) == 40
    assert set(PROMPTS.values()) <= set(KINDS)
    assert set(TRANSFER_TEXTS) <= set(PROMPTS)


def test_the_judge_knows_fresh_synthesis_and_not_noise(judge: Judge) -> None:
    kinds = [kind for _, kind in FIRST_FORTY[::4]]
    own = [judge.rank(fresh(kind), kind) for kind in kinds]
    astray = [judge.rank(noise(n, 4.0), kind) for n, kind in enumerate(kinds)]
    assert np.mean(np.array(own) < generation.AGREEMENT_RANK) >= 0.8
    assert np.median(astray) > 50


def test_nothing_lost_on_the_way_is_no_error() -> None:
    assert reconstruction.pitch_error(lambda wave: wave, 440.0) < 0.05
    assert reconstruction.transient_error_ms(lambda wave: wave) == 0.0
    assert reconstruction.periodicity_error(lambda wave: wave, "man speaking") == 0.0


def test_errors_are_measured_in_their_units() -> None:
    def late(wave: np.ndarray) -> np.ndarray:
        return np.concatenate((np.zeros(48, np.float32), wave[:-48]))

    def sharp(wave: np.ndarray) -> np.ndarray:
        places = np.arange(len(wave)) * 1.01
        return np.interp(places, np.arange(len(wave)), wave).astype(np.float32)

    assert reconstruction.transient_error_ms(late) == pytest.approx(3.0, abs=0.01)
    assert reconstruction.pitch_error(sharp, 440.0) == pytest.approx(1.0, abs=0.05)


def test_periodicity_of_a_tone_is_one_and_of_noise_small() -> None:
    tone = np.sin(2 * np.pi * 150 * np.arange(RATE) / RATE).astype(np.float32)
    assert reconstruction.periodicity(tone).min() > 0.98
    assert np.median(reconstruction.periodicity(noise(1))) < 0.4


def test_envelopes_correlate_with_themselves_not_with_noise() -> None:
    gate = np.repeat(np.random.default_rng(2).integers(0, 2, 20), RATE // 20).astype(np.float32)
    assert transfer.envelope_correlation(gate * noise(1), gate * noise(2)) > 0.8
    assert abs(transfer.envelope_correlation(noise(3), noise(4))) < 0.3


def test_buzz_is_heard_in_frames_that_are_all_alike_and_not_in_noise() -> None:
    frames = np.tile(noise(8)[:160], 400)
    assert generation.frame_rate_buzz(lambda prompt, seed: frames, 160) > 0.99
    assert abs(generation.frame_rate_buzz(lambda prompt, seed: noise(9, 4.0), 160)) < 0.02


def test_log_spectral_distance_of_a_gain_is_that_gain() -> None:
    wave = noise(5)
    assert repair.log_spectral_distance(wave, wave) == 0.0
    assert repair.log_spectral_distance(wave, wave / 2) == pytest.approx(6.02, abs=0.05)


def test_shaped_noise_leaves_what_is_below_the_cutoff() -> None:
    from scipy import signal

    low = signal.butter(12, 2000, fs=RATE, output="sos")
    dull = signal.sosfiltfilt(low, noise(6)).astype(np.float32)
    shaped = repair.shaped_noise(dull, 2000.0)
    added = signal.sosfiltfilt(signal.butter(12, 1500, fs=RATE, output="sos"), shaped - dull)
    assert np.abs(added[1000:-1000]).max() < 0.02 * np.abs(dull).max()  # the ends are cut hard
    assert repair.log_spectral_distance(noise(6), shaped) < repair.log_spectral_distance(
        noise(6), dull
    )


def test_sources_are_spread_and_long_enough() -> None:
    recordings = [Recording(str(n), noise(n, 0.5 + n % 3), "", ()) for n in range(30)]
    clips = transfer.sources(recordings, 5)
    assert len(clips) == 5
    assert all(RATE < len(clip) <= 2 * RATE for clip in clips)
