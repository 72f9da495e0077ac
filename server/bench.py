"""`retake bench`: a minute of measuring on this machine, and the settings that follow from it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

#: The clip that is edited: as long as most regions, stereo at 48 kHz.
CLIP_S, RATE = 10.0, 48000
DEFAULT_STEPS, FEWER_STEPS = 20, 10
#: Fewer threads are preferred where they cost no more than this share: the host needs cores too.
SLOWER = 0.1
#: A setting is not measured again past this; the whole stays near a minute.
BUDGET_S, REPEATS = 12.0, 3


@dataclass(frozen=True)
class Setting:
    """One way to run, and what it took.

    Parameters
    ----------
    device : str
    threads : int
        CPU threads; 0 on a graphics card, where they don't matter.
    load_s, step_s, rest_s : float
        To load the model; a denoising step of the clip; all that isn't steps.
    """

    device: str
    threads: int
    load_s: float
    step_s: float
    rest_s: float

    def edit_s(self, steps: int) -> float:
        """Seconds of a transfer of the clip."""
        return self.rest_s + steps * self.step_s


@dataclass(frozen=True)
class Advice:
    """What to run with, and why in one sentence."""

    device: str
    threads: int
    steps: int
    reason: str

    @property
    def command(self) -> str:
        """The server's command line."""
        threads = f" --threads {self.threads}" if self.threads else ""
        return f"retake serve --device {self.device}{threads}"


def add(commands: Any) -> None:
    """The command, into the command line's."""
    from server.options import add_debug

    command = commands.add_parser(
        "bench",
        help="measure this machine for a minute and recommend settings",
        description="Edits a clip of ten seconds on every device and with several counts of "
        "threads, and says which settings to use. Close what else computes first.",
    )
    command.add_argument("--model", default="pocket", metavar="NAME", help="checkpoint (pocket)")
    command.add_argument("--device", metavar="NAME", help="this one only (all there are)")
    command.add_argument("--json", action="store_true", help="as JSON")
    add_debug(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, print, recommend; RequestError for a device that isn't here, CheckpointError."""
    settings: list[Setting] = []
    for device in [options.device] if options.device else _devices():
        settings += _measure(options.model, device, options.json)
    advice = advise(settings)
    if options.json:
        rows = [asdict(s) | {"transfer_s": s.edit_s(DEFAULT_STEPS)} for s in settings]
        print(json.dumps({"settings": rows, "advice": asdict(advice)}))
        return
    print(f"\n{advice.reason}\n\n  {advice.command}")
    if advice.steps != DEFAULT_STEPS:
        print(f"  --steps {advice.steps} for previews; the default is {DEFAULT_STEPS}")


def advise(settings: Sequence[Setting]) -> Advice:
    """The fastest device; on a CPU as few threads as are nearly as fast as the best."""
    assert settings, "nothing was measured"
    fastest = min(settings, key=lambda s: s.edit_s(DEFAULT_STEPS))
    near_s = fastest.edit_s(DEFAULT_STEPS) * (1 + SLOWER)
    alike = [s for s in settings if s.device == fastest.device]
    best = min((s for s in alike if s.edit_s(DEFAULT_STEPS) <= near_s), key=lambda s: s.threads)
    took_s = best.edit_s(DEFAULT_STEPS)
    steps = DEFAULT_STEPS if took_s <= CLIP_S else FEWER_STEPS
    with_threads = f" with {best.threads} threads" if best.threads else ""
    reason = (
        f"A transfer of {CLIP_S:g} s takes {took_s:.1f} s on {best.device}{with_threads}, "
        f"{took_s / CLIP_S:.2f} times real time."
    )
    if best.threads < fastest.threads:
        reason += f" {fastest.threads} threads would be hardly faster; the host can have the rest."
    return Advice(best.device, best.threads, steps, reason)


def thread_counts(n_cores: int) -> list[int]:
    """Counts worth measuring: one, half of the cores, all but one, all."""
    return sorted({1, max(1, n_cores // 2), max(1, n_cores - 1), n_cores})


def _devices() -> list[str]:
    import torch

    found = ["cuda"] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [*found, "cpu"]


def _measure(model: str, device: str, is_quiet: bool) -> list[Setting]:
    import torch

    from engine import Engine

    start_s = time.perf_counter()
    engine = Engine.load(model, device=device)
    load_s = time.perf_counter() - start_s
    on_cpu = engine.device == "cpu"
    usual = torch.get_num_threads()
    found = []
    try:
        for threads in thread_counts(usual) if on_cpu else [0]:
            if threads:
                torch.set_num_threads(threads)
            few_s, more_s = _edits(engine)
            step_s = max(0.0, more_s - few_s) / (FEWER_STEPS - 1)
            setting = Setting(engine.device, threads, load_s, step_s, max(0.0, few_s - step_s))
            found.append(setting)
            if not is_quiet:
                print(_row(setting), flush=True)
    finally:
        torch.set_num_threads(usual)
    return found


def _edits(engine: Any) -> tuple[float, float]:
    """Seconds of an edit of one step, and of several."""
    import numpy as np

    from engine import Region, Transfer

    noise = np.random.default_rng(0).standard_normal((round(CLIP_S * RATE), 2))
    region = Region((0.1 * noise).astype(np.float32), RATE)

    def edit(steps: int) -> None:
        engine.networks.forget()
        engine.edit(region, Transfer(prompt="rain on a tin roof", steps=steps))

    edit(1)  # kernels are chosen and memory laid out
    return _median_s(lambda: edit(1)), _median_s(lambda: edit(FEWER_STEPS))


def _median_s(work: Callable[[], None]) -> float:
    taken: list[float] = []
    while not taken or (len(taken) < REPEATS and sum(taken) < BUDGET_S / 2):
        start_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start_s)
    return median(taken)


def _row(setting: Setting) -> str:
    threads = f"{setting.threads} threads" if setting.threads else ""
    took_s = setting.edit_s(DEFAULT_STEPS)
    return (
        f"{setting.device:<8} {threads:<11} step {setting.step_s:7.3f} s, the rest "
        f"{setting.rest_s:6.2f} s, a default transfer of {CLIP_S:g} s {took_s:7.2f} s"
    )
