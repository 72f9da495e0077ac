"""What this processor can do at most, and the share of it that each stage reaches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.contenders import PROMPT, STAGES, diffusers, networks_of, pipeline_of, retake
from benchmarks.speed.timing import Clock, take_turns
from engine.packed import PackedConv2d, can_pack

COUNTED = ("VAE encode", "UNet step", "VAE decode", "vocoder")


@torch.inference_mode()
def peak(clock: Clock) -> dict[str, float]:
    """Operations a second of a large product and a large convolution, GFLOP/s."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        a = torch.randn(2048, 2048).to(dtype)
        found[f"product {name}"] = 2 * 2048**3 / _best_s(lambda a=a: a @ a, clock) / 1e9
        conv = torch.nn.Conv2d(256, 256, 3, padding=1)
        run: Any = conv.to(dtype=dtype, memory_format=torch.channels_last)
        if can_pack(dtype):
            run = PackedConv2d(conv, dtype)
        x = torch.randn(1, 256, 32, 256).to(dtype).contiguous(memory_format=torch.channels_last)
        flops = 2 * 9 * 256**2 * 32 * 256
        found[f"convolution {name}"] = flops / _best_s(lambda r=run, x=x: r(x), clock) / 1e9
    return found


def _best_s(work: Any, clock: Clock) -> float:
    """The shortest of many: what the processor can do, not what others leave of it."""
    until_s, best_s = time.perf_counter() + 2.0, float("inf")
    while time.perf_counter() < until_s:
        start_s = clock()
        work()
        best_s = min(best_s, clock() - start_s)
    return best_s


@torch.inference_mode()
def measure(name: str, folder: Path, repeats: int, clock: Clock) -> dict[str, Any]:
    """FLOPs counted on diffusers' networks, Retake's times, and the share of the peak."""
    tops = peak(clock)
    print("\npeak: " + ", ".join(f"{k} {v:.0f} GFLOP/s" for k, v in tops.items()))
    theirs = diffusers(pipeline_of(folder, False), False)
    own, rows = retake(networks_of(folder)), {}
    top = max(tops.values())
    slow = max(tops["product float32"], tops["convolution float32"])
    heads = f"{'GFLOP':>9} {'s':>8} {'GFLOP/s':>8} {'of peak':>8} {'limit, s':>9}"
    print(f"{name}: {'stage':<14} {heads}")
    for stage in (s for s in STAGES if s in COUNTED):
        with FlopCounterMode(display=False) as counter:
            theirs.stages[stage]()
        gflop = counter.get_total_flops() / 1e9
        seconds = take_turns({"": own.stages[stage]}, repeats, clock).median_s("")
        rate = gflop / seconds
        rows[stage] = {
            "GFLOP": gflop,
            "seconds": seconds,
            "GFLOP/s": rate,
            "share": rate / top,
            "limit s": gflop / top,
            "fp32 limit s": gflop / slow,
        }
        print(
            f"{'':<{len(name)}}  {stage:<14} {gflop:9.1f} {seconds:8.3f} {rate:8.0f} "
            f"{rate / top:8.0%} {gflop / top:9.3f}"
        )
    return {"peak GFLOP/s": tops, "stages": rows, "prompt": PROMPT}
