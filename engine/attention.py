"""Attention from plain products, for processors whose fused kernels are slow.

On processors with AVX512-bf16 but no AMX, PyTorch's fused attention runs at a third of the speed of
plain bf16 products. One head at a time, its scores stay in the cache.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Up to this many tokens all heads go in one batch; above, so many queries at a time.
FEW_TOKENS, QUERIES = 512, 1024
#: Shares are powers of two; sums of so large ones are still far from the largest float.
LARGEST_SCORE = 100.0


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T) v of scaled queries, all of shape = (n_batch, n_heads, n_tokens, width).

    They may be parts of one tensor. NaN spreads over its own head.

    Returns
    -------
    out : Tensor, shape = (n_batch, n_heads, n_tokens, width)
        Laid out so that swapping heads and tokens gives contiguous rows.
    """
    n_batch, n_heads, n_tokens, width = q.shape
    if n_tokens <= FEW_TOKENS:
        rows = (t.reshape(n_batch * n_heads, n_tokens, width) for t in (q, k, v))
        return _few(*rows).view(n_batch, n_heads, n_tokens, width)
    out = q.new_empty(n_batch, n_tokens, n_heads, width).transpose(1, 2)
    q = q * math.log2(math.e)
    for row in range(n_batch):
        for head in range(n_heads):
            at = (row, head)
            _many(q[at], k[at], v[at], out[at])
    return out


def _few(q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # (n_rows, n_tokens, width)
    return torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v)


def _many(q: Tensor, k: Tensor, v: Tensor, out: Tensor) -> None:
    """One head, its queries scaled for powers of two; all of shape = (n_tokens, width)."""
    largest = q.norm(dim=-1).max() * k.norm(dim=-1).max()
    is_small = float(largest) < LARGEST_SCORE  # so is every score (Cauchy and Schwarz)
    for at in range(0, len(q), QUERIES):
        some = slice(at, at + QUERIES)
        shares = torch.mm(q[some], k.T)
        if not is_small:
            shares.sub_(shares.amax(-1, keepdim=True))
        total = shares.exp2_().sum(-1, keepdim=True)
        torch.mm(shares, v, out=out[some])
        out[some].div_(total)
