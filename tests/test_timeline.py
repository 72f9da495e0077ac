"""Texts over time: who pulls when, and what the model's answers to them come to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from signals import MODEL_RATE, noise

from engine import Engine, Generate, Hole, Inpaint, Region, Transfer
from engine.denoise import Guidance, Predict, Sparing
from engine.loudness import rms
from engine.timeline import Timeline, guided, text_weights, texts_of


@pytest.mark.parametrize("times_s", [[0.0], [0.0, 2.0], [0.0, 1.0, 1.2, 4.0], [0.5, 0.7]])
def test_every_moment_has_all_its_text(times_s: list[float]) -> None:
    cells_s = np.linspace(0, 5, 501)
    weights = np.array(text_weights(times_s, cells_s))
    assert weights.sum(axis=0) == pytest.approx(1.0)
    assert weights.min() > -1e-12
    for index, at in enumerate(times_s[1:], 1):
        middle = weights[:, np.argmin(np.abs(cells_s - at))]
        assert middle[index - 1] == pytest.approx(middle[index], abs=0.2)
    assert weights[0, 0] == 1.0
    assert weights[-1, -1] == 1.0


class Constant:
    """A model whose answer is its guidance's weight: what is blended can be read off."""

    def guided(
        self, guidance: Guidance, n_takes: int, sparing: Sparing, on_window: object
    ) -> Predict:
        return lambda latents, _: torch.full_like(latents, guidance.weight)


@pytest.mark.parametrize("n_cells", [8, 40, 168])
def test_what_the_texts_say_is_blended_by_their_weights(n_cells: int) -> None:
    cells_s = (np.arange(n_cells) + 0.5) * 0.04
    weights = text_weights([0.0, 0.3, 1.5], cells_s)
    none = torch.zeros(4)
    texts = [Guidance(none, none, weight) for weight in (2.0, 3.0, 5.0)]
    timeline = Timeline(tuple(zip(texts, weights, strict=True)))
    said = guided(Constant(), timeline, 2)(torch.ones(2, 4, n_cells, 16), 500)  # type: ignore[arg-type]
    wanted = 2.0 * weights[0] + 3.0 * weights[1] + 5.0 * weights[2]
    assert said.shape == (2, 4, n_cells, 16)
    assert said[1, 2, :, 3].numpy() == pytest.approx(wanted, abs=1e-5)


def test_a_prompt_holds_before_the_first_text() -> None:
    assert texts_of("wind", [(1.0, "rain")]) == (["wind", "rain"], [0.0, 1.0])
    assert texts_of("wind", [(0.0, "rain")]) == (["rain"], [0.0])
    assert texts_of("", [(1.0, "rain")]) == (["rain"], [1.0])


def test_one_text_all_along_is_a_prompt(tiny: Engine, clip: Region) -> None:
    worded = tiny.edit(clip, Transfer(prompt="rain", steps=2)).samples
    timed = tiny.edit(clip, Transfer(prompts=((0.0, "rain"),), steps=2)).samples
    assert np.array_equal(timed, worded)


def test_a_text_changes_its_own_time(tiny: Engine) -> None:
    made = [
        tiny.edit(
            None, Generate(prompts=((0.0, "rain"), (2.0, text)), seconds=4.0, steps=4)
        ).samples
        for text in ("thunder", "a dog barks far away in the night")
    ]
    difference = made[0] - made[1]
    rate = len(difference) // 4
    assert rms(difference[:rate]) < 0.01 * rms(difference[3 * rate :])
    assert rms(difference[3 * rate :]) > 1e-3 * rms(made[0])


@pytest.mark.parametrize(
    "where",
    [
        {"mask": ((6.0, 0.0, 0.0), (6.1, 0.0, 1.0), (6.4, 0.0, 1.0), (6.5, 0.0, 0.0))},
        {"holes": (Hole(96000, 8000),)},
    ],
    ids=["mask", "hole"],
)
def test_times_count_from_the_regions_start_not_the_excerpts(
    tiny: Engine, where: dict[str, Any]
) -> None:
    """The model is shown a second or so around 6 s; there only the second text holds."""
    long = Region(noise(8 * MODEL_RATE), MODEL_RATE)
    thunder, rain, timed = (
        tiny.edit(long, Inpaint(steps=2, **where, **texts)).samples
        for texts in (
            {"prompt": "thunder"},
            {"prompt": "rain"},
            {"prompts": ((0.0, "rain"), (4.0, "thunder"))},
        )
    )
    assert np.array_equal(timed, thunder)
    assert not np.array_equal(timed, rain)
