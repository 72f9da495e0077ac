"""Against others, in fp32: diffusers' pipeline, its schedulers, the papers' formulas."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import tiny as tiny_checkpoint
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from engine.checkpoint import load_checkpoint
from engine.denoise import TakeNoise, denoise
from engine.device import choose
from engine.edits import Generate
from engine.engine import Engine
from engine.networks import Networks, Process
from engine.schedule import make_solver, start_timestep
from engine.takes import guidance

PROMPT, NEGATIVE, SECONDS, STEPS, SEED = "rain on a tin roof", "speech", 0.64, 7, 11


def relative_error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def pipeline_latents(
    folder: Path, guidance_scale: float, steps: int = STEPS, seconds: float = SECONDS
) -> torch.Tensor:
    """Final latents of diffusers' own pipeline on a folder."""
    from diffusers.pipelines.deprecated.audioldm.pipeline_audioldm import AudioLDMPipeline

    parts = load_checkpoint(folder)
    parts.vocoder.device, parts.vocoder.dtype = torch.device("cpu"), torch.float32  # it asks
    pipeline = AudioLDMPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        vocoder=parts.vocoder,
    )
    pipeline.set_progress_bar_config(disable=True)
    seen: list[torch.Tensor] = []
    pipeline(
        PROMPT,
        audio_length_in_s=seconds,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        negative_prompt=NEGATIVE,
        generator=torch.Generator().manual_seed(SEED),
        callback=lambda step, timestep, latents: seen.append(latents.clone()),
    )
    return seen[-1]


def engine_latents(
    folder: Path, guidance_scale: float, steps: int = STEPS, seconds: float = SECONDS
) -> torch.Tensor:
    """Final latents of generate on a folder."""
    networks = Networks(load_checkpoint(folder), choose("cpu", "fp32"))
    edit = Generate(
        prompt=PROMPT,
        negative=NEGATIVE,
        seconds=seconds,
        steps=steps,
        sampler="ddim",
        guidance=guidance_scale,
        seed=SEED,
    )
    source = networks.silence(round(seconds * networks.rate))
    ones = torch.ones(source.shape[1:])
    process = Process(source, ones, guidance(networks, edit), seeds=(edit.seed,))
    return networks.run(process, edit)


@pytest.mark.parametrize("guidance_scale", [1.0, 2.5])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_generate_equals_diffusers_pipeline(
    tmp_path: Path, guidance_scale: float, prediction_type: str
) -> None:
    folder = tiny_checkpoint.build(tmp_path, scheduler={"prediction_type": prediction_type})
    wanted = pipeline_latents(folder, guidance_scale)
    found = engine_latents(folder, guidance_scale)
    assert found.shape == wanted.shape
    assert relative_error(found, wanted) < 1e-4


@pytest.mark.slow
def test_generate_of_pocket_equals_diffusers_pipeline(pocket: Engine) -> None:
    from engine.checkpoint import POCKET

    seconds = 2.56  # half its window; a shorter sound is padded by us and not by diffusers
    wanted = pipeline_latents(POCKET, 2.5, seconds=seconds)
    found = engine_latents(POCKET, 2.5, seconds=seconds)
    assert found.shape == wanted.shape
    assert relative_error(found, wanted) < 1e-4


def abar(config: dict[str, object] = tiny_checkpoint.SCHEDULER) -> torch.Tensor:
    """The papers' cumulated product of 1 - beta."""
    root = torch.linspace(config["beta_start"] ** 0.5, config["beta_end"] ** 0.5, 1000).double()
    return torch.cumprod(1 - root**2, 0)


def toy_model(latents: torch.Tensor, timestep: int) -> torch.Tensor:
    """Stands for a network: smooth, different everywhere, depends on the timestep."""
    return torch.tanh(latents * 0.7 + latents.roll(1, 2) * 0.3 + timestep / 1000)


