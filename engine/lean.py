"""diffusers' blocks with fewer passes over memory: the same sums, in another order.

What a block of theirs does that these don't: divide by one, copy tokens into images and back,
double an image before a convolution that could read the small one, ask for queries, keys and values
apart, and, in bf16, norm small images by a kernel that takes them one number at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.attention import attend
from engine.packed import PackedConv2d, PackedLinear, can_pack

#: In bf16, PyTorch's group norm of images with fewer pixels than this takes one number at a time.
FEW_PIXELS = 1024


def lean(network: nn.Module, dtype: torch.dtype) -> None:
    """Put lean blocks in the place of a network's own, on a CPU; what isn't known stays."""
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.transformers.transformer_2d import Transformer2DModel
    from diffusers.models.upsampling import Upsample2D

    kinds: dict[type, Any] = {
        ResnetBlock2D: Resnet,
        Transformer2DModel: Transformer,
        Upsample2D: Upsample,
    }
    for parent in list(network.modules()):
        for name, block in list(parent.named_children()):
            kind = kinds.get(type(block))
            if kind is not None and kind.can_replace(block):
                setattr(parent, name, kind(block, dtype))


def conv_layer(conv: nn.Conv2d, dtype: torch.dtype) -> nn.Module:
    """A convolution for CPU tensors, packed where that's known."""
    if can_pack(dtype):
        return PackedConv2d(conv, dtype)
    return conv.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def linear_layer(
    weight: Tensor, bias: Tensor | None, dtype: torch.dtype, gelu: bool = False
) -> nn.Module:
    """A linear layer for CPU tensors, packed where that's known; `gelu` follows if asked for."""
    if can_pack(dtype):
        return PackedLinear(weight, bias, dtype, gelu)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach().to(dtype), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().to(dtype), requires_grad=False)
    return nn.Sequential(layer, nn.GELU()) if gelu else layer


class NormSilu(nn.Module):
    """Group norm, and SiLU after it."""

    def __init__(self, norm: nn.GroupNorm, dtype: torch.dtype, silu: bool = True) -> None:
        super().__init__()
        self._n_groups, self._eps, self._silu = norm.num_groups, norm.eps, silu
        self.weight, self.bias = (p.detach().to(dtype) for p in (norm.weight, norm.bias))
        self._weight, self._bias = norm.weight.detach().float(), norm.bias.detach().float()
        width = norm.num_channels // norm.num_groups
        self._is_bf16 = dtype == torch.bfloat16
        own = torch.arange(norm.num_channels)[:, None] // width == torch.arange(norm.num_groups)
        self._own = own.float()  # (n_channels, n_groups): which group is whose

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_channels, height, width), channels last, both ways; `x` stays as it is."""
        if self._is_bf16 and x.shape[2] * x.shape[3] < FEW_PIXELS:
            return self._of_few_pixels(x)
        y = F.group_norm(x, self._n_groups, self.weight, self.bias, self._eps)
        return F.silu(y, inplace=True) if self._silu else y

    def _of_few_pixels(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n, height * width, c).float()
        share = self._n_groups / (height * width * c)
        mean = rows.sum(1) @ self._own * share  # (n, n_groups)
        power = rows.square().sum(1) @ self._own * share
        scale = (power - mean.square() + self._eps).rsqrt() @ self._own.T * self._weight
        shift = self._bias - mean @ self._own.T * scale
        y = torch.addcmul(shift[:, None], rows, scale[:, None])
        y = F.silu(y, inplace=True) if self._silu else y
        return y.to(x.dtype).view(n, height, width, c).permute(0, 3, 1, 2)


class Resnet(nn.Module):
    """diffusers' ResnetBlock2D as AudioLDM's networks use it."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm1, self.norm2 = NormSilu(block.norm1, dtype), NormSilu(block.norm2, dtype)
        self.conv1, self.conv2 = conv_layer(block.conv1, dtype), conv_layer(block.conv2, dtype)
        shortcut, time = block.conv_shortcut, block.time_emb_proj
        self.shortcut = None if shortcut is None else conv_layer(shortcut, dtype)
        self.time = None if time is None else linear_layer(time.weight, time.bias, dtype)

    @staticmethod
    def can_replace(block: Any) -> bool:
        """Whether a block has nothing that this one lacks."""
        return (
            isinstance(block.nonlinearity, nn.SiLU)
            and block.time_embedding_norm in ("default", "group")  # group: a decoder's
            and block.output_scale_factor == 1.0
            and not (block.up or block.down or block.skip_time_act)
        )

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        """(n_batch, n_channels, height, width) both ways; `temb`: (n_batch, width)."""
        y = self.conv1(self.norm1(x))
        if self.time is not None and temb is not None:
            y.add_(self.time(F.silu(temb))[:, :, None, None])
        y = self.conv2(self.norm2(y))
        answer: Tensor = y.add_(x if self.shortcut is None else self.shortcut(x))
        return answer


