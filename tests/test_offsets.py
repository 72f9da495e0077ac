"""A constant offset is no sound: takes keep it as it is, and no level is taken from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from signals import MODEL_RATE, N_MELS, db, noise, spectra

from engine import Hole, Inpaint, Region, Vary
from engine.loudness import rms
from engine.model_input import model_input
from engine.own_sound import OwnSound
from engine.render import render_holes, render_transfer

if TYPE_CHECKING:
    from engine import Engine

RATE = 16000
OFFSETS = np.float32([0.5, 0.0])


def sound_rms(samples: np.ndarray) -> float:
    """Level of all but the channels' means."""
    return rms(samples - samples.mean(axis=0))


def transferred(samples: np.ndarray, how: str) -> np.ndarray:
    """A take in which some bands change much and others little."""
    region = Region(samples, RATE)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=5)[:, 0]
    return render_transfer(region, model, wave, spectra(model, np.linspace(-9, 9, N_MELS)), how)


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.5])
@pytest.mark.parametrize("level", [0.01, 0.1])
def test_a_take_of_a_sound_with_an_offset_is_the_take_and_the_offset(
    how: str, seconds: float, level: float
) -> None:
    samples = np.repeat(noise(round(seconds * RATE), level=level), 2, axis=1)
    plain, shifted = transferred(samples, how), transferred(samples + OFFSETS, how)
    assert np.abs(shifted - OFFSETS - plain).max() < 0.02 * level


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
def test_a_mere_offset_stays_as_it_is(how: str) -> None:
    """The model hears nothing in it: its answer has no level that could be told."""
    samples = np.zeros((5000, 2), np.float32) + OFFSETS
    assert np.array_equal(transferred(samples, how), samples)


def test_a_pause_beside_a_sound_has_no_offset() -> None:
    """The mean of all frames is not 0, but it is the sound's."""
    samples = noise(2 * RATE)
    samples[RATE:] = 0
    assert samples.mean() != 0.0
    assert not OwnSound(samples, RATE).samples[RATE:].any()


def test_what_an_offset_leaves_alone() -> None:
    samples = noise(RATE, 2)
    plain, shifted = OwnSound(samples, RATE), OwnSound(samples + OFFSETS, RATE)
    assert shifted.level.peak == pytest.approx(plain.level.peak, rel=1e-2)
    assert shifted.level.loudness.rms == pytest.approx(plain.level.loudness.rms, rel=1e-2)
    assert np.abs(shifted.weights.spread(samples[:, 0]) - plain.weights.spread(samples[:, 0])).max(
        initial=0.0
    ) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("band", [(None, None), (None, 3000.0), (500.0, None)])
@pytest.mark.parametrize("level_db", [-20.0, 0.0, 20.0])
def test_a_hole_that_is_the_whole_region_meets_what_sounds_around_it(
    band: tuple[float | None, float | None], level_db: float
) -> None:
    """In level and in offset, though the model's own level may be another."""
    whole = noise(3 * RATE, level=0.02) + np.float32(0.3)
    region = Region(whole[RATE : 2 * RATE], RATE, whole[:RATE], whole[2 * RATE :])
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=3)[:, 0] * np.float32(10 ** (level_db / 20))
    take = render_holes(region, model, wave, [Hole(0, RATE, *band)])
    pieces = np.split(take, 20)
    assert np.abs([piece.mean() - 0.3 for piece in pieces]).max() < 0.01
    for piece in pieces:
        assert db(sound_rms(piece) / 0.02) == pytest.approx(0.0, abs=2.0)


def test_a_hole_that_is_the_whole_clip_keeps_the_models_level() -> None:
    region = Region(noise(RATE), RATE)
    model = model_input(region, MODEL_RATE)
    wave = noise(model.n_samples, seed=3)[:, 0]
    take = render_holes(region, model, wave, [Hole(0, RATE)])
    assert sound_rms(take) == pytest.approx(0.1 * model.gain, rel=0.05)


@pytest.mark.parametrize("how", ["hybrid", "vocoder"])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_short_variation_is_as_loud_as_its_source(tiny: Engine, how: str, offset: float) -> None:
    samples = noise(round(0.3 * RATE), level=0.01) + np.float32(offset)
    take = tiny.edit(Region(samples, RATE), Vary(render=how, steps=2)).samples
    assert db(sound_rms(take) / sound_rms(samples)) == pytest.approx(0.0, abs=1.0)
    assert take.mean() == pytest.approx(offset, abs=0.003)


def test_a_variation_of_equal_channels_stays_balanced(tiny: Engine) -> None:
    samples = np.repeat(noise(RATE, level=0.05), 2, axis=1) + OFFSETS
    left, right = tiny.edit(Region(samples, RATE), Vary(steps=2)).samples.std(axis=0)
    assert db(left / right) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("mask", ["0:1000:1", "0:1000:1 0.4:1000:1 0.5:1000:0"])
def test_under_a_mask_the_offset_goes_on(tiny: Engine, mask: str) -> None:
    samples = np.repeat(noise(RATE, level=0.05), 2, axis=1) + OFFSETS
    take = tiny.edit(Region(samples, RATE), Inpaint(mask=mask, steps=2)).samples
    assert not np.array_equal(take[:4000], samples[:4000])
    for piece in np.split(take, 10):
        assert np.abs(piece.mean(axis=0) - OFFSETS).max() < 0.05
    left, right = take[:4000].std(axis=0)
    assert db(left / right) == pytest.approx(0.0, abs=0.5)
    if "0.5" in mask:
        assert np.array_equal(take[8000:], samples[8000:])
