"""What the edits share: places in the model's time, what pulls them, the order of takes."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
import torch
from signals import noise

from engine import Continue, Engine, Generate, Hole, Inpaint, Region, Transfer, Vary
from engine.edits import MAX_SEED, Edit
from engine.errors import Cancelled, FaultError, RequestError
from engine.masks import Grid
from engine.model_input import ModelInput, model_input
from engine.networks import Networks
from engine.painted import painted
from engine.progress import Progress, Reporter
from engine.ranking import distinct, rank, text_reference
from engine.region import Take
from engine.render import render_transfer
from engine.takes import (
    box,
    guidance,
    guidances,
    own_guidance,
    strengths_of,
    take_seeds,
    without,
)
from engine.timeline import Timeline

RATE = 16000


@pytest.fixture
def networks(tiny: Engine) -> Networks:
    return tiny.networks


def model_of(n_frames: int, rate: int, before: int = 0) -> ModelInput:
    noise = 0.1 * np.random.default_rng(0).standard_normal((n_frames + before, 1))
    samples = noise.astype(np.float32)
    return model_input(Region(samples[before:], rate, samples[:before]), RATE)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 192000])
@pytest.mark.parametrize("before", [0, 4410])
def test_a_hole_lies_where_it_sounds(rate: int, before: int) -> None:
    """A click at the hole's first frame is heard at the box's first sample."""
    click_frame = before + rate // 2
    samples = np.zeros((before + rate, 1), np.float32)
    samples[click_frame] = 1.0
    model = model_input(Region(samples[before:], rate, samples[:before]), RATE)
    found = box(model, click_frame - before, click_frame - before + 1)
    assert abs(found.start_samples - int(np.abs(model.samples).argmax())) <= 1.0
    assert found.stop_samples - found.start_samples == pytest.approx(RATE / rate)


def test_what_is_to_be_filled_is_not_listened_to() -> None:
    model = model_of(RATE, RATE)
    holes = [box(model, 4000, 12000)]
    left = without(model, holes)
    assert np.array_equal(left, np.delete(model.samples, slice(4000, 12000)))
    band = [box(model, 4000, 12000, 1000.0)]
    assert len(without(model, band)) == model.n_samples
    assert len(without(model, [box(model, 0, RATE)])) == model.n_samples


def test_curves_count_from_the_regions_start() -> None:
    model = model_of(44100, 44100, before=22050)
    grid = Grid(n_cells=40, n_bins=4, cell_samples=640, stride=4, rate=RATE)  # 1.6 s
    strengths = strengths_of(grid, model, 0.5, ((0.0, 0.0), (1.0, 1.0)))[:, 0]
    times_s = (torch.arange(40) + 0.5) * 640 / RATE - 0.5
    assert torch.allclose(strengths, times_s.clamp(0, 1), atol=1e-5)
    assert torch.equal(strengths_of(grid, model, 0.5, ()), torch.full((40, 4), 0.5))


@pytest.mark.parametrize(
    ("edit", "heard", "wanted"),
    [
        (Transfer(prompt="rain"), True, "text"),
        (Transfer(), True, "sound"),
        (Inpaint(holes=(Hole(0, 1),)), True, "sound"),
        (Transfer(), False, "empty"),
    ],
)
def test_what_pulls_an_edit(networks: Networks, edit: Edit, heard: bool, wanted: str) -> None:
    wave = model_of(RATE, RATE).samples
    pull = guidance(networks, edit, wave if heard else np.zeros_like(wave))
    clap = networks.clap
    embeddings = {
        "text": clap.text("rain"),
        "empty": clap.text(""),
        "sound": clap.audio(wave, RATE),
    }
    assert torch.equal(pull.towards, embeddings[wanted])
    assert torch.equal(pull.away, embeddings["empty"])
    assert pull.weight == edit.guidance


def test_a_variation_is_pulled_by_its_source(networks: Networks) -> None:
    wave = model_of(RATE, RATE).samples
    own = networks.clap.audio(wave, RATE)
    assert torch.equal(own_guidance(networks, Vary(), wave).towards, own)
    halfway = own_guidance(networks, Vary(prompt="rain"), wave).towards
    assert float(halfway.norm()) == pytest.approx(1.0, abs=1e-5)
    text = networks.clap.text("rain")
    assert float(halfway @ own) == pytest.approx(float(halfway @ text), abs=1e-4)


def test_seeds_go_on_from_the_first_and_stay_in_range() -> None:
    assert take_seeds(Transfer(seed=5, takes=3)) == [5, 6, 7]
    assert take_seeds(Transfer(seed=MAX_SEED, takes=2)) == [MAX_SEED, 0]
    for seed in take_seeds(Transfer(seed=MAX_SEED, takes=8)):
        Transfer(seed=seed)


def test_the_nearest_take_comes_first(networks: Networks) -> None:
    rng = np.random.default_rng(3)
    noise = (0.1 * rng.standard_normal((RATE, 1))).astype(np.float32)
    tone = (0.1 * np.sin(np.arange(RATE) / 5.0)[:, np.newaxis]).astype(np.float32)
    takes = [Take(tone, RATE, seed=0), Take(noise, RATE, seed=1)]
    heard = networks.clap.audio(model_input(Region(noise, RATE), RATE).samples, RATE)
    ranked = rank(networks, takes, heard, (0, RATE), Reporter(None))
    assert [take.seed for take in ranked] == [1, 0]
    assert ranked[0].score == pytest.approx(1.0, abs=1e-4)
    assert ranked[1].score < ranked[0].score
    assert dataclasses.replace(ranked[1], score=None).samples.shape == (RATE, 1)


@pytest.mark.parametrize("n_samples", [1, 100, 5000, 20480, 20481, 100_000])
def test_spans_are_padded_to_the_models_grid(networks: Networks, n_samples: int) -> None:
    g = networks.geometry
    padded = networks.padded_samples(n_samples)
    assert padded >= n_samples
    assert padded % (g.cell_samples * g.multiple_cells) == 0
    assert padded >= g.window_frames * g.hop_samples // 4
    latents = networks.encode(0.1 * np.ones(n_samples, np.float32))
    grid = networks.grid(n_samples)
    assert latents.shape == (g.latent_channels, grid.n_cells, grid.n_bins)
    assert networks.silence(n_samples).shape == latents.shape
    mel = networks.decode(latents)
    assert mel.shape == (padded // g.hop_samples, g.n_mels)
    assert networks.voice(mel).shape == (padded,)


def test_long_waves_come_out_of_the_vocoder_without_seams(networks: Networks) -> None:
    """In windows as in one go: what a window's border spoils is thrown away."""
    mel = networks.decode(networks.encode(0.1 * np.random.default_rng(1).standard_normal(80000)))
    with torch.inference_mode():
        whole = networks._vocoder(mel[None])[0].numpy()
    assert np.abs(networks.voice(mel) - whole).max() < 1e-4 * np.abs(whole).max()


