"""How a clip is heard otherwise: what CLAP's audio tower must not mind."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.training.corpus import Wave, place

#: Playing speeds, as factors of the clip's own, and the share of clips that are played at another.
SPEEDS, OTHER_SPEED = (0.84, 1.19), 0.4
#: The share of short clips that are heard as at run time, repeated whole; the others in silence.
REPEATED = 0.6
#: Another clip as noise: the share of clips that have some, and its level in dB.
NOISY, NOISE_DB = 0.2, (-30.0, -14.0)
#: Standard deviation in dB of a random equaliser's bands, which go smoothly into each other.
EQUALISER_BANDS, EQUALISER_DB = 5, 3.0


def at_some_speed(wave: Wave, rng: np.random.Generator) -> Wave:
    """The wave, or now and then the same played a little faster or slower."""
    if rng.random() >= OTHER_SPEED:
        return wave
    factor = rng.uniform(*SPEEDS)
    places = np.arange(max(1, int(len(wave) / factor))) * factor
    return np.interp(places, np.arange(len(wave)), wave).astype(np.float32)


def in_window(wave: Wave, n_samples: int, rng: np.random.Generator) -> Wave:
    """A clip brought to a window: of a longer one some stretch, half a window at least; a shorter
    one repeated whole, as at run time, or in silence, as the diffusion model's crops are."""
    if len(wave) >= n_samples // 2:
        length = min(int(rng.integers(n_samples // 2, n_samples + 1)), len(wave))
        start = int(rng.integers(len(wave) - length + 1))
        some = wave[start : start + length]
    elif rng.random() < REPEATED:
        some = wave[int(rng.integers(max(1, len(wave) // 12))) :]
    else:
        some = place(wave, int(rng.integers(n_samples // 2, n_samples + 1)), rng)
    repeated = np.tile(some, n_samples // len(some))
    return np.pad(repeated, (0, n_samples - len(repeated))).astype(np.float32)


def with_noise(wave: Wave, noise: Wave, rng: np.random.Generator) -> Wave:
    """The wave with something else far below it."""
    return wave + noise * np.float32(10 ** (rng.uniform(*NOISE_DB) / 20))


def equalised(features: Tensor, rng: np.random.Generator) -> Tensor:
    """Features in dB, shape = (n_batch, 1, n_frames, n_mels), through a smooth equaliser each."""
    drawn: NDArray[np.float64] = rng.normal(0, EQUALISER_DB, (len(features), 1, EQUALISER_BANDS))
    bands = torch.from_numpy(drawn).to(features)
    curve = nn.functional.interpolate(bands, features.shape[-1], mode="linear", align_corners=True)
    return (features + curve[:, :, None]).clamp(min=-100.0)


def masked(features: Tensor, rng: np.random.Generator) -> Tensor:
    """SpecAugment (Park 2019): one stretch of time and one band at the floor, for each clip."""
    features = features.clone()
    for clip in features[:, 0]:
        at, bins = int(rng.integers(clip.shape[0])), int(rng.integers(clip.shape[1]))
        clip[at : at + int(rng.integers(1, 40))] = -60.0
        clip[:, bins : bins + int(rng.integers(1, 10))] = -60.0
    return features
