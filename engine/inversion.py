"""Keeping the performance: a reverse process that is told the source's own noise.

A stochastic sampler goes from a timestep to the next by

    x_next = mean(x, prediction) + sigma * z        z is fresh noise

Edit-friendly inversion (Huberman-Spiegelglas et al. 2024, section 3; for sound Manor & Michaeli
2024) asks which z would have led from the source, noised to one timestep, to the source, noised to
the next. With these z and the source's own conditioning the process gives the source back; under
another text it keeps what the text doesn't speak of: rhythm, pitch, articulation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.denoise import OnStep, Predict, TakeNoise, join_indices
from engine.schedule import Solver


@torch.inference_mode()
def denoise_preserving(
    predict: Predict,
    predict_source: Predict,
    solver: Solver,
    noise: TakeNoise,
    source: Tensor,
    strengths: Tensor,
    preserve: float,
    on_step: OnStep | None = None,
) -> Tensor:
    """Latents of new takes that keep the source's performance.

    Parameters
    ----------
    predict, predict_source : callable
        The model under the edit's guidance, and under what the source itself sounds like.
    solver : Solver
        DDIM with eta 1; its first timestep is that of the largest strength.
    noise : TakeNoise
    source : Tensor, shape = (n_channels, n_cells, n_bins)
        Clean latents. NaN spreads.
    strengths : Tensor, shape = (n_cells, n_bins)
        As in `denoise`.
    preserve : float
        Share of the source's own noise in every step, from 0 (all fresh) to 1.

    Returns
    -------
    latents : Tensor, shape = (n_takes, n_channels, n_cells, n_bins)
        Where the strength is 0, the source's own.
    """
    joins, n_steps = join_indices(strengths, solver), len(solver.timesteps)
    clean = source.expand(len(noise), *source.shape)
    before = latents = solver.q_sample(clean, noise.draw(source.shape), solver.timesteps[0])
    for index, timestep in enumerate(solver.timesteps):
        held = joins >= index if index > 0 else joins > index
        latents = torch.where(held, before, latents)
        after = clean
        if index + 1 < n_steps:
            after = solver.q_sample(clean, noise.draw(source.shape), solver.timesteps[index + 1])
        mean, sigma = solver.mean(index, predict_source(before, timestep), before)
        # The last step of a process that ends at timestep 0 adds no noise.
        own = (after - mean) / sigma if sigma > 0.0 else torch.zeros_like(after)
        fresh = noise.draw(source.shape)
        step_noise = preserve * own + math.sqrt(1.0 - preserve**2) * fresh
        mean, sigma = solver.mean(index, predict(latents, timestep), latents)
        latents, before = mean + sigma * step_noise, after
        if on_step is not None:
            on_step(index + 1, n_steps)
    return torch.where(joins >= n_steps, clean, latents)
