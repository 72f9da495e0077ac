"""The reverse process: one loop for every edit, and the guided, windowed model inside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import torch
from torch import Tensor

from engine.compiling import compiled
from engine.depths import Depths, Kept
from engine.device import Placement
from engine.kernels import prepared, turned_input, turned_output
from engine.schedule import Solver, start_timestep
from engine.windows import OnWindow, fitted_window, in_windows

#: Windows share a batch as long as its first activations hold no more numbers: small ones waste
#: time between kernels, large ones leave the cache.
BATCH_NUMBERS = 2**20
#: What the model says of noisy latents at a timestep.
Predict = Callable[[Tensor, int], Tensor]
#: Hears (steps done, steps to do) after each step.
OnStep = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Guidance:
    """What pulls the model (Ho 2022): prediction = away + weight * (towards - away).

    `towards` and `away` are CLAP embeddings, shape = (width,). With weight 1 `away` isn't asked.
    """

    towards: Tensor
    away: Tensor
    weight: float

    def rows(self, n_takes: int) -> Tensor:
        """The batch's embeddings, `away` first, shape = (n_rows, width)."""
        towards = self.towards.expand(n_takes, -1)
        if self.weight == 1.0:
            return towards
        return torch.cat((self.away.expand(n_takes, -1), towards))

    def combine(self, predictions: Tensor) -> Tensor:
        """One prediction a take from those of `rows`."""
        if self.weight == 1.0:
            return predictions
        away, towards = predictions.chunk(2)
        return away + self.weight * (towards - away)


@dataclass(frozen=True)
class Sparing:
    """What steps do without; nothing, unless told so.

    Parameters
    ----------
    guided : frozenset of int, optional
        Timesteps that are guided (Kynkäänniemi et al. 2024), None for all; at others the weight
        is 1.
    reuse : int
        Predictions that share one run of the UNet's lower levels; see depths.py.
    """

    guided: frozenset[int] | None = None
    reuse: int = 1

    @classmethod
    def of_steps(cls, timesteps: Sequence[int], start: float, end: float, reuse: int) -> Sparing:
        """Guidance from a share of the steps up to another; a step counts by its beginning."""
        n = len(timesteps)
        return cls(frozenset(t for i, t in enumerate(timesteps) if start <= i / n < end), reuse)


#: Every step guided, and run whole.
NOT_SPARING = Sparing()


