"""What the model hears of a region: one channel, one level, the same time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    MODEL_RATE,
    RATES,
    db,
    noise,
    tone,
)

from engine.loudness import rms
from engine.model_input import REFERENCE_DBFS, downmix, model_input
from engine.region import Region


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
    assert (model.start_samples, model.n_samples) == (6400, 32000)
    assert model.span_frames == 2 * rate
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
