"""Steps that run only the top of the UNet and take the rest from the step before (DeepCache).

What the lower levels of a UNet say changes slowly from step to step (Ma et al. 2023), so with
`reuse` n only every n-th prediction runs them:

    conv_in ─► down 0 ─────────────────────────► up -1 ─► conv_out      every one
                 └─► down 1 … ─► mid ─► … up -2 ──┘                     every n-th
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

#: What one reverse process may keep. Windows past it run whole: memory doesn't grow with the clip.
MAX_KEPT_BYTES = 2**27


class Kept:
    """What the depths said last in one reverse process, a tensor a batch of windows.

    Parameters
    ----------
    reuse : int
        Predictions that share one run of the depths; 1 shares none.
    """

    def __init__(self, reuse: int) -> None:
        self._reuse, self._n_rows, self._age, self._is_due = reuse, 0, 0, True
        self._answers: dict[int, Tensor] = {}
        self._room_bytes = MAX_KEPT_BYTES

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ever reused."""
        return self._reuse == 1

    def next(self, n_rows: int) -> None:
        """A prediction of so many rows begins."""
        self._age += 1
        self._is_due = self._age >= self._reuse or n_rows != self._n_rows
        if self._is_due:
            self._age, self._n_rows = 0, n_rows
            self._answers.clear()
            self._room_bytes = MAX_KEPT_BYTES

    def said(self, batch: int) -> Tensor | None:
        """What a batch of windows is to take from before, if anything."""
        return None if self._is_due else self._answers.get(batch)

    def keep(self, batch: int, answer: Tensor) -> None:
        """Remember what the depths said of a batch of windows, if there is room."""
        if self._is_due and answer.nbytes <= self._room_bytes:
            self._room_bytes -= answer.nbytes
            self._answers[batch] = answer


class Depths:
    """The levels of a UNet below its first, which can be told to say again what they said.

    Parameters
    ----------
    network : UNet2DConditionModel
        Its lower blocks are wrapped.
    """

    def __init__(self, network: Any) -> None:
        self._kept: Kept | None = None
        self._batch = 0
        for index in range(1, len(network.down_blocks)):
            network.down_blocks[index] = _Down(network.down_blocks[index], self)
        n_up = len(network.up_blocks) - 1
        for index in range(n_up):
            kind = _Last if index == n_up - 1 else _Passing
            network.up_blocks[index] = kind(network.up_blocks[index], self)
        if network.mid_block is not None:
            network.mid_block = (_Passing if n_up else _Last)(network.mid_block, self)

    @contextmanager
    def of(self, kept: Kept, batch: int) -> Iterator[None]:
        """What runs meanwhile leaves its answer in `kept`, or takes it from there."""
        self._kept, self._batch = None if kept.is_idle else kept, batch
        try:
            yield
        finally:
            self._kept = None

    def said(self) -> Tensor | None:
        """What is said again in place of a run, if anything."""
        return None if self._kept is None else self._kept.said(self._batch)

    def keep(self, answer: Tensor) -> None:
        """Leave what a run said, where that is wanted."""
        if self._kept is not None:
            self._kept.keep(self._batch, answer)


class _Block(nn.Module):
    """A block in its place: the network asks it for what it asks of the block."""

    def __init__(self, block: Any, depths: Depths) -> None:
        super().__init__()
        self.block, self.resnets = block, block.resnets
        self.has_cross_attention = getattr(block, "has_cross_attention", False)
        self._depths = depths


class _Down(_Block):
    def forward(self, hidden_states: Tensor, **given: Any) -> Any:
        if self._depths.said() is None:
            answer = self.block(hidden_states=hidden_states, **given)
            self._n_kept = len(answer[1])
            return answer
        return hidden_states, (hidden_states,) * self._n_kept  # nobody reads these


class _Passing(_Block):
    def forward(self, hidden_states: Tensor, *others: Any, **given: Any) -> Any:
        if self._depths.said() is None:
            return self.block(hidden_states, *others, **given)
        return hidden_states


class _Last(_Block):
    def forward(self, hidden_states: Tensor, *others: Any, **given: Any) -> Any:
        answer = self._depths.said()
        if answer is None:
            answer = self.block(hidden_states, *others, **given)
            self._depths.keep(answer)
        return answer
