"""torch.compile on a CPU, against Retake's own kernels and diffusers as shipped.

    python -m benchmarks.speed.compiling [--model pocket]

One guided UNet step on a window and on half of one, in fp32. It is why `retake serve --compile` is
for graphics cards only.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from benchmarks.speed.contenders import SHIPPED
from benchmarks.speed.timing import Work, print_head, print_row, take_turns
from engine.checkpoint import load_checkpoint
from engine.device import choose
from engine.kernels import prepared, turned_input

COMPILED = "compiled"
REPEATS = 9


@torch.inference_mode()
def main() -> None:
    """Compile, then measure by turns."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="pocket")
    model = parser.parse_args().model
    placement, loaded = choose("cpu", "fp32"), load_checkpoint(model)
    g, shipped = loaded.geometry, placement.place(loaded.unet)
    own = prepared(load_checkpoint(model).unet, placement)
    compiled = torch.compile(shipped.forward, dynamic=True)

    def step(network: Any, x: torch.Tensor) -> Work:
        labels = torch.ones(2, shipped.config.projection_class_embeddings_input_dim)
        timestep = torch.tensor(300)
        return lambda: network(x, timestep, encoder_hidden_states=None, class_labels=labels)

    print_head(f"{model}: a guided UNet step", ["retake", SHIPPED, COMPILED])
    for n_cells in (g.window_cells, g.window_cells // 2):
        rows = torch.randn(2, g.latent_channels, n_cells, g.latent_bins)
        there = rows.contiguous(memory_format=placement.memory_format)
        works = {
            "retake": step(own, turned_input(rows, placement)),
            SHIPPED: step(shipped, there),
            COMPILED: step(compiled, there),
        }
        start_s = time.perf_counter()
        works[COMPILED]()
        first_s = time.perf_counter() - start_s
        print_row(f"{n_cells} cells", take_turns(works, REPEATS, time.perf_counter, warm=2))
        print(f"the compiled one's first call took {first_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()
