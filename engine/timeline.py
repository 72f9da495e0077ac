"""Texts that change over time: each pulls its own stretch, and neighbours overlap.

    text 1   ████████▇▅▃▁
    text 2           ▁▃▅▇████████     weights of every cell add up to 1

The model is asked for every text in windows around its stretch alone; what it says is blended by
the weights at every step, so that one text grows out of the other (MultiDiffusion, Bar-Tal 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.denoise import NOT_SPARING, Guidance, Predict, Sparing, Unet
from engine.windows import OnWindow

#: How long a text takes to go over into the next, centred on the next one's time.
BLEND_S = 1.0
#: Cells the model hears beside a text's stretch, and what a stretch's ends are rounded to.
AROUND_CELLS, MULTIPLE_CELLS = 32, 8


@dataclass(frozen=True, eq=False)
class Timeline:
    """Guidances and their weights over time.

    Parameters
    ----------
    parts : tuple of (Guidance, ndarray of shape = (n_cells,))
        The weights of all parts add up to 1 in every cell.
    """

    parts: tuple[tuple[Guidance, npt.NDArray[np.float64]], ...]


def texts_of(prompt: str, prompts: Sequence[tuple[float, str]]) -> tuple[list[str], list[float]]:
    """Texts and the seconds from which they hold; a prompt holds before the first of them."""
    texts, times_s = [text for _, text in prompts], [at for at, _ in prompts]
    if prompt and times_s[0] > 0.0:
        return [prompt, *texts], [0.0, *times_s]
    return texts, times_s


def text_weights(
    times_s: Sequence[float], cells_s: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """Weight of every text at every cell: 1 in its stretch, raised cosines where it changes.

    Parameters
    ----------
    times_s : sequence of float
        From when each text holds, in order; the first holds before its time too.
    cells_s : ndarray, shape = (n_cells,)
        Middle of every cell.
    """
    entered = [np.ones(len(cells_s))]
    for index, at in enumerate(times_s[1:], 1):
        room = at - times_s[index - 1]
        if index + 1 < len(times_s):
            room = min(room, times_s[index + 1] - at)
        width = min(BLEND_S, room)
        way = np.clip((cells_s - at) / width + 0.5, 0.0, 1.0)
        entered.append(np.sin(way * np.pi / 2) ** 2)
    entered.append(np.zeros(len(cells_s)))
    return [entered[i] - entered[i + 1] for i in range(len(times_s))]


def guided(
    unet: Unet,
    guidance: Guidance | Timeline,
    n_takes: int,
    sparing: Sparing = NOT_SPARING,
    on_window: OnWindow | None = None,
) -> Predict:
    """The model under a guidance, or under several over time; otherwise as `Unet.guided`."""
    if isinstance(guidance, Guidance):
        return unet.guided(guidance, n_takes, sparing, on_window)
    parts = [
        (unet.guided(pull, n_takes, sparing, on_window), weights, _stretch(weights))
        for pull, weights in guidance.parts
        if weights.any()
    ]

    def predict(latents: Tensor, timestep: int) -> Tensor:
        total = torch.zeros_like(latents)
        for own, weights, (start, stop) in parts:
            said = own(latents[:, :, start:stop], timestep)
            share = torch.from_numpy(weights[start:stop]).to(said)
            total[:, :, start:stop] += said * share[:, None]
        return total

    return predict


def _stretch(weights: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Cells (start, stop) the model is asked for: where a weight counts, and what is around."""
    n_cells, sounding = len(weights), np.flatnonzero(weights)
    start = max(0, int(sounding[0]) - AROUND_CELLS)
    stop = min(n_cells, int(sounding[-1]) + 1 + AROUND_CELLS)
    start -= start % MULTIPLE_CELLS
    return start, min(n_cells, stop + -(stop - start) % MULTIPLE_CELLS)
