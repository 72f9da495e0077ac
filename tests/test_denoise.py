"""The reverse process: what is held, what is new, guidance, noise, cancel."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny as tiny_checkpoint
import torch

from engine.checkpoint import load_checkpoint
from engine.denoise import Guidance, Sparing, TakeNoise, Unet, denoise, join_indices
from engine.device import choose
from engine.errors import Cancelled
from engine.schedule import Solver, make_solver

SHAPE = (4, 12, 8)
TOWARDS, AWAY = torch.eye(24)[0], torch.eye(24)[1]


def solver_of(sampler: str = "dpm++", steps: int = 5, strength: float = 1.0) -> Solver:
    return make_solver(tiny_checkpoint.SCHEDULER, sampler, steps, strength)


def model(latents: torch.Tensor, timestep: int) -> torch.Tensor:
    return torch.tanh(latents + latents.roll(1, 2) + timestep / 1000)


@pytest.fixture
def source() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def unet(tiny_folder) -> Unet:
    return Unet(load_checkpoint(tiny_folder).unet, 32, 2, choose("cpu", "fp32"))


@pytest.mark.parametrize("sampler", ["dpm++", "ddim"])
@pytest.mark.parametrize("resample", [1, 3])
def test_kept_cells_are_the_sources_own(source: torch.Tensor, sampler: str, resample: int) -> None:
    mask = torch.zeros(SHAPE[1:])
    mask[3:7] = 1.0
    noise = TakeNoise([0, 1])
    latents = denoise(model, solver_of(sampler), noise, source, mask, True, resample)
    assert torch.equal(latents[:, :, mask == 0], source[None][:, :, mask == 0].expand(2, -1, -1))
    assert not torch.isclose(latents[:, :, mask == 1], source[:, mask == 1]).any(dim=2).all()


def test_the_model_sees_the_source_at_the_right_noise(source: torch.Tensor) -> None:
    """At each step the kept part shown to the model is the source noised to that very step."""
    mask = torch.zeros(SHAPE[1:])
    mask[5:] = 1.0
    solver, first = solver_of(), TakeNoise([4]).draw(SHAPE)
    shown = []

    def watch(latents: torch.Tensor, timestep: int) -> torch.Tensor:
        wanted = solver.q_sample(source, first, timestep)
        shown.append(torch.allclose(latents[..., :5, :], wanted[..., :5, :], atol=1e-6))
        return model(latents, timestep)

    denoise(watch, solver, TakeNoise([4]), source, mask)
    assert shown == [True] * 5


def test_cells_join_at_their_own_strength(source: torch.Tensor) -> None:
    """Each cell follows the source down to its own start, and is the model's from there on."""
    strengths = torch.linspace(0.0, 1.0, SHAPE[1])[:, None].expand(-1, SHAPE[2]).contiguous()
    solver, first = solver_of(steps=10), TakeNoise([4]).draw(SHAPE)
    joins = join_indices(strengths, solver)
    held = []

    def watch(latents: torch.Tensor, timestep: int) -> torch.Tensor:
        wanted = solver.q_sample(source, first, timestep)
        held.append(torch.isclose(latents, wanted, atol=1e-6).all(1)[0])
        return model(latents, timestep)

    latents = denoise(watch, solver, TakeNoise([4]), source, strengths)
    for index, cells in enumerate(held):
        assert torch.equal(cells, joins >= index)
    assert torch.equal(latents[0, :, 0], source[:, 0])


def test_joining_later_is_a_shallower_process(source: torch.Tensor) -> None:
    """A flat strength is what the solver of that strength does alone."""
    strengths = torch.full(SHAPE[1:], 0.4)
    found = denoise(model, solver_of(strength=0.4), TakeNoise([2]), source, strengths)
    z = solver_of(strength=0.4).q_sample(source, TakeNoise([2]).draw(SHAPE), 399)
    solver = solver_of(strength=0.4)
    for index, t in enumerate(solver.timesteps):
        z = solver.step(index, model(z, t), z, None)
    assert torch.equal(found, z)


