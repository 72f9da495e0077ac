"""The vocoders as a processor likes them: the same numbers but by rounding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.device import Placement
from engine.harmonics import Join
from engine.hifigan import FastHifiGan
from engine.lean import linear_layer
from engine.packed import can_pack
from engine.vocoder import HifiGanVocoder, IstftVocoder


def prepared_vocoder(vocoder: Any, placement: Placement) -> Any:
    """A vocoder placed on its device; on a CPU its layers are rewritten.

    It takes (n_batch, n_frames, n_mels) in fp32 and gives (n_batch, n_frames * hop) in fp32. What
    is near the wave adds up in fp32, for bf16 has the resolution of 8-bit audio.
    """
    if placement.device.type == "cpu" and can_pack(placement.dtype):
        if isinstance(vocoder, HifiGanVocoder) and FastHifiGan.can_replace(vocoder.network):
            config = vocoder.network.config
            vocoder.network = FastHifiGan(vocoder.network, placement.dtype)
            vocoder.network.config = config
        elif isinstance(vocoder, IstftVocoder):
            return FastIstft(vocoder, placement.dtype)
    return vocoder.to(placement.device)


class FastIstft(nn.Module):
    """`IstftVocoder` on a CPU."""

    def __init__(self, network: IstftVocoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.config = network.config
        self._network = network
        network.blocks = nn.ModuleList(FastBlock(block, dtype) for block in network.blocks)
        head = network.head
        network.head = linear_layer(head.weight, head.bias, torch.float32)  # type: ignore[assignment]

    def forward(self, mel: Tensor, join: Join | None = None) -> Tensor:
        """Waveform (n_batch, n_frames * hop) of a log-mel (n_batch, n_frames, n_mels)."""
        wave: Tensor = self._network(mel, join)
        return wave


class FastBlock(nn.Module):
    """`ConvNeXtBlock`: its scale folded into the last weights, its convolution channels last."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        conv, scale = block.depthwise, block.scale.detach()
        self._kernel = conv.weight.detach()[:, :, None].contiguous(
            memory_format=torch.channels_last
        )
        self._bias, self._pad = conv.bias.detach(), conv.padding[0]
        self.norm, self._dtype = block.norm, dtype
        widen, narrow = block.widen, block.narrow
        self.widen = linear_layer(widen.weight, widen.bias, dtype, gelu=True)
        weight, bias = narrow.weight.detach() * scale[:, None], narrow.bias.detach() * scale
        self.narrow = linear_layer(weight, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:  # (n_batch, n_frames, width)
        image = x.permute(0, 2, 1).unsqueeze(2)
        pad = (0, self._pad)
        y = F.conv2d(image, self._kernel, self._bias, padding=pad, groups=len(self._kernel))
        y = self.norm(y.squeeze(2).permute(0, 2, 1)).to(self._dtype)
        return x + self.narrow(self.widen(y))
