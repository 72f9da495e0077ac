"""Which timesteps are run, and what a step is. test_parity holds values against the papers."""

from __future__ import annotations

import pytest
import tiny as tiny_checkpoint
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.schedule import make_solver, start_timestep

CONFIG = tiny_checkpoint.SCHEDULER


@pytest.mark.parametrize(
    ("strength", "timestep"),
    [(0.0, -1), (1e-9, 0), (0.001, 0), (0.5, 499), (0.9999, 999), (1.0, 999)],
)
def test_strength_maps_to_a_timestep_in_bounds(strength: float, timestep: int) -> None:
    assert start_timestep(strength) == timestep


@given(st.floats(1e-6, 1.0), st.integers(1, 1000), st.sampled_from(["dpm++", "ddim"]))
def test_all_steps_go_to_the_part_that_is_run(strength: float, steps: int, sampler: str) -> None:
    timesteps = make_solver(CONFIG, sampler, steps, strength).timesteps
    start = start_timestep(strength)
    assert timesteps[0] == start
    assert len(timesteps) == min(steps, start + 1)
    assert timesteps == sorted(set(timesteps), reverse=True)
    assert timesteps[-1] >= 0


def test_pure_noise_with_ddim_takes_the_checkpoints_own_spacing() -> None:
    assert make_solver(CONFIG, "ddim", 4).timesteps == [751, 501, 251, 1]
    trailing = CONFIG | {"timestep_spacing": "trailing", "steps_offset": 0}
    assert make_solver(trailing, "ddim", 4).timesteps == [999, 749, 499, 249]


@pytest.mark.parametrize("sampler", ["dpm++", "ddim"])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [1, 2, 3, 20])
def test_a_perfect_model_lands_on_the_clean_latents(
    sampler: str, prediction_type: str, steps: int
) -> None:
    """A model that knows the clean latents leads every solver back to them."""
    solver = make_solver(CONFIG | {"prediction_type": prediction_type}, sampler, steps, 0.7)
    clean = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0)).double()
    noise = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(1)).double()
    z = solver.q_sample(clean, noise, solver.timesteps[0])
    for index, t in enumerate(solver.timesteps):
        alpha = solver.alphas[t]
        eps = (z - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        v = alpha.sqrt() * eps - (1 - alpha).sqrt() * clean
        z = solver.step(index, eps if prediction_type == "epsilon" else v, z, None).double()
    if sampler == "ddim":  # with set_alpha_to_one false, DDIM ends at timestep 0, not at clean
        clean = solver.q_sample(clean, noise, 0)
    assert float((z - clean).abs().max()) < 1e-4


def test_q_sample_is_the_forward_process() -> None:
    solver = make_solver(CONFIG, "ddim", 5, 1.0)
    clean, noise = torch.full((1,), 3.0), torch.full((1,), -2.0)
    for t in (0, 300, 999):
        alpha = float(solver.alphas[t])
        wanted = alpha**0.5 * 3.0 - (1 - alpha) ** 0.5 * 2.0
        assert float(solver.q_sample(clean, noise, t)) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("sampler", ["dpm++", "ddim"])
def test_renoise_undoes_a_step_in_distribution(sampler: str) -> None:
    """Noised to t_next and renoised to t has the mean and variance of noised to t."""
    solver = make_solver(CONFIG, sampler, 4, 0.8)
    generator = torch.Generator().manual_seed(0)
    clean = torch.full((200_000,), 2.0)
    for index in range(4):
        last = index + 1 == len(solver.timesteps)
        at_next = (
            clean
            if last
            else solver.q_sample(
                clean, torch.randn(200_000, generator=generator), solver.timesteps[index + 1]
            )
        )
        found = solver.renoise(at_next, index, torch.randn(200_000, generator=generator))
        alpha = float(solver.alphas[solver.timesteps[index]])
        assert float(found.mean()) == pytest.approx(2.0 * alpha**0.5, abs=0.01)
        assert float(found.var()) == pytest.approx(1 - alpha, rel=0.02)


def test_a_copy_keeps_its_own_memory() -> None:
    """Stepping a copy of a multistep solver leaves the solver as it was."""
    solver, plain = (make_solver(CONFIG, "dpm++", 6, 1.0) for _ in range(2))
    z = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    a = b = z
    for index in range(6):
        solver.copy().step(index, torch.zeros_like(z), z, None)
        a = solver.step(index, a.tanh(), a, None)
        b = plain.step(index, b.tanh(), b, None)
    assert torch.equal(a, b)


def test_eta_adds_noise() -> None:
    z = torch.randn(1, 4, 6, 8)
    solver = make_solver(CONFIG, "ddim", 6, 1.0, eta=1.0)
    one = solver.step(0, z, z, torch.zeros_like(z))
    two = solver.step(0, z, z, torch.ones_like(z))
    assert float((two - one).min()) > 0.0