def test_a_forgotten_source_is_not_looked_at(source: torch.Tensor) -> None:
    ones = torch.ones(SHAPE[1:])
    first = denoise(model, solver_of(), TakeNoise([2]), source, ones, forget=True)
    other = denoise(model, solver_of(), TakeNoise([2]), 50 * source, ones, forget=True)
    seen = denoise(model, solver_of(), TakeNoise([2]), 50 * source, ones, forget=False)
    assert torch.equal(first, other)
    assert not torch.allclose(first, seen, atol=1e-3)


def test_takes_are_their_seeds(source: torch.Tensor) -> None:
    strengths = torch.full(SHAPE[1:], 0.6)
    three = denoise(model, solver_of(strength=0.6), TakeNoise([5, 6, 7]), source, strengths)
    for index, seed in enumerate((5, 6, 7)):
        alone = denoise(model, solver_of(strength=0.6), TakeNoise([seed]), source, strengths)
        assert torch.allclose(three[index], alone[0], atol=1e-6)
    assert not torch.allclose(three[0], three[1], atol=1e-2)


def test_noise_is_gaussian_and_its_seeds_own() -> None:
    noise = TakeNoise([1, 2]).draw((4, 100, 16))
    assert torch.equal(noise[1], TakeNoise([2]).draw((4, 100, 16))[0])
    assert abs(float(noise.mean())) < 0.05
    assert float(noise.std()) == pytest.approx(1.0, abs=0.05)
    assert abs(float((noise[0] * noise[1]).mean())) < 0.05
    TakeNoise([2**63 - 1]).draw((1,))


def test_resampling_runs_each_step_again(source: torch.Tensor) -> None:
    calls: list[int] = []

    def count(latents: torch.Tensor, timestep: int) -> torch.Tensor:
        calls.append(timestep)
        return model(latents, timestep)

    solver = solver_of()
    denoise(count, solver, TakeNoise([0]), source, torch.ones(SHAPE[1:]), resample=3)
    assert calls == [t for t in solver.timesteps for _ in range(3)]


def test_eta_draws_fresh_noise(source: torch.Tensor) -> None:
    ones = torch.ones(SHAPE[1:])

    def run(eta: float) -> torch.Tensor:
        solver = make_solver(tiny_checkpoint.SCHEDULER, "ddim", 5, 1.0, eta)
        return denoise(model, solver, TakeNoise([0]), source, ones)

    assert not torch.allclose(run(1.0), run(0.0), atol=1e-2)
    assert torch.equal(run(1.0), run(1.0))


def test_every_step_is_heard_and_may_stop_it(source: torch.Tensor) -> None:
    heard = []

    def listen(step: int, steps: int) -> None:
        heard.append((step, steps))
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        denoise(model, solver_of(), TakeNoise([0]), source, torch.ones(SHAPE[1:]), on_step=listen)
    assert heard == [(1, 5), (2, 5)]


def test_guidance_is_the_formula(unet: Unet) -> None:
    z = torch.randn(2, *SHAPE)
    towards = unet.guided(Guidance(TOWARDS, AWAY, 1.0), 2)(z, 500)
    away = unet.guided(Guidance(AWAY, AWAY, 1.0), 2)(z, 500)
    found = unet.guided(Guidance(TOWARDS, AWAY, 3.0), 2)(z, 500)
    assert torch.allclose(found, away + 3.0 * (towards - away), atol=1e-4)
    assert not torch.allclose(towards, away, atol=1e-4)
    assert torch.allclose(unet.guided(Guidance(TOWARDS, AWAY, 0.0), 2)(z, 500), away, atol=1e-4)


