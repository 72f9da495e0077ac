"""CLAP: texts and sounds as unit vectors in one space (Wu 2023), the conditioning of every edit.

The features are those of transformers' ClapFeatureExtractor, but nothing is drawn by chance: a clip
longer than the tower's window is heard in windows, and their embeddings averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from engine.mel import ClapMel
from engine.windows import window_starts

#: Texts kept embedded: an edit asks for its prompt several times.
CACHE_SIZE = 256


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
        self._embed = lru_cache(CACHE_SIZE)(self._embed_text)

    @property
    def hears(self) -> bool:
        """Whether there is an audio tower."""
        return self._audio_tower is not None

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read; what is longer is cut off."""
        positions = int(self._text_encoder.config.max_position_embeddings)
        # RoBERTa's positions count from the padding token's index on.
        return min(int(self._tokenizer.model_max_length), positions - 2)

    def text(self, text: str) -> Tensor:
        """Embedding of a text, shape = (width,), on the CPU, of length 1. Empty texts are fine."""
        return self._embed(text)

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
    def audio(self, wave: npt.NDArray[np.floating[Any]], rate: int) -> Tensor:
        """Embedding of a sound, shape = (width,), on the CPU, of length 1.

        Silence has an embedding too. NaN gives NaN.

        Parameters
        ----------
        wave : ndarray, shape = (n_samples,)
            At least one sample, at any rate.
        rate : int
        """
        assert self._features is not None, "no audio tower"
        heard = [self._embed_mel(mel) for mel in self._features(_resample(wave, rate, self.rate))]
        return nn.functional.normalize(torch.stack(heard).mean(0), dim=-1)

    @property
    def rate(self) -> int:
        """Samples a second the audio tower hears."""
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

    def __call__(self, wave: Tensor) -> list[Tensor]:
        """Features of a clip, window by window.

        Parameters
        ----------
        wave : Tensor, shape = (n_samples,)
            A short clip is repeated whole times, then padded with zeros ("repeatpad").

        Returns
        -------
        mels : list of Tensor, shape = (n_frames, n_mels), in dB
        """
        n_samples, window = len(wave), self.window_samples
        starts = window_starts(n_samples, window, 0) if n_samples > window else [0]
        return [self._front(wave[None, at : at + window])[0, 0] for at in starts]


def _resample(wave: npt.NDArray[np.floating[Any]], from_rate: int, to_rate: int) -> Tensor:
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