class Upsample(nn.Module):
    """diffusers' Upsample2D: twice the height and width by repetition, then a 3 by 3 convolution.

    A pixel of the doubled image sees two by two of the small one's, each under the sum of the
    weights that fall on it: four kernels of 2 by 2, one for each place in a small pixel, with four
    ninths of the products.
    """

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        weight = block.conv.weight.detach().float()
        n_out, n_in = weight.shape[:2]
        four = [_halved(_halved(weight, 2, i), 3, j) for i in (0, 1) for j in (0, 1)]
        small = nn.Conv2d(n_in, 4 * n_out, 2, padding=1, device="meta")
        small.weight = nn.Parameter(torch.cat(four), requires_grad=False)
        small.bias = nn.Parameter(block.conv.bias.detach().repeat(4), requires_grad=False)
        self.four = conv_layer(small, dtype)
        self.conv = conv_layer(block.conv, dtype)
        self._n_out = n_out

    @staticmethod
    def can_replace(block: Any) -> bool:
        """Whether a block has nothing that this one lacks."""
        conv = getattr(block, "conv", None)
        return (
            block.norm is None
            and block.use_conv
            and block.interpolate
            and not block.use_conv_transpose
            and isinstance(conv, nn.Conv2d)
            and (conv.kernel_size, conv.padding, conv.stride) == ((3, 3), (1, 1), (1, 1))
            and conv.bias is not None
        )

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        """(n_batch, n_channels, height, width) to twice the height and width, or to a size."""
        n, _, height, width = x.shape
        if output_size is not None and tuple(output_size) != (2 * height, 2 * width):
            larger = F.interpolate(x, size=tuple(output_size), mode="nearest")
            answer: Tensor = self.conv(larger)
            return answer
        y = self.four(x).permute(0, 2, 3, 1).unflatten(3, (2, 2, self._n_out))
        out = y.new_empty(n, height, 2, width, 2, self._n_out)
        for i in (0, 1):
            for j in (0, 1):
                out[:, :, i, :, j] = y[:, i : i + height, j : j + width, i, j]
        return out.view(n, 2 * height, 2 * width, self._n_out).permute(0, 3, 1, 2)


def _halved(weight: Tensor, axis: int, half: int) -> Tensor:
    """Weights of the two small pixels that a half of a pixel sees along one axis."""
    first, middle, last = weight.unbind(axis)
    pair = (first, middle + last) if half == 0 else (first + middle, last)
    return torch.stack(pair, axis)


class Transformer(nn.Module):
    """diffusers' Transformer2DModel without a context: both its attentions hear the image."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm = NormSilu(block.norm, dtype, silu=False)
        first, last = block.proj_in, block.proj_out
        self.first = linear_layer(first.weight.flatten(1), first.bias, dtype)
        self.last = linear_layer(last.weight.flatten(1), last.bias, dtype)
        self.blocks = nn.ModuleList(Block(b, dtype) for b in block.transformer_blocks)

    @staticmethod
    def can_replace(block: Any) -> bool:
        """Whether a block has nothing that this one lacks."""
        return bool(block.is_input_continuous) and all(
            Block.can_replace(b) for b in block.transformer_blocks
        )

    def forward(self, x: Tensor, **others: Any) -> tuple[Tensor]:
        """(n_batch, n_channels, height, width) both ways, in a tuple as diffusers wants it."""
        given = [name for name, value in others.items() if value is not None and value is not False]
        assert not given, f"no {given[0]} in these networks"
        n, c, height, width = x.shape
        tokens = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        tokens = self.first(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        out = self.last(tokens).view(n, height, width, c).permute(0, 3, 1, 2)
        return (out.add_(x),)


class Block(nn.Module):
    """A BasicTransformerBlock: two self-attentions and a gated feed-forward."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.norms = nn.ModuleList((block.norm1, block.norm2, block.norm3)).to(dtype)
        self.attentions = nn.ModuleList(
            SelfAttention(attention, dtype) for attention in (block.attn1, block.attn2)
        )
        gated, _, out = block.ff.net
        values, gates = gated.proj.weight.chunk(2)
        value_bias, gate_bias = gated.proj.bias.chunk(2)
        self.values = linear_layer(values, value_bias, dtype)
        self.gates = linear_layer(gates, gate_bias, dtype, gelu=True)
        self.out = linear_layer(out.weight, out.bias, dtype)

    @staticmethod
    def can_replace(block: Any) -> bool:
        """Whether a block has nothing that this one lacks."""
        net = block.ff.net
        return (
            block.norm_type == "layer_norm"
            and block.pos_embed is None
            and block.attn2 is not None
            and len(net) == 3
            and type(net[0]).__name__ == "GEGLU"
            and net[0].proj.bias is not None
            and SelfAttention.can_replace(block.attn1)
            and SelfAttention.can_replace(block.attn2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_tokens, width) both ways."""
        for norm, attention in zip(self.norms, self.attentions, strict=False):
            x = attention(norm(x)).add_(x)
        y = self.norms[2](x)
        answer: Tensor = self.out(self.values(y).mul_(self.gates(y))).add_(x)
        return answer


class SelfAttention(nn.Module):
    """diffusers' Attention over its own input; queries, keys and values by one product."""

    def __init__(self, attention: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self._heads = attention.heads
        weights = [attention.to_q.weight * attention.scale]
        weights += [attention.to_k.weight, attention.to_v.weight]
        self.all = linear_layer(torch.cat([w.detach() for w in weights]), None, dtype)
        out = attention.to_out[0]
        self.out = linear_layer(out.weight, out.bias, dtype)
        self._is_bf16 = dtype == torch.bfloat16

    @staticmethod
    def can_replace(attention: Any) -> bool:
        """Whether an attention has nothing that this one lacks."""
        kept = (attention.to_q, attention.to_k, attention.to_v)
        return (
            all(layer is not None and layer.bias is None for layer in kept)
            and attention.to_q.in_features == attention.to_k.in_features
            and attention.rescale_output_factor == 1.0
            and not attention.residual_connection
            and attention.group_norm is None
            and attention.spatial_norm is None
            and attention.norm_q is None
            and attention.norm_k is None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n_batch, n_tokens, width) both ways."""
        n, n_tokens, _ = x.shape
        split = self.all(x).view(n, n_tokens, 3, self._heads, -1)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each (n, heads, n_tokens, d)
        if self._is_bf16:
            out = attend(q, k, v)
        else:
            out = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        answer: Tensor = self.out(out.transpose(1, 2).reshape(n, n_tokens, -1))
        return answer
