"""Waveform to log-mel, the way AudioLDM's networks were fed.

16 kHz mono, Hann window of 1024, hop 160, 64 Slaney mel bins from 0 Hz to the top, magnitudes,
natural log of max(x, 1e-5). Padding is (n_fft - hop) / 2 on both sides without centring, so that
frame k is centred on sample k * hop + hop / 2 and the vocoder's answer lies where its mel came
from.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

#: Magnitudes below this are floored before the log.
FLOOR = 1e-5
#: Frames whose spectra are held at a time: an hour's would take gigabytes.
PIECE_FRAMES = 6000


@lru_cache(maxsize=8)
def mel_filters(
    rate: int, n_fft: int, n_mels: int, low_hz: float, high_hz: float, scale: str = "slaney"
) -> Tensor:
    """Mel filters, shape = (n_fft // 2 + 1, n_mels), float64.

    `scale` is "slaney" (librosa's scale and areas) or "htk" (torchaudio's, peaks of 1).
    """
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(
        num_frequency_bins=n_fft // 2 + 1,
        num_mel_filters=n_mels,
        min_frequency=low_hz,
        max_frequency=high_hz,
        sampling_rate=rate,
        norm="slaney" if scale == "slaney" else None,
        mel_scale=scale,
    )
    return torch.from_numpy(bank).double()


class LogMel(nn.Module):
    """Log-mel front end.

    Parameters
    ----------
    rate : int
        Samples a second.
    hop : int
        Samples a mel frame.
    n_mels : int
        Mel bins from 0 Hz to `rate` / 2.
    n_fft : int
        Window and FFT length in samples.
    """

    def __init__(
        self, rate: int = 16000, hop: int = 160, n_mels: int = 64, n_fft: int = 1024
    ) -> None:
        super().__init__()
        self.rate, self.hop, self.n_mels, self.n_fft = rate, hop, n_mels, n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        filters = mel_filters(rate, n_fft, n_mels, 0.0, rate / 2).float()
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Log-mel of a wave; NaN in gives NaN out, silence gives the floor log(1e-5).

        Parameters
        ----------
        wave : Tensor, shape = (n_batch, n_samples)
            A last part of a hop is padded with zeros to a whole one.

        Returns
        -------
        mel : Tensor, shape = (n_batch, n_frames, n_mels)
            n_frames = ceil(n_samples / hop).
        """
        padded = self._padded(wave)
        reach = self.n_fft - self.hop
        pieces = range(0, padded.shape[-1] - reach, PIECE_FRAMES * self.hop)
        mels = [
            self.of_spectrum(self._frames(padded[:, at : at + PIECE_FRAMES * self.hop + reach]))
            for at in pieces
        ]
        return mels[0] if len(mels) == 1 else torch.cat(mels, 1)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Short-time spectrum, shape = (n_batch, n_frames, n_fft // 2 + 1), complex."""
        return self._frames(self._padded(wave))

    def _padded(self, wave: Tensor) -> Tensor:
        """A wave with what the first and the last window reach beyond it."""
        n_frames = max(1, -(-wave.shape[-1] // self.hop))
        wave = nn.functional.pad(wave, (0, n_frames * self.hop - wave.shape[-1]))
        side = (self.n_fft - self.hop) // 2
        mode = "reflect" if wave.shape[-1] > side else "constant"
        return nn.functional.pad(wave[:, None], (side, side), mode=mode)[:, 0]

    def _frames(self, padded: Tensor) -> Tensor:
        return torch.stft(
            padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True
        ).transpose(1, 2)

    def of_spectrum(self, spectrum: Tensor) -> Tensor:
        """Log-mel, shape = (n_batch, n_frames, n_mels), of `spectrum`'s answer."""
        return (spectrum.abs() @ self.filters).clamp(min=FLOOR).log()


class ClapMel(nn.Module):
    """The mel that CLAP's audio tower hears, as transformers' ClapFeatureExtractor computes it.

    Power mel in dB with centred frames; clips shorter than the window are repeated whole, then
    padded with zeros ("repeatpad"); longer ones are cut (the caller averages over windows).

    Parameters
    ----------
    rate, hop, n_mels, n_fft : int
        Samples a second, samples a frame, mel bins, FFT length.
    low_hz, high_hz : float
        The band.
    window_samples : int
        Length every clip is brought to.
    scale : str
        As in `mel_filters`.
    dtype : torch.dtype
        float64 for answers that don't depend on the machine, float32 for training.
    """

    def __init__(
        self,
        rate: int = 16000,
        hop: int = 320,
        n_mels: int = 64,
        n_fft: int = 1024,
        low_hz: float = 0.0,
        high_hz: float = 8000.0,
        window_samples: int = 80000,
        scale: str = "slaney",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.rate, self.hop, self.n_fft, self.window_samples = rate, hop, n_fft, window_samples
        window = torch.hann_window(n_fft, dtype=dtype)
        self.register_buffer("window", window, persistent=False)
        filters = mel_filters(rate, n_fft, n_mels, low_hz, high_hz, scale).to(dtype)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Features of waves; NaN gives NaN, silence gives -100 dB.

        Parameters
        ----------
        wave : Tensor, shape = (n_batch, n_samples)
            At least one sample.

        Returns
        -------
        features : Tensor, shape = (n_batch, 1, n_frames, n_mels)
        """
        wave = self._fit(wave.to(self.filters.dtype))
        spectrum = torch.stft(
            wave, self.n_fft, self.hop, window=self.window, return_complex=True, pad_mode="reflect"
        )
        power = spectrum.real.square() + spectrum.imag.square()
        mel = power.transpose(1, 2) @ self.filters
        return 10.0 * mel.clamp(min=1e-10).log10()[:, None]

    def _fit(self, wave: Tensor) -> Tensor:
        n_samples = wave.shape[-1]
        if n_samples < self.window_samples:
            wave = wave.repeat(1, max(1, self.window_samples // max(1, n_samples)))
            wave = nn.functional.pad(wave, (0, self.window_samples - wave.shape[-1]))
        return wave[:, : self.window_samples]
