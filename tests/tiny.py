"""Builds a tiny checkpoint folder with random weights: AudioLDM's layout, all parts, a megabyte.

What works on it works on any folder of the layout, so that most tests need no trained network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

RATE, HOP, MELS = 16000, 160, 64
EMBEDDING = 24

UNET: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "sample_size": 32,
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": (16, 32),
    "attention_head_dim": 4,
    "class_embed_type": "simple_projection",
    "projection_class_embeddings_input_dim": EMBEDDING,
    "class_embeddings_concat": True,
}
VAE: dict[str, Any] = {
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "scaling_factor": 0.9,
}
VOCODER: dict[str, Any] = {
    "model_in_dim": MELS,
    "sampling_rate": RATE,
    "upsample_initial_channel": 32,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [15, 8, 4, 4, 4],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
    "normalize_before": False,
}
TEXT: dict[str, Any] = {
    "vocab_size": 261,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
    "projection_dim": EMBEDDING,
}
AUDIO: dict[str, Any] = {
    "spec_size": 128,
    "num_mel_bins": MELS,
    "window_size": 8,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "patch_embeds_hidden_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "projection_dim": EMBEDDING,
}
FEATURES: dict[str, Any] = {
    "feature_size": MELS,
    "sampling_rate": RATE,
    "hop_length": 320,
    "max_length_s": 2,
    "fft_window_size": 1024,
    "frequency_min": 50,
    "frequency_max": 7600,
    "truncation": "rand_trunc",
    "padding": "repeatpad",
}
SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "prediction_type": "epsilon",
}


def build(folder: Path, clap: bool = True, window_frames: int | None = 128, **parts: Any) -> Path:
    """Write a checkpoint into `folder`, the same one every time.

    Parameters
    ----------
    folder : Path
        Made if it isn't there.
    clap : bool
        Whether the optional audio tower is there.
    window_frames : int, optional
        Goes into retake.json; None leaves the file out.
    parts : dict
        Changes to the configs above, by lower-case name: ``unet={"in_channels": 8}``.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    config = {
        name: parts.pop(name.lower(), {})
        for name in ("UNET", "VAE", "VOCODER", "TEXT", "SCHEDULER")
    }
    assert not parts, f"tiny.build knows no part called {sorted(parts)}"
    with torch.random.fork_rng():
        torch.manual_seed(20)
        UNet2DConditionModel(**UNET | config["UNET"]).save_pretrained(folder / "unet")
        AutoencoderKL(**VAE | config["VAE"]).save_pretrained(folder / "vae")
        vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(**VOCODER | config["VOCODER"]))
        _turn_up(vocoder)
        vocoder.save_pretrained(folder / "vocoder")
        text = ClapTextModelWithProjection(ClapTextConfig(**TEXT | config["TEXT"]))
        text.save_pretrained(folder / "text_encoder")
        DDIMScheduler(**SCHEDULER | config["SCHEDULER"]).save_pretrained(folder / "scheduler")
        tokenizer().save_pretrained(folder / "tokenizer")
        if clap:
            _build_clap(folder / "clap", text)
    if window_frames is not None:
        about = {"name": "tiny", "window_frames": window_frames}
        (folder / "retake.json").write_text(json.dumps(about))
    return folder


def _turn_up(vocoder: Any) -> None:
    """Weights of a size that keeps a signal's: the library's own start makes near silence."""
    for weight in vocoder.parameters():
        if weight.ndim == 3:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)


def tokenizer() -> Any:
    """RoBERTa's byte-level tokenizer with one token a byte: reads any text there is."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import RobertaTokenizer

    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=64)


def _build_clap(folder: Path, text: Any) -> None:
    """The whole CLAP model whose text half `text` is."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    words = text.config.to_dict()
    width = text.config.projection_dim
    clap = ClapModel(ClapConfig(text_config=words, audio_config=AUDIO, projection_dim=width))
    clap.text_model.load_state_dict(text.text_model.state_dict())
    clap.text_projection.load_state_dict(text.text_projection.state_dict())
    clap.save_pretrained(folder)
    ClapFeatureExtractor(**FEATURES).save_pretrained(folder)
