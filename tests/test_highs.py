"""Highs: where they end, and new ones that leave the lows alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal
from signals import (
    MODEL_RATE,
    RATES,
    db,
    low_passed,
    noise,
)

from engine.errors import Cancelled, RequestError
from engine.filters import band_taps, filtered
from engine.model_input import model_input
from engine.progress import OnPart
from engine.region import Region
from engine.render import (
    find_cutoff,
    render_bandwidth,
)
from engine.resample import resample


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


def test_it_tells_how_far_it_is_and_can_be_stopped() -> None:
    region = Region(noise(120 * 8000, 2), 8000)
    model = model_input(region, MODEL_RATE)
    wave, heard = noise(model.n_samples, seed=1)[:, 0], []

    def render(on_part: OnPart) -> np.ndarray:
        return render_bandwidth(region, model, wave, 2000.0, on_part=on_part)

    told = render(heard.append)
    assert len(heard) >= 5  # of each filter of each channel, at least
    assert heard == sorted(heard)
    assert 0.0 < heard[0] < heard[-1] == 1.0
    assert np.array_equal(told, render_bandwidth(region, model, wave, 2000.0))

    def stop(share: float) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        render(stop)