def test_seeds_that_led_to_a_take_are_left_out() -> None:
    assert take_seeds(Transfer(seed=5, takes=3, around="6")) == [5, 7, 8]
    assert take_seeds(Transfer(seed=5, takes=3, around="5/0.3/7/0.2/6")) == [8, 9, 10]
    assert take_seeds(Transfer(seed=MAX_SEED, takes=2, around="0")) == [MAX_SEED, 1]


def take_of(samples: np.ndarray, seed: int, score: float) -> Take:
    return Take(samples.astype(np.float32), RATE, seed, score)


def test_of_near_duplicates_only_the_first_is_given() -> None:
    """30 dB under them is the border, and it is the best of them that stays."""
    rng = np.random.default_rng(5)
    sound, other = 0.1 * rng.standard_normal((2, 4000, 2))
    near, apart = sound + 0.03 * other, sound + 0.033 * other
    takes = [take_of(sound, 3, 0.9), take_of(near, 1, 0.8), take_of(apart, 2, 0.7)]
    assert [take.seed for take in distinct(takes, (0, 4000))] == [3, 2]
    assert [take.seed for take in distinct(takes[1::-1], (0, 4000))] == [1]


def test_takes_of_silence_are_one_and_scale_does_not_count() -> None:
    silence = np.zeros((100, 1))
    assert len(distinct([take_of(silence, 0, 0.0), take_of(silence, 1, 0.0)], (0, 100))) == 1
    quiet = 1e-4 * np.random.default_rng(0).standard_normal((2, 1000, 1))
    assert len(distinct([take_of(q, 0, 0.0) for q in quiet], (0, 1000))) == 2
    assert distinct([], (0, 0)) == []


