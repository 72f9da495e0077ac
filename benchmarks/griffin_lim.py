"""The baseline of every vocoder: non-negative inversion of the mel, then Griffin-Lim's phases."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.mel import LogMel, mel_filters
from engine.vocoder import overlap_add


class GriffinLim:
    """Log-mel to waveform without any learning.

    Parameters
    ----------
    n_iterations : int
        Griffin-Lim iterations (Griffin & Lim 1984), with momentum 0.99 (Perraudin 2013).
    n_descents : int
        Steps of the accelerated projected gradient that inverts the mel filters.
    """

    def __init__(self, n_iterations: int = 32, n_descents: int = 200) -> None:
        self.n_iterations, self.n_descents = n_iterations, n_descents
        front = LogMel()
        self.n_fft, self.hop = front.n_fft, front.hop
        self.window = front.window
        self.filters = mel_filters(
            front.rate, front.n_fft, front.n_mels, 0.0, front.rate / 2
        ).float()

    def __call__(self, mel: Tensor) -> Tensor:
        """Wave, shape = (n_batch, n_frames * hop), of a log-mel, shape = (n_batch, n_frames,
        n_mels)."""
        magnitude = self._invert(mel.exp())
        generator = torch.Generator().manual_seed(0)
        angles = torch.rand(magnitude.shape, generator=generator) * 2 * torch.pi
        phase, before = torch.polar(torch.ones_like(angles), angles), torch.zeros(1)
        for _ in range(self.n_iterations):
            rebuilt = self._forward(self._inverse(magnitude * phase))
            moved = rebuilt - 0.99 / 1.99 * before
            before = rebuilt
            phase = moved / moved.abs().clamp(min=1e-12)
        side = (self.n_fft - self.hop) // 2
        wave = self._inverse(magnitude * phase)
        return wave[:, side : side + mel.shape[1] * self.hop]

    def _invert(self, mel: Tensor) -> Tensor:
        """Non-negative least squares by FISTA: magnitudes whose mel is nearest to the one given."""
        bank = self.filters  # (n_bins, n_mels)
        rate = 1.0 / torch.linalg.matrix_norm(bank, 2).square()
        x = mel @ torch.linalg.pinv(bank)
        x = y = x.clamp(min=0.0)
        t = 1.0
        for _ in range(self.n_descents):
            nearer = (y - rate * ((y @ bank - mel) @ bank.T)).clamp(min=0.0)
            t_next = (1 + (1 + 4 * t * t) ** 0.5) / 2
            y = nearer + (t - 1) / t_next * (nearer - x)
            x, t = nearer, t_next
        return x

    def _forward(self, wave: Tensor) -> Tensor:
        spectrum = torch.stft(
            wave, self.n_fft, self.hop, window=self.window, center=False, return_complex=True
        )
        return spectrum.transpose(1, 2)

    def _inverse(self, spectrum: Tensor) -> Tensor:
        frames = torch.fft.irfft(spectrum, self.n_fft) * self.window
        length = (frames.shape[1] - 1) * self.hop + self.n_fft
        squares = (self.window**2).expand(1, frames.shape[1], -1)
        envelope = overlap_add(squares, length, self.hop).clamp(min=1e-6)
        return overlap_add(frames, length, self.hop) / envelope
