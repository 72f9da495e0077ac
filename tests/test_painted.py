"""Painted masks, and what of a change is heard where: where the mask is dark, none at all."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from benchmarks.hybrid import follow, steady
from engine import Edit, Engine, Inpaint, Transfer, units
from engine.automation import Points
from engine.errors import RequestError
from engine.loudness import rms
from engine.model_input import model_input
from engine.painted import painted
from engine.ranking import distinct
from engine.region import Region, Take
from engine.render import render_painted
from engine.touch import Touch, blend

RATE, MODEL_RATE = 48000, 16000


def noise(n_frames: int, seed: int = 0) -> NDArray[np.float32]:
    draw = np.random.default_rng(seed).standard_normal((n_frames, 2))
    return (0.1 * draw).astype(np.float32)


def region(length_s: float = 2.0) -> Region:
    return Region(noise(round(length_s * RATE)), RATE)


def test_a_picture_lies_as_it_is_looked_at(tmp_path: Path) -> None:
    picture = np.zeros((4, 8), np.uint8)
    picture[0, 6] = 255  # the top, right of the middle
    Image.fromarray(picture).save(tmp_path / "mask.png")
    mask = painted(str(tmp_path / "mask.png"), region())
    assert mask.values.shape == (8, 4)
    assert mask.frequencies_hz[3] == 21000.0
    assert mask.times_s[6] == 1.625
    assert mask.at(np.array([1.625]), np.array([21000.0])) == 1.0
    assert mask.at(np.array([1.625]), np.array([18000.0])) == pytest.approx(0.5)
    assert mask.at(np.array([0.5]), np.array([21000.0])) == 0.0
    assert mask.extent_s() == (mask.times_s[5], mask.times_s[7])


def test_sixteen_bits_are_read_as_such(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 16384, np.uint16)).save(tmp_path / "mask.png")
    values = painted(str(tmp_path / "mask.png"), region()).values
    assert values == pytest.approx(16384 / 65535)


def test_points_are_joined_by_straight_lines() -> None:
    points = ((0.0, 1000.0, 0.0), (0.0, 3000.0, 1.0), (2.0, 1000.0, 1.0))
    mask = painted(points, region())
    assert mask.at(np.array([0.0]), np.array([2000.0])) == pytest.approx(0.5)
    assert mask.at(np.array([1.0]), np.array([1000.0])) == pytest.approx(0.5)
    assert mask.at(np.array([2.0]), np.array([9000.0])) == pytest.approx(1.0)
    assert mask.is_over_frequency


@pytest.mark.parametrize(
    ("array", "wrong"),
    [
        (np.array([[0.0, np.nan]]), "holds nan"),
        (np.array([[0.0, 1.5]]), "holds 1.5"),
        (np.array([[-0.1]]), "strengths are 0 to 1"),
        (np.zeros((2, 2, 2)), "must be numbers of shape"),
        (np.array(["a"]), "must be numbers of shape"),
        (np.zeros((0, 3)), "is 0 x 3"),
        (np.zeros((1, 70000), np.uint8), "at most"),
    ],
)
def test_what_is_wrong_with_an_array_is_said(
    tmp_path: Path, array: NDArray[np.float64], wrong: str
) -> None:
    np.save(tmp_path / "mask.npy", array)
    with pytest.raises(RequestError, match=wrong) as caught:
        painted(str(tmp_path / "mask.npy"), region())
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize("name", ["mask.png", "mask.npy"])
def test_a_file_that_is_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="is no file") as caught:
        painted(str(tmp_path / name), region())
    assert caught.value.code == "no-such-file"
    (tmp_path / name).write_text("no mask at all")
    with pytest.raises(RequestError, match=r"is no (PNG|array) that can be read"):
        painted(str(tmp_path / name), region())


def test_dark_stretches_keep_the_source_to_the_bit() -> None:
    source = region()
    mask = painted(((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.2, 0.0, 1.0)), source)
    model = model_input(source, MODEL_RATE)
    wave = noise(model.n_samples, seed=1)[:, 0]
    take = render_painted(source, model, wave, Touch(painted=mask))
    assert np.array_equal(take[:RATE], source.samples[:RATE])
    new = take[round(1.3 * RATE) :] - source.samples[round(1.3 * RATE) :]
    assert np.sqrt(np.mean(new**2)) > 0.05


def test_dark_bands_keep_the_sources_sound() -> None:
    source = region()
    mask = painted(((0.0, 3000.0, 1.0), (0.0, 5000.0, 0.0)), source)
    model = model_input(source, MODEL_RATE)
    wave = noise(model.n_samples, seed=1)[:, 0]
    change = render_painted(source, model, wave, Touch(painted=mask)) - source.samples
    inner = np.fft.rfft(change[4800:-4800], axis=0)
    hz = np.fft.rfftfreq(len(change) - 9600, 1 / RATE)
    power = np.abs(inner) ** 2
    touched = power[(hz > 300) & (hz < 2500)].mean()
    assert power[hz > 6000].mean() < 1e-5 * touched


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_shares_follow_the_curve_and_end_where_it_does(rate: int) -> None:
    share = Touch(curve=((0.5, 0.0), (0.6, 0.8), (1.0, 0.8), (1.1, 0.0))).over_time(2 * rate, rate)
    frames = units.seconds_to_frames(0.5, rate)
    assert not share[:frames].any()
    assert not share[units.seconds_to_frames(1.1, rate) + rate // 1000 + 1 :].any()
    assert (share[round(0.65 * rate) : round(0.95 * rate)] == 1.0).all()
    assert np.abs(np.diff(share)).max() < 1000 / 4 / rate  # no step that clicks


def test_a_blend_of_nothing_or_all_is_to_the_bit() -> None:
    take, source = noise(1000, 1), noise(1000, 2)
    share = np.repeat(np.float32([0.0, 0.5, 1.0]), [300, 300, 400])
    mixed = take.copy()
    blend(mixed, source, share)
    assert np.array_equal(mixed[:300], source[:300])
    assert np.array_equal(mixed[600:], take[600:])
    assert mixed[300:600] == pytest.approx((take[300:600] + source[300:600]) / 2, abs=1e-6)


def test_of_takes_that_are_alike_the_best_is_kept() -> None:
    one, other = noise(1000, 1), noise(1000, 2)
    takes = [
        Take(samples, RATE, seed)
        for seed, samples in enumerate((one, one + 0.01 * other, other, other, one[:999]))
    ]
    assert [take.seed for take in distinct(takes, (0, 1000))] == [0, 2, 4]


def test_takes_that_differ_only_where_nothing_was_edited_are_alike() -> None:
    one, other = noise(1000, 1), noise(1000, 1)
    other[500:] *= -1
    takes = [Take(samples, RATE, seed) for seed, samples in enumerate((one, other))]
    assert len(distinct(takes, (0, 500))) == 1
    assert len(distinct(takes, (0, 1000))) == 2


def file_of(kind: str, folder: Path, values: NDArray[np.float64]) -> str:
    """A mask file of strengths over time, with four rows of frequencies."""
    rows = np.repeat(values[np.newaxis], 4, axis=0)
    path = folder / f"mask.{kind.split()[0]}"
    if kind == "npy over time":
        np.save(path, values)
    elif path.suffix == ".npy":
        np.save(path, rows)
    else:
        Image.fromarray(np.round(rows * 255).astype(np.uint8)).convert(kind.split()[1]).save(path)
    return str(path)


KINDS = ["png L", "png RGB", "png RGBA", "png 1", "npy", "npy over time"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edit", [Transfer, Inpaint])
def test_a_masks_dark_stretches_keep_the_regions_own_samples(
    tiny: Engine, clip: Region, tmp_path: Path, kind: str, edit: type[Transfer | Inpaint]
) -> None:
    """Thirty columns, ten of them white: new sound from 0.5 to 1 s, nothing beside it."""
    values = np.repeat([0.0, 1.0, 0.0], 10)
    mask = file_of(kind, tmp_path, values)
    take = tiny.edit(clip, edit(prompt="rain", mask=mask, steps=3)).samples
    first, last = round(0.475 * clip.rate), round(1.025 * clip.rate) + 1  # middles of dark columns
    assert np.array_equal(take[:first], clip.samples[:first])
    assert np.array_equal(take[last:], clip.samples[last:])
    inside = slice(round(0.55 * clip.rate), round(0.95 * clip.rate))
    assert rms(take[inside] - clip.samples[inside]) > 0.01


@pytest.mark.parametrize("render", ["hybrid", "vocoder"])
@pytest.mark.parametrize("kind", [*KINDS, "points"])
def test_a_white_mask_is_no_mask(
    tiny: Engine, clip: Region, tmp_path: Path, kind: str, render: str
) -> None:
    white = ((0.0, 1000.0, 1.0),) if kind == "points" else file_of(kind, tmp_path, np.ones(3))
    free = tiny.edit(clip, Transfer(prompt="rain", render=render, steps=2)).samples
    masked = tiny.edit(clip, Transfer(prompt="rain", render=render, steps=2, mask=white)).samples
    assert np.array_equal(masked, free)


@pytest.mark.parametrize("edit", [Transfer, Inpaint])
@pytest.mark.parametrize("points", [((0.0, 0.0, 0.0),), ((5.0, 0.0, 0.0), (6.0, 0.0, 1.0))])
def test_a_dark_mask_gives_the_region_back(
    tiny: Engine, clip: Region, edit: type[Transfer | Inpaint], points: Points
) -> None:
    take = tiny.edit(clip, edit(prompt="rain", mask=points, steps=2))
    assert np.array_equal(take.samples, clip.samples)


def test_a_mask_late_in_a_long_region_is_painted_over_where_it_lies(tiny: Engine) -> None:
    """The model is shown an excerpt that starts long after the region does."""
    long = Region(noise(8 * MODEL_RATE), MODEL_RATE)
    mask = ((6.0, 0.0, 0.0), (6.1, 0.0, 1.0), (6.4, 0.0, 1.0), (6.5, 0.0, 0.0))
    change = tiny.edit(long, Inpaint(prompt="rain", mask=mask, steps=2)).samples - long.samples
    touched = np.flatnonzero(change.any(axis=1)) / MODEL_RATE
    assert 6.0 < touched[0] < 6.02
    assert 6.48 < touched[-1] < 6.5
    assert rms(change[round(6.15 * MODEL_RATE) : round(6.35 * MODEL_RATE)]) > 0.05


@pytest.mark.parametrize(
    "edit",
    [
        Transfer(prompt="rain", strength=0.8, steps=3),
        Transfer(prompt="rain", strength=0.8, steps=3, render="vocoder"),
        Inpaint(prompt="rain", mask=((0.0, 0.0, 1.0),), steps=3),
    ],
    ids=["hybrid", "vocoder", "inpaint"],
)
def test_edits_leave_dark_bands_alone(tiny: Engine, clip: Region, edit: Edit) -> None:
    mask = ((0.0, 3000.0, 1.0), (0.0, 4000.0, 0.0))
    take = tiny.edit(clip, dataclasses.replace(edit, mask=mask))
    change = (take.samples - clip.samples)[4800:-4800]
    power = np.abs(np.fft.rfft(change * np.hanning(len(change))[:, np.newaxis], axis=0)) ** 2
    hz = np.fft.rfftfreq(len(change), 1 / clip.rate)
    touched = power[(hz > 100) & (hz < 2500)].mean()
    assert power[hz > 4500].mean() < 1e-7 * touched
    assert rms(change) > 0.005


STEPS_UP = ((0.0, 0.0), (1.0, 0.0), (1.2, 0.2), (2.3, 0.2), (2.5, 0.9), (4.0, 0.9))


@pytest.mark.parametrize("render", ["hybrid", "vocoder"])
def test_strength_0_over_time_is_the_source_to_the_bit(tiny: Engine, render: str) -> None:
    for rate in (MODEL_RATE, 44100):
        source = Region(noise(4 * rate), rate)
        edit = Transfer(prompt="rain", curve=STEPS_UP, render=render, steps=2)
        take = tiny.edit(source, edit).samples
        assert np.array_equal(take[:rate], source.samples[:rate])
        assert (take[round(1.1 * rate) :] != source.samples[round(1.1 * rate) :]).mean() > 0.99


def test_the_change_is_larger_where_the_curve_is_higher(pocket: Engine) -> None:
    source = Region(noise(4 * MODEL_RATE), MODEL_RATE)
    take = pocket.edit(source, Transfer(prompt="a dog barking", curve=STEPS_UP, steps=5)).samples
    change = take - source.samples
    none, little, much = (
        rms(change[round(start * MODEL_RATE) : round(stop * MODEL_RATE)])
        for start, stop in ((0.0, 1.0), (1.3, 2.2), (2.7, 3.9))
    )
    assert none == 0.0
    assert 0.001 < little < much / 1.5


@pytest.mark.parametrize("points", [((0.0, 0.0), (4.0, 0.8)), STEPS_UP], ids=["ramp", "steps"])
def test_the_change_follows_the_curve(pocket: Engine, points: Points) -> None:
    """With few steps and seeds; `python -m benchmarks.hybrid --parts curves` holds 0.9."""
    source = steady(4.0)
    takes = [
        pocket.edit(source, Transfer(prompt="rain", curve=points, steps=6, seed=seed)).samples
        for seed in (0, 1)
    ]
    assert follow(source.samples, takes, points) >= 0.8


def test_a_curve_and_a_mask_are_multiplied() -> None:
    mask = painted(((1.0, 0.0, 1.0), (1.2, 0.0, 0.0)), region())
    share = Touch(curve=((0.4, 0.0), (0.6, 1.0)), painted=mask).over_time(2 * RATE, RATE)
    touched = np.flatnonzero(share) / RATE
    assert 0.4 < touched[0] < 0.42
    assert 1.18 < touched[-1] < 1.2
    assert (share[round(0.62 * RATE) : round(1.15 * RATE)] == 1.0).all()


def test_a_mask_moves_and_ends_with_its_region() -> None:
    mask = painted(((0.5, 0.0, 0.2), (2.0, 0.0, 1.0)), region())
    hz = np.array([100.0])
    moved = mask.moved(-0.5)
    assert moved.at(np.array([0.0, 0.75]), hz)[:, 0] == pytest.approx([0.2, 0.6])
    inside = moved.within(1.0)
    found = inside.at(np.array([-0.1, 0.0, 0.75, 1.0, 1.1]), hz)[:, 0]
    assert found == pytest.approx([0.0, 0.2, 0.6, 0.2 + 0.8 / 1.5, 0.0])


def files() -> tuple[bytes, bytes]:
    """A sound picture and a sound array."""
    values = np.random.default_rng(0).random((8, 12))
    picture, array = io.BytesIO(), io.BytesIO()
    Image.fromarray((values * 255).astype(np.uint8)).save(picture, "PNG")
    np.save(array, values)
    return picture.getvalue(), array.getvalue()


PICTURE, ARRAY = files()
SPOILT = st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=3)


@given(SPOILT, st.integers(0, 1000))
@example([(11, 12)], 1000)  # a chunk that says it is shorter than a header is
@example([(60, 40)], 1000)  # an array's header with an open bracket
def test_spoilt_files_are_read_or_refused(spoilt: list[tuple[int, int]], n_kept: int) -> None:
    """Whatever the bytes: strengths, or a RequestError, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        for name, sound in (("mask.png", PICTURE), ("mask.npy", ARRAY)):
            content = bytearray(sound)
            for place, value in spoilt:
                content[place % len(content)] = value
            path = Path(folder) / name
            path.write_bytes(content[:n_kept])
            with contextlib.suppress(RequestError):
                values = painted(str(path), region()).values
                assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("path", ["/" + "a" * 5000 + ".png", "/a\0.png", "/"])
def test_paths_that_can_name_no_file(path: str) -> None:
    with pytest.raises(RequestError, match="is no file") as caught:
        painted(path, region())
    assert caught.value.code == "no-such-file"


def test_a_mask_that_cannot_be_read_ends_the_edit(
    tiny: Engine, clip: Region, tmp_path: Path
) -> None:
    np.save(tmp_path / "mask.npy", np.array([0.5, np.nan]))
    for edit in (Transfer(mask=str(tmp_path / "mask.npy")), Inpaint(mask=str(tmp_path / "no.png"))):
        with pytest.raises(RequestError):
            tiny.edit(clip, edit)
