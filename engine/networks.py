"""A checkpoint's networks behind one object: wave to latents, new latents, latents to wave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine import units
from engine.checkpoint import Checkpoint
from engine.clap import Clap
from engine.denoise import Guidance, OnStep, TakeNoise, Unet, denoise
from engine.device import Placement
from engine.edits import Edit
from engine.latents import Vae
from engine.masks import Grid
from engine.mel import LogMel
from engine.schedule import make_solver
from engine.windows import OnWindow, in_windows

Wave = npt.NDArray[np.float32]
#: Mel frames at a window's border that the vocoder only hears, and the crossfade next to them.
VOCODER_DISCARD_FRAMES = 24
VOCODER_OVERLAP_FRAMES = 64
#: A span is padded with silence to this share of the window: the model never saw less.
SHORTEST_SHARE = 4


@dataclass(frozen=True, eq=False)
class Process:
    """A reverse process to be run.

    Parameters
    ----------
    source : Tensor, shape = (n_channels, n_cells, n_bins)
        Clean latents that are edited.
    strengths : Tensor, shape = (n_cells, n_bins)
    guidance : Guidance
    start : float or None
        The largest strength; None is generation from noise alone.
    seeds : sequence of int
        One a take; they share a batch.
    forget, resample
        As in `denoise`.
    """

    source: Tensor
    strengths: Tensor
    guidance: Guidance
    start: float | None = None
    seeds: Sequence[int] = ()
    forget: bool = True
    resample: int = 1


class Networks:
    """The doors of one checkpoint's networks, placed on a device."""

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        g = checkpoint.geometry
        self.geometry = g
        self.scheduler = checkpoint.scheduler
        self._log_mel = LogMel(rate=g.rate, hop=g.hop_samples, n_mels=g.n_mels, n_fft=g.n_fft)
        self._vae = Vae(
            checkpoint.vae, checkpoint.scaling_factor, g.stride, g.window_frames, placement
        )
        self._unet = Unet(checkpoint.unet, g.window_cells, placement)
        # The vocoder stays in fp32: bf16 has the resolution of 8-bit audio.
        self._vocoder = checkpoint.vocoder.to(placement.device)
        self._device = placement.device
        self.clap = Clap(
            checkpoint.text_encoder,
            checkpoint.tokenizer,
            checkpoint.audio_tower,
            checkpoint.audio_features,
            placement.device,
        )

    @property
    def rate(self) -> int:
        """Samples a second in the model domain."""
        return self.geometry.rate

    @property
    def window_s(self) -> float:
        """Seconds the diffusion model sees at once."""
        return self.geometry.window_frames * self.geometry.hop_samples / self.rate

    @property
    def shortest_s(self) -> float:
        """Seconds it sees at least."""
        return self.window_s / SHORTEST_SHARE

    def padded_samples(self, n_samples: int) -> int:
        """Length the model works on for a span of `n_samples`: whole steps of the UNet's grid."""
        g = self.geometry
        multiple = g.cell_samples * g.multiple_cells
        shortest = g.window_frames * g.hop_samples // SHORTEST_SHARE
        return units.round_up(max(n_samples, shortest, 1), multiple)

    def grid(self, n_samples: int) -> Grid:
        """The latent grid of a span of `n_samples`."""
        g = self.geometry
        n_cells = self.padded_samples(n_samples) // g.cell_samples
        return Grid(n_cells, g.latent_bins, g.cell_samples, g.stride, g.rate)

    @torch.inference_mode()
    def encode(self, wave: Wave, on_window: OnWindow | None = None) -> Tensor:
        """Latents of a wave at the model's rate, padded with silence to `padded_samples`.

        Parameters
        ----------
        wave : ndarray, shape = (n_samples,)
            Any length; finite.

        Returns
        -------
        latents : Tensor, shape = (n_channels, n_cells, n_bins)
        """
        padded = np.zeros(self.padded_samples(len(wave)), np.float32)
        padded[: len(wave)] = wave
        return self._vae.encode(self._log_mel(torch.from_numpy(padded)[None]), on_window)[0]

    def silence(self, n_samples: int) -> Tensor:
        """Zeros in the shape of the latents of a span: a source for pure generation."""
        grid = self.grid(n_samples)
        return torch.zeros(self.geometry.latent_channels, grid.n_cells, grid.n_bins)

    def run(self, process: Process, edit: Edit, on_step: OnStep | None = None) -> Tensor:
        """New latents, shape = (n_takes, n_channels, n_cells, n_bins)."""
        solver = make_solver(self.scheduler, edit.sampler, edit.steps, process.start, edit.eta)
        return denoise(
            self._unet.guided(process.guidance, len(process.seeds)),
            solver,
            TakeNoise(process.seeds),
            process.source,
            process.strengths,
            forget=process.forget,
            resample=process.resample,
            on_step=on_step,
        )

    def decode(self, latents: Tensor, on_window: OnWindow | None = None) -> Tensor:
        """Log-mel, shape = (n_frames, n_mels), of latents (n_channels, n_cells, n_bins)."""
        return self._vae.decode(latents[None], on_window)[0]

    @torch.inference_mode()
    def voice(self, mel: Tensor, on_window: OnWindow | None = None) -> Wave:
        """Waveform, shape = (n_frames * hop,), of a log-mel, shape = (n_frames, n_mels)."""

        def network(frames: Tensor) -> Tensor:
            wave: Tensor = self._vocoder(frames.to(self._device))
            return wave.float().cpu()

        wave = in_windows(
            network,
            mel[None],
            window=max(self.geometry.window_frames, 2 * VOCODER_OVERLAP_FRAMES),
            overlap=VOCODER_OVERLAP_FRAMES,
            discard=VOCODER_DISCARD_FRAMES,
            ratio=self.geometry.hop_samples,
            on_window=on_window,
        )
        answer: Wave = wave[0].numpy()
        return answer
