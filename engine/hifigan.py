"""AudioLDM's vocoder as a processor likes it: images one pixel high, channels last.

The numbers of transformers' SpeechT5HifiGan but by rounding, in another order:

- its 1-D convolutions are 2-D ones, whose kernels libraries have tuned;
- a transposed convolution of stride s is an ordinary one that answers s samples at each place, and
  with channels last these already lie in a row (the polyphase form);
- residual blocks go through time in chunks that stay in the cache. A chunk hears as far past its
  ends as its blocks reach, so that nothing changes where chunks meet.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.packed import PackedConv2d
from engine.windows import window_starts

#: Numbers of one chunk's activations, and the least samples it advances, in reaches.
CHUNK_NUMBERS, LEAST_REACHES = 2**19, 40
#: Stages of fewer channels add up in fp32, whatever their convolutions run in: so near the wave
#: rounding is heard as it is.
FEW_CHANNELS = 128
LAST_SLOPE = 0.01  # of the last leaky ReLU; the others' is in the config


class FastHifiGan(nn.Module):
    """SpeechT5HifiGan on a CPU.

    Parameters
    ----------
    network : SpeechT5HifiGan
        Left as it is.
    dtype : torch.dtype
        fp32 or bf16: of its convolutions.
    """

    def __init__(self, network: Any, dtype: torch.dtype) -> None:
        super().__init__()
        config = network.config
        self._slope, self._n_kernels = config.leaky_relu_slope, network.num_kernels
        self._normalize = bool(config.normalize_before)
        self._mean, self._scale = network.mean.detach(), network.scale.detach()
        self.first = _packed(network.conv_pre, dtype)
        self.stages = nn.ModuleList()
        for index, upsampler in enumerate(network.upsampler):
            blocks = network.resblocks[index * self._n_kernels : (index + 1) * self._n_kernels]
            self.stages.append(Stage(upsampler, blocks, self._slope, dtype))
        self.last = _packed(network.conv_post, torch.float32)

    @staticmethod
    def can_replace(network: Any) -> bool:
        """Whether a vocoder has nothing that this one lacks."""
        kernels = [c.kernel_size[0] for b in network.resblocks for c in (*b.convs1, *b.convs2)]
        ups = network.upsampler
        return all(size % 2 for size in kernels) and all(u.kernel_size >= u.stride for u in ups)

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform, shape = (n_batch, n_samples), of a log-mel (n_batch, n_frames, n_mels)."""
        if self._normalize:
            mel = (mel - self._mean) / self._scale
        x = self.first(_image(mel, self.first.dtype))
        for stage in self.stages:
            x = stage(F.leaky_relu(x, self._slope))
        wave: Tensor = torch.tanh(self.last(F.leaky_relu(x.float(), LAST_SLOPE)))
        return wave[:, 0, 0]


