"""What works on the tiny checkpoint works at audioldm-s-full-v2's size."""

from __future__ import annotations

from pathlib import Path

import full_size
import numpy as np
import pytest

from engine import Engine, Hole, Inpaint, Region, Transfer
from engine.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_size.build(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return Engine.load(folder, device="cpu")


@pytest.fixture(scope="module")
def clip() -> Region:
    time_s = np.arange(48000 * 10) / 48000
    tone = 0.3 * np.sin(2 * np.pi * 440 * time_s) * (1 + np.sin(2 * np.pi * 2 * time_s))
    return Region(np.stack((tone, 0.5 * tone), 1).astype(np.float32), 48000)


def test_its_numbers(engine: Engine, folder: Path) -> None:
    g = engine.networks.geometry
    assert (g.rate, g.hop_samples, g.n_mels, g.stride) == (16000, 160, 64, 4)
    assert (g.window_cells, g.latent_bins, g.latent_channels) == (256, 16, 8)
    weights = sum(p.numel() for p in load_checkpoint(folder).unet.parameters())
    assert weights == 185_036_552


def test_transfer(engine: Engine, clip: Region) -> None:
    take = engine.edit(clip, Transfer(prompt="rain", steps=2))
    assert take.samples.shape == clip.samples.shape
    assert np.isfinite(take.samples).all()
    assert not np.array_equal(take.samples, clip.samples)


def test_inpaint(engine: Engine, clip: Region) -> None:
    hole = Hole(200_000, 48_000)
    take = engine.edit(clip, Inpaint(prompt="rain", holes=(hole,), steps=2))
    inside = slice(hole.start_frames, hole.stop_frames)
    changed = take.samples != clip.samples
    assert changed[inside].mean() > 0.9
    changed[inside] = False
    assert not changed.any()