def test_no_guidance_runs_half_the_batch(tiny_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = load_checkpoint(tiny_folder).unet, []
    forward = network.forward

    def watched(sample: torch.Tensor, *args: object, **kwargs: object) -> object:
        rows.append(len(sample))
        return forward(sample, *args, **kwargs)

    monkeypatch.setattr(network, "forward", watched)
    unet = Unet(network, 32, 2, choose("cpu", "fp32"))
    for weight in (1.0, 2.5):
        unet.guided(Guidance(TOWARDS, AWAY, weight), 3)(torch.randn(3, *SHAPE), 10)
    assert rows == [3, 6]


def test_guidance_may_hold_for_some_steps_only(unet: Unet) -> None:
    z, pull = torch.randn(2, *SHAPE), Guidance(TOWARDS, AWAY, 3.0)
    sparing = Sparing.of_steps([900, 700, 500, 300, 100], 0.2, 0.6, reuse=1)
    assert sparing.guided == {700, 500}
    predict, always = unet.guided(pull, 2, sparing), unet.guided(pull, 2)
    never = unet.guided(replace(pull, weight=1.0), 2)
    for timestep in (900, 300, 100):
        assert torch.allclose(predict(z, timestep), never(z, timestep), atol=1e-5)
    for timestep in (700, 500):
        assert torch.allclose(predict(z, timestep), always(z, timestep), atol=1e-5)
        assert not torch.allclose(predict(z, timestep), never(z, timestep), atol=1e-3)


@pytest.mark.parametrize("n_cells", [12, 200])
def test_steps_may_share_the_lower_levels(
    tiny_folder, monkeypatch: pytest.MonkeyPatch, n_cells: int
) -> None:
    """The middle runs at every second step; what is new at the top still counts in between."""
    network, runs = load_checkpoint(tiny_folder).unet, []
    forward = network.mid_block.forward  # before it is wrapped
    network.mid_block.forward = lambda *x, **given: (runs.append(1), forward(*x, **given))[1]
    monkeypatch.setattr("engine.denoise.BATCH_NUMBERS", 0)  # a window at a time
    unet, pull = Unet(network, 32, 2, choose("cpu", "fp32")), Guidance(TOWARDS, AWAY, 3.0)
    z, other = torch.randn(2, 4, n_cells, 16), torch.randn(2, 4, n_cells, 16)
    whole = unet.guided(pull, 2)
    wanted = whole(z, 500)
    n_windows = len(runs)
    assert n_windows == (1 if n_cells == 12 else 6)

    runs.clear()
    predict = unet.guided(pull, 2, Sparing(reuse=2))
    assert torch.equal(predict(z, 500), wanted)
    assert torch.equal(predict(z, 500), wanted)  # the same input: nothing is lost
    assert len(runs) == n_windows
    assert torch.equal(predict(other, 300), whole(other, 300))
    shared = predict(z, 300)
    assert len(runs) == 3 * n_windows  # `whole` had its own
    assert torch.isfinite(shared).all()
    assert not torch.allclose(shared, predict(z, 300))


def test_another_number_of_rows_shares_nothing(unet: Unet) -> None:
    z, pull = torch.randn(2, *SHAPE), Guidance(TOWARDS, AWAY, 3.0)
    predict = unet.guided(pull, 2, Sparing(frozenset({500}), reuse=10))
    assert torch.equal(predict(z, 500), unet.guided(pull, 2)(z, 500))
    alone = unet.guided(replace(pull, weight=1.0), 2)
    assert torch.equal(predict(z, 300), alone(z, 300))


def test_long_clips_go_in_windows(tiny_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    network, widths = load_checkpoint(tiny_folder).unet, []
    forward = network.forward

    def watched(sample: torch.Tensor, *args: object, **kwargs: object) -> object:
        widths.append(sample.shape[3])
        return forward(sample, *args, **kwargs)

    monkeypatch.setattr(network, "forward", watched)
    predict = Unet(network, 32, 2, choose("cpu", "fp32")).guided(Guidance(TOWARDS, AWAY, 1.0), 1)
    z = torch.randn(1, 4, 200, 16)
    together = predict(z, 300)
    assert widths == [40]  # a batch of windows a quarter wider than trained on
    monkeypatch.setattr("engine.denoise.BATCH_NUMBERS", 0)
    apart = predict(z, 300)
    assert widths[1:] == [40] * 6  # 1 + ceil(160 / 32)
    assert together.shape == z.shape
    assert torch.allclose(together, apart, atol=1e-4)
