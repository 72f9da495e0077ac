"""A checkpoint's networks behind one object: wave to latents, new latents, latents to wave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine import units
from engine.cache import Cache
from engine.checkpoint import Checkpoint
from engine.clap import Clap
from engine.denoise import Guidance, OnStep, Sparing, Unet, denoise
from engine.device import Placement
from engine.edits import Edit
from engine.exploring import take_noise
from engine.guess import Mel, MelGrid
from engine.harmonics import Joined
from engine.inversion import denoise_preserving
from engine.laion import LaionClap
from engine.latents import Vae
from engine.masks import Grid
from engine.mel import LogMel
from engine.schedule import Solver, make_solver
from engine.timeline import Timeline, guided
from engine.voices import prepared_vocoder
from engine.windows import OnWindow, fitted_window, in_windows, window_starts

Wave = npt.NDArray[np.float32]
MelChange = Callable[[Mel], Mel]
#: Mel frames at a window's border that the vocoder only hears, and the crossfade next to them.
VOCODER_DISCARD_FRAMES = 24
VOCODER_OVERLAP_FRAMES = 64
#: A span is padded with silence to this share of the window: the model never saw less.
SHORTEST_SHARE = 4
#: What is kept of regions for another edit of the same one: ten minutes of a clip, or some dozens
#: of short regions (each has up to four entries).
MAX_KEPT_BYTES, MAX_KEPT = 2**26, 128
#: And of their own sounds, whose spectra take eight times the room of their samples.
MAX_OWN_BYTES, MAX_OWN = 9 * 2**23, 4


@dataclass(frozen=True, eq=False)
class Process:
    """A reverse process to be run.

    Parameters
    ----------
    source : Tensor, shape = (n_channels, n_cells, n_bins)
        Clean latents that are edited.
    strengths : Tensor, shape = (n_cells, n_bins)
    guidance : Guidance or Timeline
    start : float or None
        The largest strength; None is generation from noise alone.
    seeds : sequence of int
        One a take; they share a batch.
    forget, resample
        As in `denoise`.
    preserve : float
        Share of the source's own noise; more than 0 takes `denoise_preserving`.
    own : Guidance, optional
        What the source itself sounds like; needed where `preserve` is more than 0.
    """

    source: Tensor
    strengths: Tensor
    guidance: Guidance | Timeline
    start: float | None = None
    seeds: Sequence[int] = ()
    forget: bool = True
    resample: int = 1
    preserve: float = 0.0
    own: Guidance | None = None


class Networks:
    """The doors of one checkpoint's networks, placed on a device.

    `kept` holds what takes.py and ranking.py worked out of regions. It belongs to these very
    networks: another checkpoint has its own. `own_sounds` holds what rendering worked out of them.
    """

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        g = checkpoint.geometry
        self.geometry = g
        self.scheduler = checkpoint.scheduler
        self._log_mel = LogMel(rate=g.rate, hop=g.hop_samples, n_mels=g.n_mels, n_fft=g.n_fft)
        self._vae = Vae(
            checkpoint.vae, checkpoint.scaling_factor, g.stride, g.window_frames, placement
        )
        self._unet = Unet(checkpoint.unet, g.window_cells, g.multiple_cells, placement)
        self._vocoder = prepared_vocoder(checkpoint.vocoder, placement)
        self._device = placement.device
        self.clap = Clap(
            checkpoint.text_encoder,
            checkpoint.tokenizer,
            checkpoint.audio_tower,
            checkpoint.audio_features,
            placement.device,
        )
        self.ranker: Clap | LaionClap = self.clap
        self.kept = Cache(MAX_KEPT_BYTES, MAX_KEPT)
        self.own_sounds = Cache(MAX_OWN_BYTES, MAX_OWN)

    def rank_with(self, ranker: LaionClap) -> None:
        """Let another CLAP judge takes, and be the ears of a checkpoint that has none but its text.

        Sounds heard before are forgotten.
        """
        self.ranker = ranker
        self.clap.borrow(ranker)
        self.kept.clear()

    @property
    def ranking_rate(self) -> int:
        """Samples a second at which takes are judged: the model's, or a ranker's own."""
        return self.rate if self.ranker is self.clap else self.ranker.rate

    def forget(self) -> None:
        """Let go of everything kept of regions and texts."""
        self.kept.clear()
        self.own_sounds.clear()
        self.clap.texts.clear()
        self.ranker.texts.clear()

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
    def encode(
        self, wave: Wave, on_window: OnWindow | None = None, change: MelChange | None = None
    ) -> Tensor:
        """Latents of a wave at the model's rate, padded with silence to `padded_samples`.

        Parameters
        ----------
        wave : ndarray, shape = (n_samples,)
            Any length; finite.
        change : callable, optional
            The log-mel, shape = (n_frames, n_mels), to the one that is encoded in its place.

        Returns
        -------
        latents : Tensor, shape = (n_channels, n_cells, n_bins)
        """
        padded = np.zeros(self.padded_samples(len(wave)), np.float32)
        padded[: len(wave)] = wave
        mel = self._log_mel(torch.from_numpy(padded)[None])
        if change is not None:
            mel = torch.from_numpy(change(mel[0].numpy()))[None]
        return self._vae.encode(mel, on_window)[0]

    def mel_grid(self, n_samples: int) -> MelGrid:
        """The frames and bins of the log-mel of a span."""
        return MelGrid(self.geometry.hop_samples, self.geometry.n_fft, self.grid(n_samples))

    def silence(self, n_samples: int) -> Tensor:
        """Zeros in the shape of the latents of a span: a source for pure generation."""
        grid = self.grid(n_samples)
        return torch.zeros(self.geometry.latent_channels, grid.n_cells, grid.n_bins)

    def run(
        self,
        process: Process,
        edit: Edit,
        on_step: OnStep | None = None,
        on_window: OnWindow | None = None,
    ) -> Tensor:
        """New latents, shape = (n_takes, n_channels, n_cells, n_bins).

        `on_step` hears every step; `on_window` is heard in between where a step takes several
        windows. Both may raise to stop.
        """
        if process.preserve > 0.0:
            return self._preserved(process, edit, on_step, on_window)
        solver = make_solver(self.scheduler, edit.sampler, edit.steps, process.start, edit.eta)
        n_takes, sparing = len(process.seeds), _sparing(edit, solver)
        return denoise(
            guided(self._unet, process.guidance, n_takes, sparing, on_window),
            solver,
            take_noise(process.seeds, edit.around, edit.spread),
            process.source,
            process.strengths,
            forget=process.forget,
            resample=process.resample,
            on_step=on_step,
        )

    def _preserved(
        self, process: Process, edit: Edit, on_step: OnStep | None, on_window: OnWindow | None
    ) -> Tensor:
        assert process.own is not None, "what the source sounds like"
        n_takes = len(process.seeds)
        solver = make_solver(self.scheduler, "ddim", edit.steps, process.start, eta=1.0)
        sparing = _sparing(edit, solver)
        return denoise_preserving(
            guided(self._unet, process.guidance, n_takes, sparing, on_window),
            self._unet.guided(process.own, n_takes, sparing, on_window),
            solver,
            take_noise(process.seeds, edit.around, edit.spread),
            process.source,
            process.strengths,
            process.preserve,
            on_step,
        )

    def decode(self, latents: Tensor, on_window: OnWindow | None = None) -> Tensor:
        """Log-mel, shape = (n_frames, n_mels), of latents (n_channels, n_cells, n_bins)."""
        return self._vae.decode(latents[None], on_window)[0]

    @torch.inference_mode()
    def voice(self, mel: Tensor, on_window: OnWindow | None = None) -> Wave:
        """Waveform, shape = (n_frames * hop,), of a log-mel, shape = (n_frames, n_mels)."""

        window = max(self.geometry.window_frames, 2 * VOCODER_OVERLAP_FRAMES)
        window = fitted_window(len(mel), window, VOCODER_OVERLAP_FRAMES)
        joined = Joined(window_starts(len(mel), window, VOCODER_OVERLAP_FRAMES))

        def network(frames: Tensor) -> Tensor:
            wave: Tensor = self._vocoder(frames.to(self._device), joined)
            return wave.float().cpu()

        wave = in_windows(
            network,
            mel[None],
            window=window,
            overlap=VOCODER_OVERLAP_FRAMES,
            discard=VOCODER_DISCARD_FRAMES,
            ratio=self.geometry.hop_samples,
            on_window=on_window,
        )
        answer: Wave = wave[0].numpy()
        return answer


def _sparing(edit: Edit, solver: Solver) -> Sparing:
    return Sparing.of_steps(solver.timesteps, edit.guidance_start, edit.guidance_end, edit.reuse)