def reference_transfer(
    source: torch.Tensor, mask: torch.Tensor | None, strength: float, steps: int, seed: int
) -> torch.Tensor:
    """Noise to t, then DDIM down (Song 2021, eq. 12), with the known part put back at each step."""
    alphas, noise = abar(), TakeNoise([seed]).draw(source.shape)
    start = max(round(strength * 1000) - 1, 0)
    times = [start - i * (start + 1) // steps for i in range(steps)] + [-1]
    z = alphas[start].sqrt() * source + (1 - alphas[start]).sqrt() * noise
    for t, after in pairwise(times):
        if mask is not None:
            z = torch.where(mask, z, alphas[t].sqrt() * source + (1 - alphas[t]).sqrt() * noise)
        eps = toy_model(z.float(), t).double()
        clean = (z - (1 - alphas[t]).sqrt() * eps) / alphas[t].sqrt()
        last = alphas[after] if after >= 0 else alphas[0]
        z = last.sqrt() * clean + (1 - last).sqrt() * eps
    return z if mask is None else torch.where(mask, z, source)


@pytest.fixture
def source() -> torch.Tensor:
    return torch.randn(4, 12, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("strength", [0.001, 0.25, 0.5, 0.999, 1.0])
def test_transfer_equals_the_published_formulas(source: torch.Tensor, strength: float) -> None:
    solver = make_solver(tiny_checkpoint.SCHEDULER, "ddim", 5, strength)
    steps = len(solver.timesteps)
    strengths = torch.full(source.shape[1:], strength)
    found = denoise(toy_model, solver, TakeNoise([3]), source, strengths)
    wanted = reference_transfer(source, None, strength, steps, 3)
    assert relative_error(found, wanted) < 1e-5


def test_masked_steps_equal_the_published_formulas(source: torch.Tensor) -> None:
    mask = torch.zeros(source.shape[1:], dtype=torch.bool)
    mask[4:9, 2:] = True
    solver = make_solver(tiny_checkpoint.SCHEDULER, "ddim", 6, 1.0)
    found = denoise(toy_model, solver, TakeNoise([5]), source, mask.float())
    assert relative_error(found, reference_transfer(source, mask, 1.0, 6, 5)) < 1e-5
    assert torch.equal(found[0][:, ~mask], source[:, ~mask])


@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_ddim_steps_equal_diffusers_scheduler(source: torch.Tensor, eta: float) -> None:
    ours = make_solver(tiny_checkpoint.SCHEDULER, "ddim", 4, 0.8, eta)
    assert ours.timesteps == [799, 599, 399, 199]
    theirs = DDIMScheduler(**tiny_checkpoint.SCHEDULER)
    theirs.set_timesteps(5)  # gaps of 200
    fresh = torch.randn(1, *source.shape, generator=torch.Generator().manual_seed(2))
    for index in range(4):
        t = ours.timesteps[index]
        found = ours.step(index, toy_model(source[None], t), source[None], fresh)
        wanted = theirs.step(
            toy_model(source[None], t), t, source[None], eta, variance_noise=fresh if eta else None
        ).prev_sample
        assert torch.equal(found, wanted)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_dpm_steps_equal_diffusers_scheduler(source: torch.Tensor) -> None:
    theirs = DPMSolverMultistepScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        timestep_spacing="trailing",
    )
    theirs.set_timesteps(20)
    ours = make_solver(tiny_checkpoint.SCHEDULER, "dpm++", 20)
    assert ours.timesteps == theirs.timesteps.tolist()
    z = torch.randn(1, *source.shape, generator=torch.Generator().manual_seed(4))
    wanted = z
    for index, t in enumerate(ours.timesteps):
        z = ours.step(index, toy_model(z, t), z, None)
        wanted = theirs.step(toy_model(wanted, t), t, wanted).prev_sample
    assert torch.equal(z, wanted)


def test_strengths_start_where_the_paper_has_them() -> None:
    alphas = abar()
    for strength, wanted in ((0.1, 0.82), (0.25, 0.51), (0.5, 0.114), (0.75, 0.008)):
        assert float(alphas[start_timestep(strength)]) == pytest.approx(wanted, abs=0.01)
