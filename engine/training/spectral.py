"""Spectral losses of the vocoder and the small discriminators it is trained against."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from engine.mel import LogMel

RESOLUTIONS = (256, 512, 1024, 2048)
#: Samples of a frame, and periods of 60 to 400 Hz, at 16 kHz.
FRAME, PERIODS = 640, (40, 267)
#: The correlation from which on a frame counts as one with a pitch.
PITCHED = 0.5


def magnitudes(wave: Tensor, n_fft: int) -> Tensor:
    """STFT magnitudes, shape = (n_batch, n_bins, n_frames), Hann window, hop a quarter."""
    window = torch.hann_window(n_fft, device=wave.device)
    spectrum = torch.stft(wave, n_fft, n_fft // 4, window=window, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()


def multi_resolution_distance(made: Tensor, real: Tensor) -> Tensor:
    """Spectral convergence + log-magnitude L1, mean over four resolutions (Yamamoto 2020)."""
    total = made.new_zeros(())
    for n_fft in RESOLUTIONS:
        a, b = magnitudes(made, n_fft), magnitudes(real, n_fft)
        convergence = (a - b).norm() / b.norm().clamp(min=1e-6)
        total = (
            total + convergence + (a.clamp(min=1e-4).log() - b.clamp(min=1e-4).log()).abs().mean()
        )
    return total / len(RESOLUTIONS)


class MelLoss(nn.Module):
    """Log-mel L1 at three resolutions; the middle one is the model's own mel."""

    def __init__(self) -> None:
        super().__init__()
        self.fronts = nn.ModuleList(
            (LogMel(n_fft=512, hop=80, n_mels=40), LogMel(), LogMel(n_fft=2048, hop=320, n_mels=96))
        )

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        losses = [(front(made) - front(real)).abs().mean() for front in self.fronts]
        return torch.stack(losses).mean()


def autocorrelation(wave: Tensor, periods: tuple[int, int] = PERIODS) -> Tensor:
    """Of frames of 40 ms every 10 ms, the normalised correlation with what comes some samples, a
    range of `periods`, later, shape = (n_batch, n_frames, n_lags); silence has none."""
    frames = wave.unfold(1, 2 * FRAME, FRAME // 4)  # a frame and what comes after it
    n_fft = 4 * FRAME
    head = torch.fft.rfft(frames[..., :FRAME], n_fft)
    products = torch.fft.irfft(torch.fft.rfft(frames, n_fft) * head.conj(), n_fft)
    energy = nn.functional.pad(frames.square().cumsum(-1), (1, 0))
    lags = torch.arange(*periods, device=wave.device)
    later = energy[..., lags + FRAME] - energy[..., lags]
    both = (energy[..., FRAME : FRAME + 1] * later).clamp(min=1e-8).sqrt()
    return products[..., periods[0] : periods[1]] / (both + 1e-4)


def periodicity_distance(made: Tensor, real: Tensor) -> Tensor:
    """How far the autocorrelation is from the real one, and its peak from the real peak, over the
    frames where a real sound has a pitch; and how far the peak is above the real one where it has
    none, which buzzes."""
    ours, theirs = autocorrelation(made), autocorrelation(real)
    peaks, made_peaks = theirs.amax(-1), ours.amax(-1)
    has_pitch = (peaks > PITCHED).float()
    apart = (ours - theirs).abs().mean(-1) + (made_peaks - peaks).abs()
    buzz = nn.functional.relu(made_peaks - peaks)
    return _mean_where(apart, has_pitch) + _mean_where(buzz, 1 - has_pitch)


def _mean_where(values: Tensor, counts: Tensor) -> Tensor:
    return (values * counts).sum() / counts.sum().clamp(min=1)


class SpectrogramDiscriminator(nn.Module):
    """Patch discriminator on a log-magnitude spectrogram of one resolution (Jang 2021)."""

    def __init__(self, n_fft: int, width: int = 24) -> None:
        super().__init__()
        self.n_fft = n_fft
        shapes = [(1, width, (2, 1)), (width, width, (2, 2)), (width, width * 2, (2, 1))]
        shapes += [(width * 2, width * 2, (2, 2))]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(i, o, (5, 3), stride, padding=(2, 1)))
            for i, o, stride in shapes
        )
        self.last = nn.Conv2d(width * 2, 1, 3, padding=1)

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = magnitudes(wave, self.n_fft).clamp(min=1e-4).log()[:, None] / 4
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features


class PeriodDiscriminator(nn.Module):
    """Discriminator on the wave folded at a period (HiFi-GAN, Kong 2020, section 2.3)."""

    def __init__(self, period: int, width: int = 16) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, width * 2, width * 4, width * 8]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(i, o, (5, 1), (3, 1), padding=(2, 0)))
            for i, o in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        length = wave.shape[-1] // self.period * self.period
        x = wave[:, None, :length].unflatten(-1, (-1, self.period))
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features


class Discriminators(nn.Module):
    """Spectrograms at three resolutions and foldings at three periods."""

    def __init__(self) -> None:
        super().__init__()
        spectral = [SpectrogramDiscriminator(n_fft) for n_fft in (400, 800, 1600)]
        periodic = [PeriodDiscriminator(period) for period in (2, 5, 11)]
        self.judges = nn.ModuleList([*spectral, *periodic])

    def forward(self, wave: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        return [judge(wave) for judge in self.judges]


def judge_loss(
    real: list[tuple[Tensor, list[Tensor]]], made: list[tuple[Tensor, list[Tensor]]]
) -> Tensor:
    """Hinge loss of the discriminators."""
    losses = [
        nn.functional.relu(1 - r).mean() + nn.functional.relu(1 + m).mean()
        for (r, _), (m, _) in zip(real, made, strict=True)
    ]
    return torch.stack(losses).mean()


def fool_loss(
    real: list[tuple[Tensor, list[Tensor]]], made: list[tuple[Tensor, list[Tensor]]]
) -> tuple[Tensor, Tensor]:
    """The generator's adversarial loss, and the feature-matching loss beside it."""
    fool = torch.stack([-m.mean() for m, _ in made]).mean()
    matches = [
        (f - g.detach()).abs().mean() / g.detach().abs().mean().clamp(min=1e-3)
        for (_, fs), (_, gs) in zip(made, real, strict=True)
        for f, g in zip(fs, gs, strict=True)
    ]
    return fool, torch.stack(matches).mean()
