"""How much shorter a training step of the diffusion model is after `hurry` (engine/training).

    python -m benchmarks.training_steps [--threads N] [--steps N]

Both in one run, on latents of noise: seconds a step, and the ratio.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from numpy.typing import NDArray

from engine.training.clap import EMBEDDING_WIDTH
from engine.training.diffusion import UNET, DiffusionTrainee


class NoiseItems:
    """Noise in place of prepared latents."""

    made_by: dict[str, str] = {}  # noqa: RUF012 (as Items has it)

    def batch(
        self, rng: np.random.Generator, n: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        latents = rng.standard_normal((n, UNET["in_channels"], 32, 8), dtype=np.float32)
        return latents, rng.standard_normal((n, EMBEDDING_WIDTH), dtype=np.float32)


def seconds_a_step(trainee: DiffusionTrainee, n_steps: int) -> float:
    """Mean over `n_steps`, after three that are not counted."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        trainee.step(rng, 0.0)
    began = time.perf_counter()
    for _ in range(n_steps):
        trainee.step(rng, 0.0)
    return (time.perf_counter() - began) / n_steps


def main() -> None:
    """Time both and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    trainee = DiffusionTrainee(NoiseItems())  # type: ignore[arg-type]
    plain = seconds_a_step(trainee, args.steps)
    trainee.hurry()
    short = seconds_a_step(trainee, args.steps)
    print(f"plain {plain:.2f} s a step, shortened {short:.2f} s: {plain / short:.2f} times as fast")


if __name__ == "__main__":
    main()
