"""What the edits share: places in the model's time, what pulls them, the order of takes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine import Engine, Hole, Inpaint, Region, Transfer, Vary
from engine.edits import MAX_SEED, Edit
from engine.masks import Grid
from engine.model_input import ModelInput, model_input
from engine.networks import Networks
from engine.region import Take
from engine.takes import box, guidance, own_guidance, rank, strengths_of, take_seeds, without

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
    ranked = rank(networks, takes, heard, (0, RATE))
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
