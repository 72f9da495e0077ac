"""A cancel stops the computing itself: counted in calls of the network, not in seconds."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from running import DEADLINE_S, wait_until

from engine.engine import Engine
from server.submission import parse_pairs
from server.worker import Worker

STEPS, CANCELLED_AT = 12, 5


class Orders(io.StringIO):
    """Lines that come as the test says; None is their end."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: Queue[dict[str, Any] | None] = Queue()

    def __iter__(self) -> Iterator[str]:
        while (order := self.queue.get()) is not None:
            yield json.dumps(order)


def order(job: str, clip: Path, spool: Path, edit: str, *pairs: Any) -> dict[str, Any]:
    keys = ("edit", edit, "path", str(clip), "prompt", "rain", "steps", STEPS, *pairs)
    submission = parse_pairs(keys).to_json()
    return {
        "do": "run",
        "job": job,
        "submission": submission,
        "path": str(clip),
        "spool": str(spool),
    }


@pytest.mark.parametrize("edit", [("vary", "amount", 1.0), ("transfer", "strength", 1.0)])
def test_no_step_is_computed_after_the_one_that_runs(
    tiny: Engine, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Any
) -> None:
    from diffusers import UNet2DConditionModel

    orders, sink = Orders(), io.StringIO()
    worker = Worker(lambda name: tiny, "tiny", orders, sink, is_warming=False)
    forward = UNet2DConditionModel.forward
    n_calls = 0

    def counted(self: Any, *arguments: Any, **more: Any) -> Any:
        nonlocal n_calls
        n_calls += 1
        if n_calls == CANCELLED_AT:  # in the middle of a step
            orders.queue.put({"do": "cancel", "job": "a"})
            wait_until(lambda: "a" in worker._cancelled)
        return forward(self, *arguments, **more)

    monkeypatch.setattr(UNet2DConditionModel, "forward", counted)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    try:
        orders.queue.put(order("a", clip_file, tmp_path, *edit))
        wait_until(lambda: '"stop"' in sink.getvalue() or '"fail"' in sink.getvalue())
        n_at_the_stop = n_calls
        orders.queue.put(order("b", clip_file, tmp_path, *edit))
        wait_until(lambda: '"job": "b"' in sink.getvalue() and '"finish"' in sink.getvalue())
    finally:
        orders.queue.put(None)
        thread.join(DEADLINE_S)
    assert n_at_the_stop == CANCELLED_AT
    n_of_a_whole_job = n_calls - n_at_the_stop
    assert n_of_a_whole_job >= STEPS > CANCELLED_AT
    events = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [e["event"] for e in events if e.get("job") == "a"][-1] == "stop"
    assert not list(tmp_path.glob("a.*.wav"))
    assert list(tmp_path.glob("b.1.wav"))
