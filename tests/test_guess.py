"""The guess that masked generation starts from: a line across a hole, a slope above a cutoff."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal
from signals import MODEL_RATE

from engine import Bandwidth, Engine, Hole, Inpaint, Region
from engine.flows import _is_repair
from engine.guess import BORDER_FRAMES, MelGrid, across_holes, highs_goes_on
from engine.loudness import rms
from engine.masks import Box, Grid
from engine.spans import around_holes

HOP, N_FFT, N_FRAMES, N_MELS = 160, 1024, 200, 64
WHERE = MelGrid(
    HOP, N_FFT, Grid(n_cells=25, n_bins=8, cell_samples=1280, stride=8, rate=MODEL_RATE)
)
FRAMES, BINS = np.arange(N_FRAMES, dtype=np.float32), np.arange(N_MELS, dtype=np.float32)


def box(start: int, stop: int, low_hz: float = 0.0, high_hz: float = float("inf")) -> Box:
    """A hole over whole frames."""
    return Box(start * HOP, stop * HOP, low_hz, high_hz)


def test_bins_lie_where_their_filters_do() -> None:
    from engine.mel import mel_filters

    filters = mel_filters(MODEL_RATE, N_FFT, N_MELS, 0.0, MODEL_RATE / 2).numpy()
    peaks_hz = filters.argmax(axis=0) * MODEL_RATE / N_FFT
    assert WHERE.centres_hz(N_MELS) == pytest.approx(peaks_hz, abs=MODEL_RATE / N_FFT)


def test_a_line_across_a_hole_forgets_what_was_in_it() -> None:
    steady = (-5.0 + 0.05 * BINS + 0 * FRAMES[:, np.newaxis]).astype(np.float32)
    spoilt = steady.copy()
    spoilt[90:110] = 3.0
    assert across_holes(spoilt, [box(90, 110)], WHERE) == pytest.approx(steady, abs=1e-5)


def test_it_is_straight_from_one_side_to_the_other() -> None:
    mel = np.where(FRAMES < 100, -6.0, -2.0)[:, np.newaxis] * np.ones(N_MELS)
    guess = across_holes(mel.astype(np.float32), [box(60, 140)], WHERE)
    assert guess[100] == pytest.approx(-4.0, abs=0.1)
    assert np.diff(guess[60:140], axis=0) == pytest.approx(4.0 / 88, abs=0.01)


def test_borders_are_means_of_what_is_known() -> None:
    rng = np.random.default_rng(0)
    mel = (-4.0 + rng.standard_normal((N_FRAMES, N_MELS))).astype(np.float32)
    guess = across_holes(mel, [box(80, 120)], WHERE)
    spread = guess[85:115].std()
    assert spread < 1.5 / np.sqrt((BORDER_FRAMES + 1) / 2)
    assert np.array_equal(guess[:70], mel[:70])


def test_a_band_is_left_where_it_is_known() -> None:
    mel = (0 * FRAMES[:, np.newaxis] + BINS).astype(np.float32)
    mel[90:110] += 5.0
    guess = across_holes(mel, [box(90, 110, 1000.0, 3000.0)], WHERE)
    centres = WHERE.centres_hz(N_MELS)
    outside = (centres < 1000) | (centres >= 3000)
    assert np.array_equal(guess[:, outside], mel[:, outside])
    assert guess[100, ~outside] == pytest.approx(BINS[~outside], abs=1e-4)


def test_at_an_end_one_side_goes_on_and_nothing_known_is_left_alone() -> None:
    mel = (-3.0 + 0 * FRAMES[:, np.newaxis] * BINS).astype(np.float32)
    mel[150:] = 4.0
    assert across_holes(mel, [box(150, N_FRAMES)], WHERE) == pytest.approx(-3.0, abs=1e-5)
    assert np.array_equal(across_holes(mel, [box(0, N_FRAMES)], WHERE), mel)


@pytest.mark.parametrize("slope", [-1.5, -0.4, 0.0])
def test_a_falling_spectrum_goes_on_falling(slope: float) -> None:
    whole = (
        -2.0 + slope * np.log2(WHERE.centres_hz(N_MELS) / 1000) + 0 * FRAMES[:, np.newaxis]
    ).astype(np.float32)
    dull = np.where(WHERE.centres_hz(N_MELS) > 3000, -11.5, whole).astype(np.float32)
    assert highs_goes_on(dull, 3000.0, WHERE) == pytest.approx(whole, abs=1e-3)


def test_a_rising_spectrum_goes_on_level_and_a_low_cutoff_is_no_trouble() -> None:
    rising = (np.log2(WHERE.centres_hz(N_MELS)) + 0 * FRAMES[:, np.newaxis]).astype(np.float32)
    above = WHERE.centres_hz(N_MELS) > 3000
    assert np.ptp(highs_goes_on(rising, 3000.0, WHERE)[:, above]) < 1e-5
    assert np.isfinite(highs_goes_on(rising, 60.0, WHERE)).all()
    assert np.array_equal(highs_goes_on(rising, 1.0, WHERE), rising)


def long_term_db(samples: np.ndarray) -> np.ndarray:
    density = signal.welch(samples[:, 0].astype(np.float64), MODEL_RATE, nperseg=512)[1]
    return 10 * np.log10(density + 1e-12)


def test_restored_highs_have_the_level_they_had(pocket: Engine) -> None:
    """Pink noise without its highs; the dull input is 30 dB off and more."""
    rng = np.random.default_rng(3)
    pink = signal.lfilter([0.1], [1, -0.9], rng.standard_normal((4 * MODEL_RATE, 1)), axis=0)
    source = pink.astype(np.float32)
    dull = signal.sosfiltfilt(
        signal.butter(12, 3000, fs=MODEL_RATE, output="sos"), source, axis=0
    ).astype(np.float32)
    take = pocket.edit(Region(dull, MODEL_RATE), Bandwidth(cutoff=3000.0)).samples
    highs = np.fft.rfftfreq(512, 1 / MODEL_RATE) > 3600
    off = (long_term_db(take) - long_term_db(source))[highs]
    assert abs(off.mean()) < 4.0
    assert off.std() < 5.0


def test_a_repaired_hole_is_as_loud_as_what_surrounds_it(pocket: Engine) -> None:
    rng = np.random.default_rng(4)
    source = 0.1 * rng.standard_normal((4 * MODEL_RATE, 1)).astype(np.float32)
    hole = Hole(round(1.5 * MODEL_RATE), MODEL_RATE)
    source[hole.start_frames : hole.stop_frames] = 0.0
    take = pocket.edit(Region(source, MODEL_RATE), Inpaint(holes=(hole,))).samples
    inside = take[hole.start_frames + 800 : hole.stop_frames - 800]
    assert 20 * np.log10(rms(inside) / 0.1) == pytest.approx(0.0, abs=2.0)


@pytest.mark.parametrize(
    ("start", "prompt", "is_repair"),
    [(1.0, "", True), (1.0, "rain", False), (0.0, "", False), (2.0, "", False)],
)
def test_only_a_hole_between_sounds_and_without_a_text_starts_from_a_line(
    start: float, prompt: str, is_repair: bool
) -> None:
    region = Region(np.ones((3 * MODEL_RATE, 1), np.float32), MODEL_RATE)
    hole = Hole(round(start * MODEL_RATE), MODEL_RATE)
    (part,) = around_holes(region, [hole], 5.12)
    assert _is_repair(part, Inpaint(holes=(hole,), prompt=prompt)) == is_repair
