"""Options that spare work reach the UNet, whichever way an edit takes to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from engine import Engine, Region, Transfer
from engine.depths import Kept
from server.supervisor import worker_command

STEPS = 8


class Watch:
    """Rows of every call of an engine's UNet, and how often its middle ran."""

    def __init__(self, engine: Engine) -> None:
        self.rows: list[int] = []
        self.n_deep = 0
        network = engine.networks._unet._network
        self._hooks = [
            network.register_forward_pre_hook(lambda _, given: self.rows.append(len(given[0]))),
            network.mid_block.block.register_forward_pre_hook(self._note_deep),
        ]

    def _note_deep(self, *_: object) -> None:
        self.n_deep += 1

    def end(self) -> None:
        for hook in self._hooks:
            hook.remove()


@pytest.fixture
def watch(tiny: Engine) -> Iterator[Watch]:
    watch = Watch(tiny)
    yield watch
    watch.end()


def edit_of(**options: object) -> Transfer:
    return Transfer(prompt="rain", steps=STEPS, **options)  # type: ignore[arg-type]


def test_nothing_is_spared_unless_asked_for(tiny: Engine, clip: Region, watch: Watch) -> None:
    tiny.edit(clip, edit_of())
    assert watch.n_deep == len(watch.rows) == STEPS
    assert len(set(watch.rows)) == 1


def test_half_of_the_steps_are_guided_and_half_run_whole(
    tiny: Engine, clip: Region, watch: Watch
) -> None:
    tiny.edit(clip, edit_of(guidance_end=0.5, reuse=2))
    alone = watch.rows[-1]
    assert watch.rows == [2 * alone] * 4 + [alone] * 4
    assert watch.n_deep == STEPS / 2


def test_guidance_may_begin_late_and_never(tiny: Engine, clip: Region, watch: Watch) -> None:
    late = tiny.edit(clip, edit_of(guidance_start=0.75)).samples
    alone = watch.rows[0]
    assert watch.rows == [alone] * 6 + [2 * alone] * 2
    never = tiny.edit(clip, edit_of(guidance_start=0.5, guidance_end=0.5)).samples
    assert np.array_equal(never, tiny.edit(clip, edit_of(guidance=1.0)).samples)
    assert not np.array_equal(never, late)


@pytest.mark.parametrize("others", [{"preserve": 0.5}, {"prompts": ((0.0, "hail"), (0.7, "wind"))}])
def test_each_predictor_of_a_process_has_its_own(
    tiny: Engine, clip: Region, watch: Watch, others: dict[str, object]
) -> None:
    """The model is asked for two things in every step; neither takes the other's depths."""
    tiny.edit(clip, edit_of(guidance_end=0.5, reuse=2, **others))
    assert len(watch.rows) == 2 * STEPS
    assert watch.n_deep == STEPS
    first, last = watch.rows[: STEPS // 2], watch.rows[-STEPS // 2 :]
    assert sum(first) > sum(last)


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.depths.MAX_KEPT_BYTES", 1000)
    kept, small, large = Kept(2), torch.zeros(200), torch.zeros(60)
    kept.next(1)
    kept.keep(0, small)  # 800 bytes
    kept.keep(1, large)  # 240 more
    kept.next(1)
    assert kept.said(0) is small
    assert kept.said(1) is None
    kept.next(1)
    assert kept.said(0) is None  # it is time for new ones
    kept.keep(1, large)
    kept.next(1)
    assert kept.said(1) is large


def test_a_worker_is_told_to_compile() -> None:
    assert "--compile" in worker_command("pocket", "cuda", is_compiled=True)
    assert "--compile" not in worker_command("pocket", "cuda")
