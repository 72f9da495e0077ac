"""CLAP: texts and sounds as unit vectors in one space (Wu 2023), the conditioning of every edit.

The features are those of transformers' ClapFeatureExtractor, but nothing is drawn by chance: a clip
longer than the tower's window is heard in windows, and their embeddings averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from engine.cache import Cache
from engine.mel import ClapMel
from engine.progress import OnPart, unheard
from engine.windows import window_starts

#: Texts kept embedded: an edit asks for its prompt several times, and a user for the same ones.
MAX_TEXTS, MAX_TEXT_BYTES = 256, 2**20


class Ears(Protocol):
    """An audio tower with a text half of its own."""

    rate: int

    def audio(
        self, wave: npt.NDArray[np.floating[Any]], rate: int, on_part: OnPart = unheard
    ) -> Tensor:
        """As `Clap.audio`."""

    def shares_space_with(self, text_encoder: nn.Module) -> bool:
        """Whether its embeddings can be compared with those of a text encoder."""


class Clap:
    """The text encoder of a checkpoint and, where it has one, the audio tower. In fp32.

    Parameters
    ----------
    text_encoder : ClapTextModelWithProjection
    tokenizer : RobertaTokenizer
    audio_tower : ClapAudioModelWithProjection or None
    features : Mapping or None
        preprocessor_config.json of the audio tower.
    device : torch.device
    """

    def __init__(
        self,
        text_encoder: Any,
        tokenizer: Any,
        audio_tower: Any,
        features: Mapping[str, Any] | None,
        device: torch.device,
    ) -> None:
        self.device = device
        self._text_encoder = text_encoder.to(device)
        self._tokenizer = tokenizer
        self._audio_tower = None if audio_tower is None else audio_tower.to(device)
        self._features = None if features is None else ClapFeatures(features)
        self._fused = audio_tower is not None and bool(audio_tower.config.enable_fusion)
        self._ears: Ears | None = None
        self.texts = Cache(MAX_TEXT_BYTES, MAX_TEXTS)

    @property
    def hears(self) -> bool:
        """Whether there is an audio tower, its own or another's."""
        return self._audio_tower is not None or self._ears is not None

    def borrow(self, ears: Ears) -> None:
        """Hear through another audio tower, if there is none here and it is of the same space."""
        if self._audio_tower is None and ears.shares_space_with(self._text_encoder):
            self._ears = ears

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read; what is longer is cut off."""
        positions = int(self._text_encoder.config.max_position_embeddings)
        # RoBERTa's positions count from the padding token's index on.
        return min(int(self._tokenizer.model_max_length), positions - 2)

    def text(self, text: str) -> Tensor:
        """Embedding of a text, shape = (width,), on the CPU, of length 1. Empty texts are fine."""
        return self.texts.get(text, lambda: self._embed_text(text), lambda answer: answer.nbytes)

    @torch.inference_mode()
    def _embed_text(self, text: str) -> Tensor:
        tokens = self._tokenizer(
            [text], truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        answer = self._text_encoder(
            tokens.input_ids.to(self.device), attention_mask=tokens.attention_mask.to(self.device)
        )
        return nn.functional.normalize(answer.text_embeds[0].float(), dim=-1).cpu()

    @torch.inference_mode()
    def audio(
        self, wave: npt.NDArray[np.floating[Any]], rate: int, on_part: OnPart = unheard
    ) -> Tensor:
        """Embedding of a sound, shape = (width,), on the CPU, of length 1.

        Silence has an embedding too. NaN gives NaN.

        Parameters
        ----------
        wave : ndarray, shape = (n_samples,)
            At least one sample, at any rate.
        rate : int
        on_part : callable, optional
            Hears after each of the tower's windows what share is done, and may end it by raising.
        """
        if self._ears is not None:
            return self._ears.audio(wave, rate, on_part)
        assert self._features is not None, "no audio tower"
        windows = self._features.windows(resampled(wave, rate, self.rate))
        heard = (self._embed_mel(self._features(window)) for window in windows)
        return mean_direction(heard, len(windows), on_part)

    @property
    def rate(self) -> int:
        """Samples a second the audio tower hears."""
        if self._ears is not None:
            return self._ears.rate
        assert self._features is not None, "no audio tower"
        return self._features.rate

    def _embed_mel(self, mel: Tensor) -> Tensor:  # (n_frames, n_mels) -> (width,)
        assert self._audio_tower is not None
        batch = mel.float()[None, None].to(self.device)
        longer = None
        if self._fused:  # four copies, none of them a crop of something longer
            batch, longer = batch.expand(-1, 4, -1, -1), torch.zeros(1, 1, dtype=torch.bool)
        answer = self._audio_tower(input_features=batch, is_longer=longer)
        return nn.functional.normalize(answer.audio_embeds[0].float(), dim=-1).cpu()


class ClapFeatures:
    """Log-mel windows as ClapFeatureExtractor makes them from clips no longer than its window."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.rate = int(config["sampling_rate"])
        self.window_samples = int(config["max_length_s"] * self.rate)
        self._front = ClapMel(
            rate=self.rate,
            hop=int(config["hop_length"]),
            n_mels=int(config["feature_size"]),
            n_fft=int(config["fft_window_size"]),
            low_hz=float(config["frequency_min"]),
            high_hz=float(config["frequency_max"]),
            window_samples=self.window_samples,
            # The fused models were trained with torchaudio's filters, the others with librosa's.
            scale="htk" if config.get("truncation", "fusion") == "fusion" else "slaney",
            dtype=torch.float64,
        )

    def windows(self, wave: Tensor) -> list[Tensor]:
        """A clip's windows, evenly spread; of a short clip the whole of it."""
        window = self.window_samples
        return [wave[at : at + window] for at in window_starts(len(wave), window, 0)]

    def __call__(self, window: Tensor) -> Tensor:
        """Features of a window, shape = (n_frames, n_mels), in dB.

        Parameters
        ----------
        window : Tensor, shape = (n_samples,)
            A short one is repeated whole times, then padded with zeros ("repeatpad").
        """
        features: Tensor = self._front(window[None])[0, 0]
        return features


def mean_direction(heard: Iterable[Tensor], n_parts: int, on_part: OnPart) -> Tensor:
    """Mean of `n_parts` embeddings, brought to length 1, shape = (width,)."""
    parts = []
    for part in heard:
        parts.append(part)
        on_part(len(parts) / n_parts)
    return nn.functional.normalize(torch.stack(parts).mean(0), dim=-1)


def resampled(wave: npt.NDArray[np.floating[Any]], from_rate: int, to_rate: int) -> Tensor:
    """A wave of at least one sample at a tower's rate, shape = (n_samples,), at least one too."""
    assert wave.ndim == 1, f"a wave of shape {wave.shape}"
    assert len(wave) > 0, "a wave of no samples"
    samples = np.asarray(wave, np.float32)
    if from_rate != to_rate:
        import soxr  # type: ignore[import-untyped]

        resampled = soxr.resample(samples, from_rate, to_rate)
        samples = resampled if len(resampled) else samples[:1]
    return torch.from_numpy(np.array(samples))


def similarity(first: Tensor, second: Tensor) -> float:
    """Cosine of two embeddings, -1 to 1."""
    return float(nn.functional.cosine_similarity(first, second, dim=-1))
