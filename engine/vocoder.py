"""Log-mel to waveform, behind one door.

Two networks: AudioLDM's own (transformers' SpeechT5HifiGan), and an iSTFT head, which predicts
magnitude and phase of a short-time spectrum and leaves the upsampling to an inverse FFT (the idea
of Vocos, Siuzdak 2023): some nine times fewer operations at the same size, which is what makes a
laptop CPU enough.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.harmonics import N_PITCHES, HarmonicSource, Join, read_pitch
from engine.mel import LogMel
from engine.weights import build, fill, read_json, read_weights, refuse

#: Where the source's gains begin in training.
QUIET_LOG_GAIN = -2.0


@dataclass(frozen=True)
class IstftVocoderConfig:
    """Shape of an iSTFT-head vocoder; `vocoder/config.json` holds these fields."""

    model_type: str = "istft_head"
    model_in_dim: int = 64
    sampling_rate: int = 16000
    hop_length: int = 160
    n_fft: int = 640
    width: int = 256
    expansion: int = 3
    n_blocks: int = 8
    kernel: int = 7
    #: Channels of noise beside the mel: what rustles in a smooth mel.
    noise_channels: int = 0
    #: Whether the network names pitches and draws on a `HarmonicSource`.
    harmonic: bool = False
    #: Steps of `MelMatch` after the network.
    mel_steps: int = 0

    @property
    def upsample_rates(self) -> tuple[int, ...]:
        """Samples a mel frame, in the form diffusers' pipeline multiplies."""
        return (self.hop_length,)


