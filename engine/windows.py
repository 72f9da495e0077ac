"""Long sequences in overlapping windows: where they lie, and how their answers are blended.

    window 0   ______________
              /              \\          weights: 0 over the discarded context,
    window 1            ______________   then half a raised cosine
                       /              \\
    sum        1  1  1  1  1  1  1  1  1   (after dividing by it)

Used for the diffusion model's view, the VAE and the vocoder alike, so that memory grows with the
window and never with the clip.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Hears the share of the windows that are done, 0 to 1.
OnWindow = Callable[[float], None]


def window_starts(length: int, window: int, overlap: int) -> list[int]:
    """First index of each window, evenly spread, so that neighbours share at least `overlap`.

    All windows are `window` long; one window from 0 where `length` is not longer than it.
    """
    assert 0 <= overlap < window
    if length <= window:
        return [0]
    n_windows = 1 + -(-(length - window) // (window - overlap))
    return [round(i * (length - window) / (n_windows - 1)) for i in range(n_windows)]


def fitted_window(length: int, window: int, overlap: int, multiple: int = 1) -> int:
    """Width of the windows to use: up to a quarter more than `window` where that spares some.

    Networks hear a little more than they were trained on as well as two windows of what they were
    trained on, at half the work.

    Parameters
    ----------
    length, window, overlap : int
        As in `window_starts`.
    multiple : int
        What the width is rounded up to.
    """
    most = window + window // 4
    if length <= window:
        return window
    if length <= most:
        return length
    n_windows = 1 + -(-(length - most) // (most - overlap))
    evenly = -(-(length + (n_windows - 1) * overlap) // n_windows)
    return max(window, -(-evenly // multiple) * multiple)


def window_weights(start: int, window: int, length: int, overlap: int, discard: int = 0) -> Tensor:
    """Blending weights of one window, shape = (window,), positive where the window counts.

    A side that is the sequence's own end is not faded.

    Parameters
    ----------
    start, window, length, overlap : int
        As in `window_starts`.
    discard : int
        Outermost entries of a faded side that weigh nothing: context for the network only.
    """
    assert 2 * discard < overlap or discard == 0
    ramp_length = overlap - 2 * discard
    ramp = torch.sin(torch.linspace(0.0, 1.0, ramp_length + 2)[1:-1] * torch.pi / 2) ** 2
    fade = torch.cat((torch.zeros(discard), ramp))
    weights = torch.ones(window)
    if start > 0:
        weights[: len(fade)] = fade
    if start + window < length:
        weights[window - len(fade) :] = fade.flip(0)
    return weights


def in_windows(
    network: Callable[[Tensor], Tensor],
    x: Tensor,
    window: int,
    overlap: int,
    discard: int,
    ratio: float = 1.0,
    on_window: OnWindow | None = None,
    at_once: int = 1,
) -> Tensor:
    """Run a network along the time axis in windows and blend the answers.

    Parameters
    ----------
    network : callable
        Takes (n_batch, n_time, ...) and gives (n_batch, n_time * ratio, ...).
    x : Tensor, shape = (n_batch, n_time, ...)
    window, overlap, discard : int
        In entries of `x`'s time axis.
    ratio : float
        Entries out an entry in; `window`, `overlap` and `discard` times it must be whole.
    on_window : callable, optional
        Hears the share done after each window; may raise to stop.
    at_once : int
        Windows that share a batch: the network gets up to so many times n_batch rows, window by
        window.

    Returns
    -------
    y : Tensor, shape = (n_batch, n_time * ratio, ...)
        What `network(x)` gives where `x` is not longer than a window.
    """
    length = x.shape[1]
    if length <= window:
        return network(x)
    total, weight = None, torch.zeros(round(length * ratio))
    starts = _aligned_starts(length, window, overlap, ratio)
    for first in range(0, len(starts), at_once):
        group = starts[first : first + at_once]
        parts = network(_stacked(x, group, window)).float().chunk(len(group))
        for start, part in zip(group, parts, strict=True):
            size, at = part.shape[1], round(start * ratio)
            fades = window_weights(
                at, size, round(length * ratio), round(overlap * ratio), round(discard * ratio)
            )
            if total is None:
                total = part.new_zeros((part.shape[0], len(weight), *part.shape[2:]))
            shaped = fades.to(part).view(-1, *[1] * (part.ndim - 2))
            total[:, at : at + size] += part * shaped
            weight[at : at + size] += fades
        if on_window is not None:
            on_window((first + len(group)) / len(starts))
    assert total is not None
    return total / weight.to(total).view(-1, *[1] * (total.ndim - 2))


def _stacked(x: Tensor, starts: list[int], window: int) -> Tensor:
    if len(starts) == 1:
        return x[:, starts[0] : starts[0] + window]
    return torch.cat([x[:, start : start + window] for start in starts])


def _aligned_starts(length: int, window: int, overlap: int, ratio: float) -> list[int]:
    """Starts that fall on whole entries of the answer too (an encoder's ratio is below 1)."""
    step = 1 if ratio >= 1 else round(1 / ratio)
    starts = window_starts(length // step, window // step, -(-overlap // step))
    return [start * step for start in starts]