def test_a_mask_scales_the_strength_of_every_cell() -> None:
    model = model_of(RATE, RATE)
    grid = Grid(n_cells=25, n_bins=16, cell_samples=640, stride=4, rate=RATE)
    region = Region(np.zeros((RATE, 1), np.float32), RATE)
    flat = painted(((0.0, 0.0, 0.25),), region)
    assert torch.allclose(strengths_of(grid, model, 0.8, (), flat), torch.tensor(0.2))
    low = painted(((0.0, 1999.0, 1.0), (0.0, 2001.0, 0.0)), region)
    cells = strengths_of(grid, model, 0.8, (), low)
    border = grid.bin_position(2000.0)
    assert torch.allclose(cells[:, : int(border)], torch.tensor(0.8))
    assert not cells[:, int(border) + 1 :].any()
    assert grid.bin_position(grid.frequency(3.7)) == pytest.approx(3.7)
    assert grid.bin_position(grid.frequency(14.2)) == pytest.approx(14.2)


def test_texts_pull_each_its_own_time(networks: Networks) -> None:
    """Seconds count from `start_samples`; where one takes over both pull half."""
    grid = networks.grid(4 * RATE)
    edit = Generate(prompt="wind", prompts=((1.0, "rain"), (2.5, "thunder")))
    pull = guidances(networks, edit, grid, start_samples=RATE / 4)
    assert isinstance(pull, Timeline)
    for (own, _), text in zip(pull.parts, ("wind", "rain", "thunder"), strict=True):
        assert torch.equal(own.towards, networks.clap.text(text))
    times_s = (np.arange(grid.n_cells) + 0.5) * grid.cell_samples / RATE - 0.25
    weights = np.array([weight for _, weight in pull.parts])
    assert weights.sum(axis=0) == pytest.approx(1.0)
    assert (weights[0, times_s < 0.5] == 1.0).all()  # half of a second's crossfade before 1 s
    assert (weights[2, times_s > 3.0] == 1.0).all()
    for at, before in ((1.0, 0), (2.5, 1)):
        assert np.interp(at, times_s, weights[before]) == pytest.approx(0.5, abs=0.01)
        assert np.interp(at, times_s, weights[before + 1]) == pytest.approx(0.5, abs=0.01)


def test_takes_are_judged_by_all_their_texts(networks: Networks) -> None:
    clap = networks.clap
    assert torch.equal(text_reference(clap, Vary(prompt="rain")), clap.text("rain"))
    both = text_reference(clap, Generate(prompts=((0.0, "rain"), (2.0, "thunder"))))
    rain, thunder = (float(both @ clap.text(text)) for text in ("rain", "thunder"))
    assert rain == pytest.approx(thunder, abs=1e-5)
    assert float(both.norm()) == pytest.approx(1.0, abs=1e-5)


def test_takes_rendered_at_a_time_have_the_same_bytes(
    tiny: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = Transfer(prompt="rain", steps=2, takes=3)
    names: set[str] = set()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)

    def listening(*given: Any) -> Any:
        names.add(threading.current_thread().name)
        return render_transfer(*given)

    monkeypatch.setattr("engine.flows.render_transfer", listening)
    at_a_time = tiny.takes(clip, edit)
    assert names >= {"render_0"}
    names.clear()
    monkeypatch.setattr("engine.takes.MAX_RENDERED_BYTES", 0)
    one_by_one = tiny.takes(clip, edit)
    assert names == {threading.main_thread().name}
    for one, other in zip(at_a_time, one_by_one, strict=True):
        assert (one.seed, one.score) == (other.seed, other.score)
        assert np.array_equal(one.samples, other.samples)


