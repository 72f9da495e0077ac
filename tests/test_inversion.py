"""Keeping the performance: what comes back, what is held, and how much is new."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny as tiny_checkpoint
import torch

from engine import Engine, Region, Transfer
from engine.denoise import TakeNoise
from engine.inversion import denoise_preserving
from engine.schedule import Solver, make_solver

SHAPE = (4, 12, 8)


def solver_of(strength: float = 0.6, steps: int = 8) -> Solver:
    return make_solver(tiny_checkpoint.SCHEDULER, "ddim", steps, strength, eta=1.0)


def source_model(latents: torch.Tensor, timestep: int) -> torch.Tensor:
    return torch.tanh(latents + latents.roll(1, 2) + timestep / 1000)


def text_model(latents: torch.Tensor, timestep: int) -> torch.Tensor:
    return source_model(latents, timestep) + 0.2


@pytest.fixture
def source() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


def flat(strength: float) -> torch.Tensor:
    return torch.full(SHAPE[1:], strength)


def test_the_sources_own_text_gives_the_source_back(source: torch.Tensor) -> None:
    """With all of its own noise and nothing else asked for, whatever the model is."""
    made = denoise_preserving(
        source_model, source_model, solver_of(), TakeNoise([3, 4]), source, flat(0.6), 1.0
    )
    assert torch.allclose(made, source.expand(2, -1, -1, -1), atol=1e-4)


def test_more_preserved_is_nearer_to_the_source(source: torch.Tensor) -> None:
    distances = [
        float(
            (
                denoise_preserving(
                    text_model,
                    source_model,
                    solver_of(),
                    TakeNoise(range(8)),
                    source,
                    flat(0.6),
                    preserve,
                )
                - source
            )
            .square()
            .mean()
        )
        for preserve in (0.1, 0.5, 0.8, 1.0)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.3 * distances[0]
    assert distances[-1] > 1e-3  # the text has changed something


def test_cells_of_no_strength_are_the_sources_own_and_late_ones_follow_it(
    source: torch.Tensor,
) -> None:
    strengths = torch.linspace(0.0, 0.6, SHAPE[1])[:, None].expand(-1, SHAPE[2]).contiguous()
    made = denoise_preserving(
        text_model, source_model, solver_of(), TakeNoise([3]), source, strengths, 1.0
    )
    assert torch.equal(made[0, :, 0], source[:, 0])
    change = (made[0] - source).square().mean((0, 2))
    assert float(change[-3:].mean()) > 2 * float(change[1:4].mean())


def test_only_a_stochastic_step_has_a_deviation(source: torch.Tensor) -> None:
    still = make_solver(tiny_checkpoint.SCHEDULER, "ddim", 8, 0.6, eta=0.0)
    with pytest.raises(AssertionError, match="eta"):
        still.mean(0, source[None], source[None])


def test_a_transfer_that_preserves_runs_is_repeatable_and_differs(tiny: Engine) -> None:
    rng = np.random.default_rng(0)
    region = Region((0.1 * rng.standard_normal((16000, 2))).astype(np.float32), 16000)
    edit = Transfer(prompt="rain", strength=0.7, steps=4, preserve=0.8, seed=5)
    take, again = tiny.edit(region, edit), tiny.edit(region, edit)
    plain = tiny.edit(region, dataclasses.replace(edit, preserve=0.0))
    assert np.array_equal(take.samples, again.samples)
    assert take.samples.shape == region.samples.shape
    assert not np.array_equal(take.samples, plain.samples)


def test_the_smallest_strengths_are_no_fault(tiny: Engine, clip: Region) -> None:
    """The last step of a process that reaches timestep 0 adds no noise: none can be found there."""
    for strength, steps in ((0.02, 20), (0.05, 50)):
        edit = Transfer(prompt="rain", strength=strength, preserve=0.8, steps=steps)
        assert np.isfinite(tiny.edit(clip, edit).samples).all()
