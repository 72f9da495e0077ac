"""The loop every part is trained by: averages, learning rate, budgets, and what isn't finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import FaultError
from engine.training.loop import (
    MOST_SKIPPED,
    Average,
    Losses,
    Trainee,
    fit,
    save_state,
    warm_then_decay,
)


def test_average_follows_the_weights() -> None:
    layer = torch.nn.Linear(2, 2)
    average = Average(layer, decay=0.5)
    with torch.no_grad():
        layer.weight.fill_(8.0)
    for step in range(60):
        average.update(layer, step)
    assert torch.allclose(average.weights["weight"], torch.full((2, 2), 8.0), atol=1e-3)


def test_learning_rate_warms_up_and_decays() -> None:
    factors = [warm_then_decay(done, 1000) for done in (0.0, 0.5, 1.0)]
    assert factors == pytest.approx([1.0, 0.55, 0.1])
    assert warm_then_decay(0.0, 0, warmup_steps=200) == pytest.approx(1 / 200)


@pytest.mark.usefixtures("a_second_a_step")
def test_fit_resumes_and_counts_time_over_starts(tmp_path: Path) -> None:
    class Counter:
        n = 0

        def step(self, rng: np.random.Generator, done: float) -> dict[str, float]:
            self.n += 1
            self.drawn = float(rng.random())
            return {"loss": done}

        def state_dict(self) -> dict[str, int]:
            return {"n": self.n}

        def load_state_dict(self, state: dict[str, int]) -> None:
            self.n = state["n"]

    first = Counter()
    fit(first, tmp_path / "run", minutes=0.1)
    second = Counter()
    fit(second, tmp_path / "run", minutes=0.05)  # the budget is used up already
    assert second.n == first.n > 0
    third = Counter()
    fit(third, tmp_path / "run", minutes=0.2)
    assert third.n > first.n


class Line(Trainee):
    """Two weights, whose loss is NaN or infinite now and then."""

    stateful = ("line", "optimizer")

    def __init__(self, faults: dict[int, float]) -> None:
        self.line, self.faults, self.n_tried = torch.nn.Linear(1, 1), faults, 0
        self.average, self.n_steps = Average(self.line), 0
        self.optimizer = torch.optim.AdamW(self.line.parameters(), 0.1)

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        fault = self.faults.get(self.n_tried, 1.0)
        self.n_tried += 1
        loss = fault * self.line(torch.ones(1, 1)).square().sum()
        self.descend(loss, self.line, self.optimizer)
        return {"loss": loss.item()}


@pytest.mark.parametrize("fault", [float("nan"), float("inf")])
def test_steps_without_a_finite_gradient_are_left_out(fault: float) -> None:
    rng, trainee = np.random.default_rng(0), Line({1: fault, 2: fault})
    trainee.step(rng, 0.0)
    weights = [p.detach().clone() for p in trainee.line.parameters()]
    average = {name: value.clone() for name, value in trainee.average.weights.items()}
    for _ in range(2):
        trainee.step(rng, 0.0)
    assert all(map(torch.equal, weights, trainee.line.parameters()))
    assert all(torch.equal(average[name], trainee.average.weights[name]) for name in average)
    trainee.step(rng, 0.0)
    assert (trainee.n_steps, trainee.n_skipped) == (2, 0)
    assert not torch.equal(weights[0], trainee.line.weight)


@pytest.mark.usefixtures("a_second_a_step")
def test_a_run_that_came_to_nothing_stops_and_keeps_its_last_state(tmp_path: Path) -> None:
    trainee = Line({n: float("nan") for n in range(5, 100)})
    fit(trainee, tmp_path / "run", minutes=0.02)
    kept = (tmp_path / "run/state.pt").read_bytes()
    trainee.n_tried = 5
    with pytest.raises(FaultError, match=f"{MOST_SKIPPED} steps in a row"):
        fit(trainee, tmp_path / "run", minutes=10)
    assert (tmp_path / "run/state.pt").read_bytes() == kept
    with torch.no_grad():
        trainee.line.weight.fill_(float("nan"))
    with pytest.raises(FaultError, match="no longer finite"):
        save_state(trainee, tmp_path / "run", np.random.default_rng(0), 0.0, 0)
    assert (tmp_path / "run/state.pt").read_bytes() == kept