def test_a_fault_in_any_takes_rendering_is_the_edits(
    tiny: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise FaultError("internal", "the model answered with NaN")

    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr("engine.flows.render_transfer", fail)
    with pytest.raises(FaultError, match="NaN"):
        tiny.takes(clip, Transfer(prompt="rain", steps=1, takes=3))


def test_a_long_clips_step_is_heard_of_and_can_be_cancelled(
    tiny: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.denoise.BATCH_NUMBERS", 0)  # a window at a time
    long = Region(noise(20 * RATE), RATE)
    heard: list[Progress] = []

    def listen(point: Progress) -> None:
        if point.stage == "denoising":
            heard.append(point)
        if len(heard) == 12:
            raise Cancelled

    with pytest.raises(Cancelled):
        tiny.edit(long, Transfer(prompt="rain", strength=0.3, steps=2), listen)
    assert [point.step for point in heard] == [0] * 12  # in the middle of the first


def test_a_long_takes_rendering_is_heard_of_and_can_be_cancelled(tiny: Engine) -> None:
    """Rendering ten minutes takes as long as many a denoising step."""
    long = Region(noise(20 * RATE), RATE)
    edit = Transfer(prompt="rain", strength=0.3, steps=1)
    heard: list[Progress] = []
    tiny.edit(long, edit, heard.append)
    shares = [point.fraction for point in heard if point.stage == "rendering"]
    assert len(shares) > 3
    assert shares == sorted(shares)

    def cancel(point: Progress) -> None:
        if point.stage == "rendering" and point.fraction > shares[1]:
            raise Cancelled

    with pytest.raises(Cancelled):
        tiny.edit(long, edit, cancel)


def test_hearing_a_long_clip_is_heard_of_and_can_be_cancelled(tiny: Engine) -> None:
    """CLAP needs some seconds for the source of a variation, and for every take it ranks."""
    long = Region(noise(20 * RATE), RATE)
    window_samples = tiny.networks.clap._features.window_samples  # type: ignore[union-attr]
    n_windows = -(-len(long.samples) // window_samples)
    assert n_windows > 3
    points: list[Progress] = []
    tiny.edit(long, Vary(amount=0.3, steps=1), points.append)
    ranking = [point for point in points if point.stage == "ranking"]
    assert len(ranking) == 2 * n_windows + 1  # the source and the take, which is begun with
    encoded = [point.fraction for point in points if point.stage == "encoding"]
    assert max(encoded.count(fraction) for fraction in encoded) >= n_windows

    def cancel(point: Progress) -> None:
        if point.stage == "ranking" and point.fraction > ranking[1].fraction:
            raise Cancelled

    tiny.networks.forget()
    with pytest.raises(Cancelled):
        tiny.edit(long, Vary(amount=0.3, steps=1), cancel)


def test_what_rises_after_the_region_changes_nothing_in_it(tiny: Engine, clip: Region) -> None:
    late = clip.length_s * 1.5
    for edit in (
        Transfer(prompt="rain", curve=((0.0, 0.0), (clip.length_s, 0.0), (late, 1.0)), steps=2),
        Transfer(prompt="rain", mask=f"0:1000:0 {clip.length_s}:1000:0 {late}:1000:1", steps=2),
    ):
        assert np.array_equal(tiny.edit(clip, edit).samples, clip.samples)


def test_continuations_of_a_fading_clip_are_takes_of_their_own(tiny: Engine) -> None:
    """What they share, the clip, is far louder than what sets them apart."""
    fading = 0.3 * noise(3 * RATE)
    fading[2 * RATE :] *= 10 ** (-50 / 20)
    for direction, samples in (("after", fading), ("before", fading[::-1])):
        edit = Continue(prompt="rain", seconds=0.5, takes=3, steps=2, direction=direction)
        assert len(tiny.takes(Region(samples, RATE), edit)) == 3


def test_too_long_a_take_is_refused_before_the_work(
    tiny: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.samples.MAX_SAMPLES", 2 * clip.samples.size)
    for region, edit in (
        (None, Generate(prompt="rain", seconds=3 * clip.length_s, channels=2, rate=clip.rate)),
        (clip, Continue(prompt="rain", seconds=2 * clip.length_s)),
    ):
        points: list[Progress] = []
        with pytest.raises(RequestError, match="at most") as caught:
            tiny.edit(region, edit, points.append)
        assert caught.value.code == "too-long"
        assert {point.stage for point in points} == {"reading the text"}
