"""Builds a folder of exactly audioldm-s-full-v2's configs, with random weights (1.3 GB)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny

UNET: dict[str, Any] = {
    "in_channels": 8,
    "out_channels": 8,
    "sample_size": 128,
    "block_out_channels": (128, 256, 384, 640),
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 3,
    "up_block_types": ("CrossAttnUpBlock2D",) * 3 + ("UpBlock2D",),
    "cross_attention_dim": (128, 256, 384, 640),
    "attention_head_dim": 8,
    "projection_class_embeddings_input_dim": 512,
}
VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512),
    "layers_per_block": 2,
    "latent_channels": 8,
    "norm_num_groups": 32,
    "scaling_factor": 0.9392935633659363,
}
VOCODER: dict[str, Any] = {
    "upsample_initial_channel": 1024,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
}
TEXT: dict[str, Any] = {
    "vocab_size": 50265,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
    "projection_dim": 512,
}


def build(folder: Path) -> Path:
    """Write the checkpoint into `folder`."""
    return tiny.build(
        folder, clap=False, window_frames=None, unet=UNET, vae=VAE, vocoder=VOCODER, text=TEXT
    )