class Stage(nn.Module):
    """One upsampling, and the mean of the residual blocks after it."""

    def __init__(
        self, upsampler: nn.ConvTranspose1d, blocks: Any, slope: float, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.up = Upsampler(upsampler, dtype)
        self.blocks = nn.ModuleList(ResidualBlock(block, slope, dtype) for block in blocks)
        self._sum_dtype = dtype if upsampler.out_channels >= FEW_CHANNELS else torch.float32
        self._reach = max(block.reach for block in self.blocks)
        self._step = max(CHUNK_NUMBERS // upsampler.out_channels, LEAST_REACHES * self._reach)

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_channels, 1, n_samples) to (n_batch, fewer, 1, more)."""
        x = self.up(x).to(self._sum_dtype)
        # Chunks of one size, for which weights are packed once, and no larger than their number
        # asks for: what two chunks hear is worked out twice.
        length = x.shape[3]
        width = -(-length // max(1, round(length / self._step))) + 2 * self._reach
        if length <= width:
            return self._mean(x)
        out = torch.empty_like(x)
        done = 0
        for start in window_starts(length, width, 2 * self._reach):
            y = self._mean(x[..., start : start + width])
            is_last = start + width == length
            stop = length if is_last else start + width - self._reach
            out[..., done:stop] = y[..., done - start : stop - start]
            done = stop
        return out

    def _mean(self, x: Tensor) -> Tensor:
        first, *others = self.blocks
        total: Tensor = first(x)
        for block in others:
            total.add_(block(x))
        return total.div_(len(self.blocks))


class ResidualBlock(nn.Module):
    """HifiGanResidualBlock; `reach` is how many samples to each side it hears."""

    def __init__(self, block: Any, slope: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.firsts = nn.ModuleList(_packed(conv, dtype, slope) for conv in block.convs1)
        self.seconds = nn.ModuleList(_packed(conv, dtype) for conv in block.convs2)
        self._slope = slope
        self.reach = sum(conv.padding[0] for conv in (*block.convs1, *block.convs2))

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_channels, 1, n_samples) both ways; `x` stays as it is."""
        for first, second in zip(self.firsts, self.seconds, strict=True):
            y = second(first(F.leaky_relu(x.to(first.dtype), self._slope)))
            x = y.add_(x) if y.dtype == x.dtype else x + y
        return x


class Upsampler(nn.Module):
    """A transposed convolution of stride s as a convolution that answers s samples at a place.

    Sample s m + r of the answer is the sum over j of x[m - j] under tap s j + r + padding.
    """

    def __init__(self, conv: nn.ConvTranspose1d, dtype: torch.dtype) -> None:
        super().__init__()
        (self._stride,), (padding,), (n_taps,) = conv.stride, conv.padding, conv.kernel_size
        s = self._stride
        first_j, last_j = -((s - 1 + padding) // s), (n_taps - 1 - padding) // s
        places = torch.arange(last_j, first_j - 1, -1)  # of j, as x goes on in time
        taps = s * places[None, :] + torch.arange(s)[:, None] + padding  # (s, n_places)
        inside = (taps >= 0) & (taps < n_taps)
        weight = conv.weight.detach().float()[:, :, taps.clamp(0, n_taps - 1)] * inside
        self._n_out, self._tail = conv.out_channels, n_taps - 2 * padding - s
        # One place more than x has, where the answer is longer than s times x.
        self._before, self._after = last_j, -first_j + (self._tail > 0)
        pad = max(self._before, self._after)
        whole = nn.Conv1d(conv.in_channels, s * self._n_out, len(places), device="meta")
        whole.padding = (pad,)
        kernel = weight.permute(2, 1, 0, 3).flatten(0, 1)  # (s * n_out, n_in, n_places)
        whole.weight = nn.Parameter(kernel.contiguous(), requires_grad=False)
        assert conv.bias is not None
        whole.bias = nn.Parameter(conv.bias.detach().repeat(s), requires_grad=False)
        self.conv = _packed(whole, dtype)
        self._skip = pad - self._before

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_channels, 1, n_samples) to (n_batch, n_out, 1, about s * n_samples)."""
        n, length = x.shape[0], x.shape[3]
        y = self.conv(x.to(self.conv.dtype)).permute(0, 2, 3, 1)[:, 0]  # (n, n_places, s * n_out)
        n_places = length + (self._tail > 0)
        y = y[:, self._skip : self._skip + n_places].reshape(n, -1, self._n_out)
        y = y[:, : self._stride * length + self._tail]
        return y.permute(0, 2, 1).unsqueeze(2)


def _packed(conv: nn.Conv1d, dtype: torch.dtype, slope: float | None = None) -> PackedConv2d:
    """A 1-D convolution as one over images one pixel high."""
    (taps,), (padding,), (dilation,) = conv.kernel_size, conv.padding, conv.dilation
    image = nn.Conv2d(conv.in_channels, conv.out_channels, (1, taps), device="meta")
    image.padding, image.dilation = (0, int(padding)), (1, dilation)
    image.weight = nn.Parameter(conv.weight.detach()[:, :, None], requires_grad=False)
    assert conv.bias is not None
    image.bias = nn.Parameter(conv.bias.detach(), requires_grad=False)
    return PackedConv2d(image, dtype, slope)


def _image(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """(n_batch, n_time, n_channels) as (n_batch, n_channels, 1, n_time), channels last."""
    return rows.to(dtype).contiguous().permute(0, 2, 1).unsqueeze(2)
