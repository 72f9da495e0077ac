"""The noise schedule: which steps an edit runs, and one step of a sampler.

The forward process noises clean latents z0 to any timestep t (Ho 2020, equation 4):

    q_sample(z0, t) = sqrt(abar_t) z0 + sqrt(1 - abar_t) noise

The solvers are diffusers'. Ours is the choice of timesteps: all steps asked for are spent on the
part of the process that is run, from exactly the timestep the strength maps to.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

#: What DPM-Solver++ takes from a checkpoint's scheduler: the noise, not another solver's habits.
NOISE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
)


def start_timestep(strength: float, n_train: int = 1000) -> int:
    """Timestep a strength maps to: -1 for 0 (nothing is run), the last one for 1."""
    if strength <= 0.0:
        return -1
    return min(max(round(strength * n_train) - 1, 0), n_train - 1)


class Solver:
    """A sampler on the timesteps of one edit.

    Parameters
    ----------
    scheduler : DDIMScheduler or DPMSolverMultistepScheduler
    timesteps : list of int
        Descending; the step after the last one ends at clean latents.
    eta : float
        Share of fresh noise a DDIM step adds back.
    """

    def __init__(self, scheduler: Any, timesteps: list[int], eta: float = 0.0) -> None:
        assert timesteps == sorted(set(timesteps), reverse=True), "timesteps must descend"
        self.timesteps = timesteps
        self.eta = eta
        self.alphas: Tensor = scheduler.alphas_cumprod.double()
        self._scheduler = scheduler
        self._equal_gaps = scheduler.num_inference_steps

    @property
    def n_train(self) -> int:
        """Timesteps the model was trained on."""
        return len(self.alphas)

    def q_sample(self, clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """Clean latents noised to a timestep; shapes are free but equal."""
        alpha = self.alphas[timestep]
        return float(alpha.sqrt()) * clean + float((1 - alpha).sqrt()) * noise

    def step(self, index: int, prediction: Tensor, latents: Tensor, noise: Tensor | None) -> Tensor:
        """Latents one step cleaner: from timesteps[index] to the next one, or to clean.

        Parameters
        ----------
        index : int
        prediction : Tensor
            What the model says of `latents`, of the checkpoint's prediction type.
        latents : Tensor, shape = (n_batch, n_channels, n_cells, n_bins)
        noise : Tensor or None
            Fresh noise; needed where eta > 0.
        """
        timestep = self.timesteps[index]
        options: dict[str, Any] = {}
        if self._is_ddim:
            options = {"eta": self.eta, "variance_noise": noise if self.eta > 0.0 else None}
            self._scheduler.num_inference_steps = self._gap(index)
        answer = self._scheduler.step(prediction, timestep, latents, **options)
        return answer.prev_sample  # type: ignore[no-any-return]

    def mean(self, index: int, prediction: Tensor, latents: Tensor) -> tuple[Tensor, float]:
        """What `step` gives with eta 1 and no noise, and the deviation of the noise it adds."""
        assert self._is_ddim, "another solver's steps have no deviation"
        assert self.eta == 1.0, "neither has a step without eta"
        still = self.step(index, prediction, latents, torch.zeros_like(latents))
        moved = self.step(index, prediction, latents, torch.ones_like(latents))
        return still, float((moved - still).flatten()[0])

    def renoise(self, latents: Tensor, index: int, noise: Tensor) -> Tensor:
        """Undo step `index`: noise latents from the next timestep back up to timesteps[index]."""
        following = self._following(index)
        before = self.alphas[following] if following >= 0 else torch.ones(())
        ratio = self.alphas[self.timesteps[index]] / before
        return float(ratio.sqrt()) * latents + float((1 - ratio).sqrt()) * noise

    def copy(self) -> Solver:
        """The solver with its memory of past steps as it is now."""
        return copy.deepcopy(self)

    @property
    def _is_ddim(self) -> bool:
        return hasattr(self._scheduler, "final_alpha_cumprod")

    def _following(self, index: int) -> int:
        return self.timesteps[index + 1] if index + 1 < len(self.timesteps) else -1

    def _gap(self, index: int) -> Any:
        """What makes diffusers' DDIM step to our next timestep: it subtracts n_train // this."""
        if self._equal_gaps is not None:
            return self._equal_gaps
        return Fraction(self.n_train, self.timesteps[index] - self._following(index))


def make_solver(
    config: Mapping[str, Any],
    sampler: str = "dpm++",
    steps: int = 20,
    strength: float | None = None,
    eta: float = 0.0,
) -> Solver:
    """The solver of an edit.

    Parameters
    ----------
    config : Mapping
        The checkpoint's scheduler config.
    sampler : str
        "dpm++" (DPM-Solver++ 2M, Lu 2022) or "ddim" (Song 2021).
    steps : int
        Steps to spend; fewer are run where the part of the process has fewer timesteps.
    strength : float or None
        The reverse process starts at `start_timestep(strength)`. None is pure noise: with DDIM on
        the checkpoint's own spacing of steps, as diffusers' AudioLDMPipeline does it.
    eta : float
        DDIM only.
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    n_train = int(config.get("num_train_timesteps", 1000))
    timesteps = _spread(start_timestep(1.0 if strength is None else strength, n_train), steps)
    if sampler == "dpm++":
        noise = {key: config[key] for key in NOISE_KEYS if key in config}
        dpm = DPMSolverMultistepScheduler(**noise, algorithm_type="dpmsolver++", solver_order=2)
        with warnings.catch_warnings():  # it calls np.array on tensors, which NumPy 2 frowns at
            warnings.simplefilter("ignore", DeprecationWarning)
            dpm.set_timesteps(timesteps=timesteps)
        return Solver(dpm, timesteps)
    known = inspect.signature(DDIMScheduler.__init__).parameters
    ddim = DDIMScheduler(**{key: value for key, value in config.items() if key in known})
    if strength is None:
        ddim.set_timesteps(min(steps, n_train))
        timesteps = [int(t) for t in ddim.timesteps]
    return Solver(ddim, timesteps, eta)


def _spread(start: int, steps: int) -> list[int]:
    """Timesteps from `start` down, evenly ("trailing", Lin 2023), as many as there are at most."""
    assert start >= 0, "strength 0 runs nothing"
    steps = min(steps, start + 1)
    return [start - i * (start + 1) // steps for i in range(steps)]
