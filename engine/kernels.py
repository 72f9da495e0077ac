"""The same networks, faster: rewrites that change no number but by rounding.

**Turned.** Mels are long in time and narrow in frequency, and libraries have tuned convolutions
along the last axis. At the UNet's deepest level, two cells by thirty-two, one runs four times as
fast with time last. Nothing in these networks tells one axis from the other but their kernels, so
with kernels and input turned they answer the same, turned.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from engine.attention import attend
from engine.device import Placement
from engine.lean import lean
from engine.packed import can_pack, pack


def prepared(network: Any, placement: Placement) -> Any:
    """A diffusers network placed on its device, turned, with the fastest attention there.

    The network itself is changed; it takes and gives (n_batch, n_channels, frequency, time).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            turned = module.weight.detach().transpose(2, 3).contiguous()
            module.weight = nn.Parameter(turned, requires_grad=False)
    if placement.heads_apart:
        network.set_attn_processor(HeadsApart())
    if placement.device.type == "cpu":
        lean(network, placement.dtype)
        if can_pack(placement.dtype):
            pack(network, placement.dtype)
    return placement.place(network)


def turned_input(x: Tensor, placement: Placement) -> Tensor:
    """(n_batch, n_channels, time, frequency) as a prepared network takes it."""
    x = x.transpose(2, 3).to(placement.device, placement.dtype)
    return x.contiguous(memory_format=placement.memory_format)


def turned_output(x: Tensor) -> Tensor:
    """What a prepared network gives as (n_batch, n_channels, time, frequency), fp32 on the CPU."""
    return x.transpose(2, 3).float().cpu()


class HeadsApart:
    """Attention processor for diffusers' `Attention`: softmax(q k^T / sqrt(d)) v, head by head."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """What `AttnProcessor2_0` answers; masks aren't used in these networks."""
        assert attention_mask is None, "no attention masks here"
        x = hidden_states
        if x.ndim == 4:  # the VAE's: (n_batch, c, f, t) -> (n_batch, n_tokens, c)
            x = x.flatten(2).transpose(1, 2)
        if attn.group_norm is not None:
            x = attn.group_norm(x.transpose(1, 2)).transpose(1, 2)
        context = x if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = attn.to_q(x) * attn.scale, attn.to_k(context), attn.to_v(context)
        out = attn.to_out[0](_joined(attend(*(_apart(t, attn.heads) for t in (q, k, v)))))
        if hidden_states.ndim == 4:
            out = out.transpose(1, 2).reshape(hidden_states.shape)
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor  # type: ignore[no-any-return]


def _apart(x: Tensor, heads: int) -> Tensor:  # (n_batch, n_tokens, heads * d), d apart
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:  # (n_batch, heads, n_tokens, d) -> (n_batch, n_tokens, heads * d)
    return x.transpose(1, 2).flatten(2)
