"""Shorter training steps of a UNet on a CPU.

Latents are a few cells wide. The weight gradient of a convolution goes along the rows of an image,
and rows of 4 or 8 cells fill a quarter of a matrix unit's tile (AMX: 32 deep). Images side by side,
with a column of zeros between them, make long rows of the same sums, up to three times as fast.
What lies between matrix products is fused by torch.compile, which needs a C++ compiler.
"""

from __future__ import annotations

import shutil
import warnings
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

#: Cells a row should have: rows of about so many are fastest (measured with AMX, widths 4 and 8).
ROW_CELLS = 30
#: Channels from which on the longer rows are a gain.
FEWEST_CHANNELS = 64


def shorten(unet: nn.Module) -> None:
    """Make a UNet's training steps on this CPU shorter, in place; weights and their names stay.

    On processors without bf16 products only the compiler helps, and without a compiler nothing
    is changed there.
    """
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        for module in unet.modules():
            if isinstance(module, nn.Conv2d) and _is_narrow(module):
                module.forward = MethodType(_forward, module)  # type: ignore[method-assign]
    if any(shutil.which(name) for name in ("g++", "clang++", "cl")):
        warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
        unet.compile()


def _is_narrow(module: nn.Conv2d) -> bool:
    same = (module.kernel_size, module.stride, module.padding) == ((3, 3), (1, 1), (1, 1))
    return same and min(module.in_channels, module.out_channels) >= FEWEST_CHANNELS


def _forward(module: nn.Conv2d, x: Tensor) -> Tensor:
    if not torch.is_autocast_enabled("cpu"):
        return nn.functional.conv2d(x, module.weight, module.bias, padding=1)
    kept = (None if t is None else t.bfloat16() for t in (x, module.weight, module.bias))
    made: Tensor = LongRows.apply(*kept)
    return made


class LongRows(torch.autograd.Function):
    """A 3 x 3 convolution that keeps its size, whose weight gradient is taken of images side by
    side.

    Arguments are those of conv2d: images of shape = (n_batch, n_channels, height, width), weights,
    and a bias or None.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return nn.functional.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        to_bias = gradient.sum((0, 2, 3)) if ctx.has_bias else None
        n = _images_a_row(len(x), x.shape[3])
        if n == 1:
            return *_gradients(gradient, x, weight, (True, True)), to_bias
        to_x = _gradients(gradient, x, weight, (True, False))[0]
        to_weight = _gradients(side_by_side(gradient, n), side_by_side(x, n), weight, (False, True))
        return to_x, to_weight[1], to_bias


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    ones = (1, 1)
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, ones, ones, ones, False, (0, 0), 1, (*wanted, False)
    )
    return found[:2]


def _images_a_row(n_images: int, width: int) -> int:
    """A divisor of the number of images: the most that ROW_CELLS holds."""
    most = max(1, ROW_CELLS // (width + 1))
    return max(n for n in range(1, min(most, n_images) + 1) if n_images % n == 0)


def side_by_side(images: Tensor, n: int) -> Tensor:
    """Images, shape = (n_batch, n_channels, height, width), `n` in a row with a column of zeros
    after each, shape = (n_batch / n, n_channels, height, n * (width + 1)), channels last."""
    n_batch, n_channels, height, width = images.shape
    rows = images.permute(0, 2, 3, 1).reshape(n_batch // n, n, height, width, n_channels)
    apart = nn.functional.pad(rows.transpose(1, 2), (0, 0, 0, 1))
    return apart.reshape(n_batch // n, height, n * (width + 1), n_channels).permute(0, 3, 1, 2)
