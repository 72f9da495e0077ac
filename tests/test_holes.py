"""Holes, what goes on past a clip's end, and seams: new inside, untouched outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from signals import (
    MODEL_RATE,
    RATES,
    db,
    largest_jump,
    low_passed,
    noise,
    tone,
)

from engine.edits import Hole
from engine.errors import RequestError
from engine.loudness import rms
from engine.model_input import model_input
from engine.region import Region
from engine.render import (
    loop_region,
    render_continue,
    render_holes,
)


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
