"""Log-mel to waveform, behind one door.

Two networks: AudioLDM's own (transformers' SpeechT5HifiGan), and an iSTFT head, which predicts
magnitude and phase of a short-time spectrum and leaves the upsampling to an inverse FFT (the idea
of Vocos, Siuzdak 2023): some 40 times fewer operations at the same size, which is what makes a
laptop CPU enough.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.weights import build, fill, read_json, read_weights, refuse


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

    @property
    def upsample_rates(self) -> tuple[int, ...]:
        """Samples a mel frame, in the form diffusers' pipeline multiplies."""
        return (self.hop_length,)


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
        self.embed = nn.Conv1d(c.model_in_dim, c.width, c.kernel, padding=c.kernel // 2)
        self.first_norm = nn.LayerNorm(c.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(c.width, c.expansion, c.kernel, 1.0 / c.n_blocks)
            for _ in range(c.n_blocks)
        )
        self.last_norm = nn.LayerNorm(c.width)
        self.head = nn.Linear(c.width, c.n_fft + 2)
        self.register_buffer("window", torch.hann_window(c.n_fft), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform of a log-mel.

        Parameters
        ----------
        mel : Tensor, shape = (n_batch, n_frames, n_mels)

        Returns
        -------
        wave : Tensor, shape = (n_batch, n_frames * hop)
        """
        return self._inverse(*self.spectrum(mel))

    def spectrum(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Log-magnitude and phase, both of shape = (n_batch, n_frames, n_fft // 2 + 1)."""
        x = self.embed((mel.transpose(1, 2) + 5.0) / 5.0).transpose(1, 2)
        x = self.first_norm(x)
        for block in self.blocks:
            x = block(x)
        log_magnitude, phase = self.head(self.last_norm(x)).float().chunk(2, dim=-1)
        return log_magnitude.clamp(max=7.0), phase

    def _inverse(self, log_magnitude: Tensor, phase: Tensor) -> Tensor:
        """Overlap-add of windowed frames; frame k is centred on sample k * hop + hop / 2."""
        c = self.config
        spectrum = torch.polar(log_magnitude.exp(), phase)  # (n_batch, n_frames, n_bins)
        frames = torch.fft.irfft(spectrum, c.n_fft) * self.window
        n_frames = frames.shape[1]
        length = (n_frames - 1) * c.hop_length + c.n_fft
        wave = overlap_add(frames, length, c.hop_length)
        squares = (self.window**2).expand(1, n_frames, -1)
        envelope = overlap_add(squares, length, c.hop_length).clamp(min=1e-8)
        side = (c.n_fft - c.hop_length) // 2
        return (wave / envelope)[:, side : side + n_frames * c.hop_length]

    def save(self, folder: Path) -> None:
        """Write config.json and fp16 model.safetensors into `folder`."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        weights = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors")


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

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform (n_batch, n_frames * hop) of a log-mel (n_batch, n_frames, n_mels)."""
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