class Parts(NamedTuple):
    """What the network says of a mel's frames; the last two are None without a source.

    Log-magnitude and phase are of shape = (n_batch, n_frames, n_fft // 2 + 1), the source's log
    gains (n_batch, n_frames, n_mels), the logits of its pitch (n_batch, n_frames, N_PITCHES + 1).
    """

    log_magnitude: Tensor
    phase: Tensor
    log_gain: Tensor | None
    pitch: Tensor | None


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution in time, then a channel MLP, added to the input (Liu 2022)."""

    def __init__(self, width: int, expansion: int, kernel: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, width * expansion)
        self.narrow = nn.Linear(width * expansion, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:  # (n_batch, n_frames, width)
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        y = self.narrow(nn.functional.gelu(self.widen(self.norm(y))))
        return x + self.scale * y


class IstftVocoder(nn.Module):
    """iSTFT-head vocoder: ConvNeXt blocks at the mel's frame rate, then one inverse STFT."""

    def __init__(self, config: IstftVocoderConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        n_inputs = c.model_in_dim + c.noise_channels
        self.embed = nn.Conv1d(n_inputs, c.width, c.kernel, padding=c.kernel // 2)
        self.first_norm = nn.LayerNorm(c.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(c.width, c.expansion, c.kernel, 1.0 / c.n_blocks)
            for _ in range(c.n_blocks)
        )
        self.last_norm = nn.LayerNorm(c.width)
        self.head = nn.Linear(c.width, c.n_fft + 2)
        self.register_buffer("window", torch.hann_window(c.n_fft), persistent=False)
        front = LogMel(c.sampling_rate, c.hop_length, c.model_in_dim)
        self.match = MelMatch(front)
        if c.harmonic:
            self.source = HarmonicSource(c.n_fft, c.hop_length, front)
            self.source_head = nn.Linear(c.width, c.model_in_dim + N_PITCHES + 1)
            nn.init.zeros_(self.source_head.weight)
            nn.init.constant_(self.source_head.bias, QUIET_LOG_GAIN)

    def forward(self, mel: Tensor, join: Join | None = None) -> Tensor:
        """Waveform of a log-mel.

        Parameters
        ----------
        mel : Tensor, shape = (n_batch, n_frames, n_mels)
        join : callable, optional
            As in `HarmonicSource`; heard by networks that have one.

        Returns
        -------
        wave : Tensor, shape = (n_batch, n_frames * hop)
        """
        wave = self.to_wave(self.parts(mel), mel, join)
        return self.match(wave, mel, self.config.mel_steps)

    def parts(self, mel: Tensor) -> Parts:
        """What the network says of a log-mel, shape = (n_batch, n_frames, n_mels)."""
        inputs = torch.cat(((mel + 5.0) / 5.0, self._noise(mel)), dim=2)
        x = self.embed(inputs.transpose(1, 2)).transpose(1, 2)
        x = self.first_norm(x)
        for block in self.blocks:
            x = block(x)
        x = self.last_norm(x)
        log_magnitude, phase = self.head(x).float().chunk(2, dim=-1)
        if not self.config.harmonic:
            return Parts(log_magnitude.clamp(max=7.0), phase, None, None)
        said = self.source_head(x).float()
        log_gain, pitch = said.split((self.config.model_in_dim, N_PITCHES + 1), dim=-1)
        return Parts(log_magnitude.clamp(max=7.0), phase, log_gain.clamp(max=3.0), pitch)

    def _noise(self, mel: Tensor) -> Tensor:
        """Noise beside a mel: new noise in training, else the same for the same length."""
        n_frames, n_channels = mel.shape[1], self.config.noise_channels
        generator = None if self.training else torch.Generator().manual_seed(0)
        noise = torch.randn(1, n_frames, n_channels, generator=generator)
        return noise.to(mel).expand(len(mel), -1, -1)

    def to_wave(self, parts: Parts, mel: Tensor, join: Join | None = None) -> Tensor:
        """Overlap-add of windowed frames; frame k is centred on sample k * hop + hop / 2."""
        spectrum = torch.polar(parts.log_magnitude.exp(), parts.phase)
        if parts.log_gain is not None and parts.pitch is not None:
            hz = read_pitch(parts.pitch.detach())
            spectrum = spectrum + self.source(hz, mel, parts.log_gain, join)
        return inverse_stft(spectrum, self.window, self.config.hop_length)

    def save(self, folder: Path) -> None:
        """Write config.json and fp16 model.safetensors into `folder`."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        weights = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors")


class MelMatch(nn.Module):
    """Brings a wave's mels to wanted ones and keeps its phase, as Griffin-Lim does, from a wave
    that is nearly right.

    Each step scales the short-time spectrum by what the mels lack, spread from mel bins to
    frequencies by the filters that made them, and goes back to a wave.

    Parameters
    ----------
    front : LogMel
        What the mels are measured with.
    largest_step : float
        Limit of a step's gain, in natural-log units.
    """

    def __init__(self, front: LogMel, largest_step: float = 2.0) -> None:
        super().__init__()
        self.front, self.largest_step = front, largest_step
        reached = front.filters.sum(1, keepdim=True)
        self.register_buffer("spread", front.filters / reached.clamp(min=1e-8), persistent=False)

    def forward(self, wave: Tensor, mel: Tensor, n_steps: int) -> Tensor:
        """The wave after `n_steps`; NaN in gives NaN out, frequencies no mel hears stay.

        Parameters
        ----------
        wave : Tensor, shape = (n_batch, n_frames * hop)
        mel : Tensor, shape = (n_batch, n_frames, n_mels)
        """
        for _ in range(n_steps):
            spectrum = self.front.spectrum(wave)  # (n_batch, n_frames, n_bins)
            lack = mel.float() - self.front.of_spectrum(spectrum)
            gain = lack.clamp(-self.largest_step, self.largest_step) @ self.spread.T
            wave = inverse_stft(spectrum * gain.exp(), self.front.window, self.front.hop)
        return wave


def inverse_stft(spectrum: Tensor, window: Tensor, hop: int) -> Tensor:
    """Waves, shape = (n_batch, n_frames * hop), of spectra, shape = (n_batch, n_frames, n_bins),
    whose frame k is centred on sample k * hop + hop / 2."""
    n_fft, n_frames = len(window), spectrum.shape[1]
    frames = torch.fft.irfft(spectrum, n_fft) * window
    length = (n_frames - 1) * hop + n_fft
    wave = overlap_add(frames, length, hop)
    envelope = overlap_add((window**2).expand(1, n_frames, -1), length, hop).clamp(min=1e-8)
    side = (n_fft - hop) // 2
    return (wave / envelope)[:, side : side + n_frames * hop]


def overlap_add(frames: Tensor, length: int, hop: int) -> Tensor:
    """Waves, shape = (n_batch, length), of frames, shape = (n_batch, n_frames, n_fft)."""
    folded = nn.functional.fold(
        frames.transpose(1, 2),
        output_size=(1, length),
        kernel_size=(1, frames.shape[2]),
        stride=(1, hop),
    )
    return folded[:, 0, 0]


class HifiGanVocoder(nn.Module):
    """AudioLDM's SpeechT5HifiGan, its answer trimmed to a whole number of hops."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.config = network.config
        self.hop = 1
        for rate in self.config.upsample_rates:
            self.hop *= rate

    def forward(self, mel: Tensor, join: Join | None = None) -> Tensor:
        """Waveform (n_batch, n_frames * hop) of a log-mel (n_batch, n_frames, n_mels); it has no
        pulses to join."""
        wave = self.network(mel)
        length = mel.shape[1] * self.hop
        return nn.functional.pad(wave[:, :length], (0, max(0, length - wave.shape[1])))


def load_vocoder(folder: Path) -> IstftVocoder | HifiGanVocoder:
    """The vocoder in `folder`, in fp32, ready to run.

    Raises
    ------
    CheckpointError
        `model-unavailable`: no config.json or model.safetensors, an unknown kind, or a wrong shape.
    """
    config = read_json(folder / "config.json", "vocoder")
    weights = read_weights(folder, "model", "vocoder")
    kind = config.get("model_type")
    if kind == "istft_head":
        return _istft(config, weights)
    if kind in ("hifigan", "speecht5_hifigan"):  # transformers' name for it before and since 5
        return HifiGanVocoder(_hifigan(config, weights)).eval()
    raise CheckpointError(
        "model-unavailable",
        f"the vocoder's model_type is {kind!r}; 'hifigan' and 'istft_head' can be read",
    )


def _hifigan(config: dict[str, Any], weights: dict[str, Tensor]) -> nn.Module:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    network = build("vocoder", lambda: SpeechT5HifiGan(SpeechT5HifiGanConfig.from_dict(config)))
    return fill(network, weights, "vocoder")


def _istft(config: dict[str, Any], weights: dict[str, Tensor]) -> IstftVocoder:
    try:
        network = IstftVocoder(IstftVocoderConfig(**config))
    except (TypeError, RuntimeError) as error:
        reason = f"no network can be built from its config.json ({error})"
        raise refuse("vocoder", reason) from error
    fill(network, weights, "vocoder")
    return network