class Unet:
    """The diffusion model's door: any number of cells, in windows of about what it was
    trained on.

    Predictions of overlapping windows are averaged at every step, so that the windows make one
    sound (MultiDiffusion, Bar-Tal 2023).

    Parameters
    ----------
    network : UNet2DConditionModel
        Changed for this door's use; see `kernels.prepared`.
    window_cells, multiple_cells : int
        What it was trained on, and what a window's width must be a multiple of.
    placement : Placement
    """

    def __init__(
        self, network: Any, window_cells: int, multiple_cells: int, placement: Placement
    ) -> None:
        self._network = prepared(network, placement)
        self._window, self._multiple, self._placement = window_cells, multiple_cells, placement
        self._overlap = window_cells // 4
        self._first_width = int(network.config.block_out_channels[0])
        self._depths = Depths(self._network)
        self._fast = compiled(self._network.forward) if placement.is_compiled else self._network

    def guided(
        self,
        guidance: Guidance,
        n_takes: int,
        sparing: Sparing = NOT_SPARING,
        on_window: OnWindow | None = None,
    ) -> Predict:
        """The model under guidance, for a batch of `n_takes`: a predictor of one process.

        `on_window` hears, where a clip takes several windows, the share of a prediction that is
        done after each batch of them; it may raise to stop.
        """
        pulls = {True: guidance, False: replace(guidance, weight=1.0)}
        labels = {is_guided: self._labels(pull, n_takes) for is_guided, pull in pulls.items()}
        kept = Kept(sparing.reuse)

        def predict(latents: Tensor, timestep: int) -> Tensor:
            is_guided = sparing.guided is None or timestep in sparing.guided
            own = labels[is_guided]
            rows = latents.repeat(len(own) // n_takes, 1, 1, 1)
            return pulls[is_guided].combine(self._windowed(rows, timestep, own, kept, on_window))

        return predict

    def _labels(self, guidance: Guidance, n_takes: int) -> Tensor:
        return guidance.rows(n_takes).to(self._placement.device, self._placement.dtype)

    @torch.inference_mode()
    def _windowed(
        self,
        rows: Tensor,
        timestep: int,
        labels: Tensor,
        kept: Kept,
        on_window: OnWindow | None,
    ) -> Tensor:
        batches = count()
        kept.next(len(rows))
        # What is kept from step to step may not lie in a CUDA graph's own memory.
        forward = self._fast if kept.is_idle else self._network

        def network(cells: Tensor) -> Tensor:  # (n_windows * n_rows, cells, c, bins), both ways
            own = labels.repeat(len(cells) // len(labels), 1)
            with self._depths.of(kept, next(batches)):
                x = turned_input(cells.transpose(1, 2), self._placement)
                answer = forward(x, timestep, encoder_hidden_states=None, class_labels=own)
                return turned_output(answer.sample).transpose(1, 2)

        n_rows, _, n_cells, n_bins = rows.shape
        window = fitted_window(n_cells, self._window, self._overlap, self._multiple)
        at_once = max(1, BATCH_NUMBERS // (n_rows * window * n_bins * self._first_width))
        cells = in_windows(
            network,
            rows.transpose(1, 2),
            window,
            self._overlap,
            0,
            on_window=on_window,
            at_once=at_once,
        )
        return cells.transpose(1, 2)


class TakeNoise:
    """Gaussian noise, one generator a take: the same seed gives the same noise on every device.

    Parameters
    ----------
    seeds : sequence of int
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return len(self._generators)

    def draw(self, shape: Sequence[int]) -> Tensor:
        """Noise of shape = (n_takes, *shape), float32 on the CPU."""
        return torch.stack([torch.randn(*shape, generator=g) for g in self._generators])


@torch.inference_mode()
def denoise(
    predict: Predict,
    solver: Solver,
    noise: TakeNoise,
    source: Tensor,
    strengths: Tensor,
    forget: bool = False,
    resample: int = 1,
    on_step: OnStep | None = None,
) -> Tensor:
    """Latents of new takes: a source edited as strongly as each cell asks.

    Every cell follows the source, noised to the step's own level, until the step its strength maps
    to; from there on the model has it. So one strength everywhere is the shallow reverse process of
    style transfer (AudioLDM, section 3.4), and strengths of 0 and 1 are masked generation (3.5).

    Parameters
    ----------
    predict : callable
    solver : Solver
        Its first timestep is that of the largest strength.
    noise : TakeNoise
        The first draw noises the source; later ones go to eta and resampling.
    source : Tensor, shape = (n_channels, n_cells, n_bins)
        Clean latents. NaN spreads.
    strengths : Tensor, shape = (n_cells, n_bins)
        From 0 (kept exactly) to 1.
    forget : bool
        Whether cells of strength 1 start from noise alone: the last timestep still shows a
        hundredth of the source.
    resample : int
        Times each step is run, noised back up in between, so that old and new grow together
        (RePaint, Lugmayr 2022).
    on_step : callable, optional
        May raise to stop.

    Returns
    -------
    latents : Tensor, shape = (n_takes, n_channels, n_cells, n_bins)
        Where the strength is 0, the source's own.
    """
    first = noise.draw(source.shape)
    known = _Known(source, first, strengths, solver, forget)
    latents, n_steps = known.start(), len(solver.timesteps)
    for index, timestep in enumerate(solver.timesteps):
        latents = known.hold(latents, index)
        for again in reversed(range(resample)):
            stepper = solver.copy() if again else solver
            fresh = noise.draw(source.shape) if solver.eta > 0.0 else None
            cleaner = stepper.step(index, predict(latents, timestep), latents, fresh)
            if again:
                dirtier = solver.renoise(cleaner, index, noise.draw(source.shape))
                latents = known.hold(dirtier, index, joining=False)
        latents = cleaner
        if on_step is not None:
            on_step(index + 1, n_steps)
    return known.restore(latents)


class _Known:
    """The source's part in the process: noised to each step's level where it is still held."""

    def __init__(
        self, source: Tensor, noise: Tensor, strengths: Tensor, solver: Solver, forget: bool
    ) -> None:
        self._source, self._noise, self._solver = source, noise, solver
        self._joins = join_indices(strengths, solver)  # (n_cells, n_bins)
        self._forgotten = (strengths >= 1.0) & torch.tensor(forget)

    def start(self) -> Tensor:
        """Every take at the first timestep."""
        noised = self._noised(0)
        return torch.where(self._forgotten, self._noise, noised)

    def hold(self, latents: Tensor, index: int, joining: bool = True) -> Tensor:
        """Put the noised source back where it is held at a step.

        `joining` is whether cells that join at this very step are still to get their start.
        """
        held = self._joins >= index if joining and index > 0 else self._joins > index
        return torch.where(held, self._noised(index), latents)

    def restore(self, latents: Tensor) -> Tensor:
        """Put the clean source back where no step was run."""
        return torch.where(self._joins >= len(self._solver.timesteps), self._source, latents)

    def _noised(self, index: int) -> Tensor:
        timestep = self._solver.timesteps[index]
        return self._solver.q_sample(self._source.expand_as(self._noise), self._noise, timestep)


def join_indices(strengths: Tensor, solver: Solver) -> Tensor:
    """Index of the step at which each cell joins the reverse process; past the last one for never.

    Returns
    -------
    joins : Tensor of int, shape of `strengths`
    """
    values, places = torch.unique(strengths, return_inverse=True)  # most cells share a strength
    own = torch.tensor([start_timestep(float(value), solver.n_train) for value in values])
    later = torch.tensor(solver.timesteps)[None, :] > own[:, None]  # (n_values, n_steps)
    return later.sum(1)[places]
