"""Layers whose weights lie as the processor's kernels read them, put there once.

oneDNN, which PyTorch's convolutions run on, reads weights in an order of its own and puts them into
it anew at every call: at the UNet's deepest level, two cells by thirty-two, that takes as long as
the convolution. Linear layers in fp32 go to another library (MKL), which on some processors runs at
less than half of what they can do. The layers here answer the same but by rounding.
"""

from __future__ import annotations

import platform
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

#: What a layer may do to its own answer at no cost: oneDNN's name and its parameter.
LEAKY_RELU = "leaky_relu"
#: Sizes of image that weights are kept ready for: all windows of an edit have the same.
MAX_SIZES = 2


#: What this PyTorch asks the processor about before it takes such weights.
ASKED = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


def can_pack(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this processor and this PyTorch have the kernels for a precision.

    Those for bf16 need AVX512 or newer, those for fp16 a newer processor still; others run plain
    layers.
    """
    kernels = torch.ops.mkldnn
    names = ["_convolution_pointwise", "_linear_pointwise", *filter(None, [ASKED.get(dtype)])]
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()
        and all(hasattr(kernels, name) for name in names)
        and (dtype not in ASKED or bool(getattr(kernels, ASKED[dtype])()))
    )


class PackedConv2d(nn.Module):
    """A convolution without groups, its weights packed.

    Parameters
    ----------
    conv : Conv2d
        Left as it is.
    dtype : torch.dtype
        fp32 or bf16; what it will be given.
    slope : float, optional
        A leaky ReLU of this slope follows.
    """

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype, slope: float | None = None) -> None:
        super().__init__()
        self.dtype, self._weight = dtype, conv.weight.detach().to(dtype)
        assert conv.groups == 1, "grouped convolutions have layouts of their own"
        self._at = (list(_pair(conv.padding)), list(_pair(conv.stride)), list(_pair(conv.dilation)))
        self._packed: OrderedDict[torch.Size, Tensor] = OrderedDict()
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self._after: tuple[str, list[Any], str] = ("none", [], "")
        if slope is not None:
            self._after = (LEAKY_RELU, [slope], "")

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_channels, height, width), channels last, both ways."""
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed_for(x), self.bias, *self._at, 1, *self._after
        )
        return answer

    def _packed_for(self, x: Tensor) -> Tensor:
        """The weights in the order the kernel for this size of image reads them."""
        size = x.shape[2:]
        if size not in self._packed:
            while len(self._packed) >= MAX_SIZES:
                self._packed.popitem(last=False)
            self._packed[size] = torch._C._nn.mkldnn_reorder_conv2d_weight(
                self._weight.to_mkldnn(), *self._at, 1, x.shape
            )
        return self._packed[size]


class PackedLinear(nn.Module):
    """A linear layer, its weights packed.

    Parameters
    ----------
    weight : Tensor, shape = (n_out, n_in)
    bias : Tensor or None, shape = (n_out,)
    dtype : torch.dtype
    gelu : bool
        Whether GELU follows.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, gelu: bool = False
    ) -> None:
        super().__init__()
        self._after: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")
        self.in_features, self.out_features = weight.shape[1], weight.shape[0]
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(dtype))
        self.bias = None if bias is None else bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_in) to (..., n_out)."""
        answer: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self.bias, *self._after
        )
        return answer


def pack(network: nn.Module, dtype: torch.dtype) -> None:
    """Put packed layers in the place of a network's plain convolutions and linear layers."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                setattr(parent, name, PackedLinear(layer.weight, layer.bias, dtype))
            elif type(layer) is nn.Conv2d and layer.groups == 1:
                setattr(parent, name, PackedConv2d(layer, dtype))


def _pair(value: Any) -> Sequence[int]:
    assert not isinstance(value, str), "padding by name isn't known here"
    return (value, value) if isinstance(value, int) else tuple(value)
