"""Every stage by turns on Retake and on diffusers, and what that makes of whole edits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.contenders import (
    CLIP_S,
    DEFAULT_STEPS,
    OFFICIAL_STEPS,
    SHIPPED,
    STAGES,
    TOLD,
    diffusers,
    networks_of,
    pipeline_of,
    retake,
)
from benchmarks.speed.timing import Clock, print_head, print_row, take_turns


@torch.inference_mode()
def measure(name: str, folder: Path, repeats: int, clock: Clock) -> dict[str, Any]:
    """Medians and ratios of every stage of a 10.24 s clip."""
    contenders = [retake(networks_of(folder))]
    contenders += [diffusers(pipeline_of(folder, told), told) for told in (False, True)]
    title = f"{name}: stages of a clip of {CLIP_S} s, {torch.get_num_threads()} threads"
    print_head(title, [contender.name for contender in contenders])
    rows = {}
    for stage in STAGES:
        works = {contender.name: contender.stages[stage] for contender in contenders}
        measured = take_turns(works, repeats, clock)
        print_row(stage, measured)
        rows[stage] = measured.to_json()
    rows |= _whole(rows)
    return rows


def _whole(rows: dict[str, Any]) -> dict[str, Any]:
    """A transfer at strength 0.5, its parts added up: a peer with 100 steps takes minutes."""

    def sum_s(name: str, steps: int) -> float:
        one = {stage: row["seconds"][name] for stage, row in rows.items()}
        return float(sum(one.values()) + (steps - 1) * one["UNet step"])

    own_s = sum_s("retake", DEFAULT_STEPS)
    # The recipe encodes twice (FACTS of its code), which isn't counted against it here.
    others = {
        f"official recipe, {OFFICIAL_STEPS // 2} steps": sum_s(SHIPPED, OFFICIAL_STEPS // 2),
        f"{SHIPPED}, {DEFAULT_STEPS} steps": sum_s(SHIPPED, DEFAULT_STEPS),
        f"{TOLD}, {DEFAULT_STEPS} steps": sum_s(TOLD, DEFAULT_STEPS),
    }
    print(f"\ntransfer at strength 0.5, from these stages: retake {own_s:.2f} s")
    for name, other_s in others.items():
        print(f"  {name:<36} {other_s:8.2f} s   {other_s / own_s:6.2f}x")
    ratios = {name: {"ratio": other_s / own_s} for name, other_s in others.items()}
    return {"transfer, added up": {"seconds": {"retake": own_s} | others, "ratios": ratios}}
