"""One resumable training loop for every network of a checkpoint.

A run lives in a folder: `state.pt` (weights, optimizers, averages, step, random generators),
`log.csv` and `loss.png`. Starting the same command again goes on where the state was saved.
"""

from __future__ import annotations

import csv
import ctypes
import math
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from engine.device import denormals_flushed
from engine.errors import FaultError

#: Steps in a row without a finite gradient that end a run.
MOST_SKIPPED = 20

Losses = dict[str, float]


class Average:
    """Exponential moving average of a module's weights (EMA), on the module's own device."""

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone().float() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the module; early steps count more."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value.float(), 1 - decay)
            else:
                self.weights[name].copy_(value)

    def copy_to(self, module: nn.Module) -> nn.Module:
        """Load the average into `module` and return it."""
        module.load_state_dict(self.weights)
        return module


class Trainee(ABC):
    """What `fit` can train.

    A subclass sets `n_steps` to 0, names in `stateful` its modules and optimizers, and holds the
    averaged weights of the network it trains.
    """

    stateful: ClassVar[tuple[str, ...]]
    average: Average
    n_steps: int
    n_skipped: int = 0

    @abstractmethod
    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One optimizer step; `done` is the share of the budget used, from 0 to 1."""

    def hurry(self) -> None:  # noqa: B027 (most have no way to)
        """Before a long run: spend some time on shorter steps, where there is a way to."""

    def descend(
        self,
        loss: Tensor,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        largest_norm: float = 1.0,
    ) -> None:
        """One optimizer step down `loss`, with its gradient clipped; the average follows. A step
        whose gradient isn't finite is left out.

        Raises
        ------
        FaultError
            `internal`: so were `MOST_SKIPPED` in a row.
        """
        if step_down(loss, network, optimizer, largest_norm):
            self.average.update(network, self.n_steps)
            self.n_steps, self.n_skipped = self.n_steps + 1, 0
            return
        self.n_skipped += 1
        if self.n_skipped >= MOST_SKIPPED:
            raise FaultError(
                "internal",
                f"{self.n_skipped} steps in a row had no finite gradient, so training stopped; the "
                "run's folder keeps what was last saved. Delete it to begin this part anew",
            )

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizers, average and step: everything that must survive."""
        states = {name: getattr(self, name).state_dict() for name in self.stateful}
        return states | {"average": self.average.weights, "n_steps": self.n_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The way back from `state_dict`."""
        for name in self.stateful:
            getattr(self, name).load_state_dict(state[name])
        self.average.weights, self.n_steps = state["average"], state["n_steps"]


def step_down(
    loss: Tensor,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    largest_norm: float = math.inf,
) -> bool:
    """One optimizer step down `loss`, with its gradient clipped; False, and no step, where the
    gradient isn't finite."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), largest_norm)
    is_finite = bool(torch.isfinite(norm))
    if is_finite:
        optimizer.step()
    return is_finite


def device() -> torch.device:
    """Where training runs: the GPU if there is one."""
    _keep_freed_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed: a step that asks the kernel for its tensors' memory anew spends
    up to a third of its time on page faults."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # glibc has it, musl hasn't
            most_mapped, trim_threshold, top_pad = -4, -1, -2  # M_MMAP_MAX and so on, malloc.h
            library.mallopt(most_mapped, 0)
            library.mallopt(trim_threshold, 2**31 - 1)
            library.mallopt(top_pad, 2**28)


def autocast(where: torch.device) -> torch.autocast:
    """bf16 for matrix products and convolutions, where that is a gain."""
    fast = where.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(where.type, torch.bfloat16, enabled=fast)


def attention(where: torch.device) -> AbstractContextManager[None]:
    """Attention as plain matrix products on a CPU, where the backward pass of the fused one takes
    three times as long at these sizes."""
    if where.type == "cpu":
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()


def warm_then_decay(done: float, step: int, warmup_steps: int = 200) -> float:
    """Learning-rate factor: a linear start, then a cosine down to a tenth at the budget's end."""
    cosine = 0.55 + 0.45 * float(np.cos(np.pi * min(done, 1.0)))
    return min(1.0, (step + 1) / warmup_steps) * cosine


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def fit(
    trainee: Trainee,
    folder: Path,
    minutes: float,
    seed: int = 0,
    save_every_s: float = 180.0,
    on_save: Callable[[], None] | None = None,
) -> None:
    """Train until `minutes` of training time, counted over all starts, are used up.

    Parameters
    ----------
    trainee : Trainee
        What is trained; its state is read from `folder` when one is there.
    folder : Path
        The run's folder.
    minutes : float
        Budget of the whole run, not of this start.
    on_save : callable
        Called after each save, to export what others need.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with denormals_flushed():
        _fit(trainee, folder, minutes, seed, save_every_s, on_save)


def _fit(
    trainee: Trainee,
    folder: Path,
    minutes: float,
    seed: int,
    save_every_s: float,
    on_save: Callable[[], None] | None,
) -> None:
    rng, used_s, step = _restore(trainee, folder, seed)
    bar = tqdm(desc=folder.name, initial=step, unit="step", mininterval=2.0)
    saved_at = logged_at = began = time.monotonic()
    sums: dict[str, list[float]] = {}
    while (spent := used_s + time.monotonic() - began) < minutes * 60:
        for name, value in trainee.step(rng, spent / (minutes * 60)).items():
            sums.setdefault(name, []).append(value)
        step += 1
        bar.update()
        now = time.monotonic()
        if now - logged_at > 20.0:
            _log(folder, step, spent, sums, bar)
            sums, logged_at = {}, now
        if now - saved_at > save_every_s:
            _save(trainee, folder, rng, used_s + now - began, step, on_save)
            saved_at = now
    _save(trainee, folder, rng, used_s + time.monotonic() - began, step, on_save)
    bar.close()


def _restore(trainee: Trainee, folder: Path, seed: int) -> tuple[np.random.Generator, float, int]:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    path = folder / "state.pt"
    if not path.exists():
        return rng, 0.0, 0
    state = torch.load(path, map_location=device(), weights_only=False)
    trainee.load_state_dict(state["trainee"])
    rng.bit_generator.state = state["rng"]
    torch.set_rng_state(state["torch_rng"].cpu())
    return rng, state["used_s"], state["step"]


def _save(
    trainee: Trainee,
    folder: Path,
    rng: np.random.Generator,
    used_s: float,
    step: int,
    on_save: Callable[[], None] | None,
) -> None:
    save_state(trainee, folder, rng, used_s, step)
    if on_save:
        on_save()
    _plot(folder)


def save_state(
    trainee: Trainee, folder: Path, rng: np.random.Generator, used_s: float, step: int
) -> None:
    """Write a run's `state.pt`, whole or not at all.

    Raises
    ------
    FaultError
        `internal`: the state isn't finite; the one that is there stays.
    """
    state = {
        "trainee": trainee.state_dict(),
        "rng": rng.bit_generator.state,
        "torch_rng": torch.get_rng_state(),
        "used_s": used_s,
        "step": step,
    }
    if not _is_finite(state["trainee"]):
        raise FaultError(
            "internal", f"{folder.name}'s weights are no longer finite; {folder} stays as it was"
        )
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "state.pt.part"
    torch.save(state, part)
    os.replace(part, folder / "state.pt")


def _is_finite(state: Any) -> bool:
    """Whether every tensor of a nested state is."""
    if isinstance(state, Tensor):
        return bool(torch.isfinite(state).all())
    inner = state.values() if isinstance(state, dict) else state
    return not isinstance(state, (dict, list, tuple)) or all(_is_finite(part) for part in inner)


def _log(folder: Path, step: int, spent_s: float, sums: dict[str, list[float]], bar: Any) -> None:
    means = {name: float(np.mean(values)) for name, values in sums.items()}
    bar.set_postfix({name: f"{value:.4f}" for name, value in means.items()})
    with (folder / "log.csv").open("a", newline="") as lines:
        writer = csv.writer(lines)
        for name, value in means.items():
            writer.writerow([step, round(spent_s, 1), name, f"{value:.6g}"])


def _plot(folder: Path) -> None:
    from matplotlib.figure import Figure

    log = folder / "log.csv"
    if not log.exists():
        return
    curves: dict[str, tuple[list[int], list[float]]] = {}
    with log.open(newline="") as lines:
        for step, _, name, value in csv.reader(lines):
            steps, values = curves.setdefault(name, ([], []))
            steps.append(int(step))
            values.append(float(value))
    figure = Figure(figsize=(9, 2.2 * len(curves)), layout="constrained")
    for row, (name, (steps, values)) in enumerate(curves.items()):
        axes = figure.add_subplot(len(curves), 1, row + 1)
        axes.plot(steps, values, linewidth=1)
        axes.set_ylabel(name)
    figure.savefig(folder / "loss.png", dpi=80)


def to_tensor(waves: list[Any], where: torch.device) -> Tensor:
    """Stack equally long waves, shape = (n_batch, n_samples)."""
    return torch.from_numpy(np.stack(waves)).to(where)
