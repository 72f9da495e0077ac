"""Memory that runs out, for real or as a card's driver says it; and systems that can't tell."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import Engine
from engine.errors import is_out_of_memory
from engine.region import write
from server.executor_process import worker_environment
from server.owner import as_retake_error
from server.submission import parse_pairs
from server.worker import Worker

RATE = 44100


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    noise = 0.1 * np.random.default_rng(1).standard_normal((RATE // 2, 2))
    write(path, noise.astype(np.float32), RATE)
    return path


def test_the_allocators_own_words_are_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**46)  # 256 TiB
    assert is_out_of_memory(caught.value)
    with pytest.raises(MemoryError) as caught_numpy:
        np.empty(2**46)
    assert is_out_of_memory(caught_numpy.value)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of ...",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 17.32 GB, other allocations: 2.02 MB)",
        "[enforce fail at alloc_cpu.cpp:115] data. DefaultCPUAllocator: not enough memory: you "
        "tried to allocate 4194304 bytes.",
    ],
)
def test_other_systems_words_are_understood(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))
    assert as_retake_error(RuntimeError(text)).code == "out-of-memory"
    assert not is_out_of_memory(ValueError(text))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def run_jobs(engine: Engine, spool: Path, path: Path, prompts: list[str]) -> list[dict[str, Any]]:
    """How jobs end on a worker in this process, in order; and how often it loaded a model."""
    spool.mkdir()
    loads: list[str] = []
    lines = []
    for prompt in prompts:
        pairs = ("edit", "transfer", "path", str(path), "prompt", prompt, "steps", 2)
        order = {"do": "run", "job": prompt, "submission": parse_pairs(pairs).to_json()}
        lines.append(json.dumps(order | {"path": str(path), "spool": str(spool)}))
    sink = io.StringIO()
    worker = Worker(
        lambda name: loads.append(name) or engine, "tiny", io.StringIO(), sink, is_warming=False
    )
    for line in lines:
        worker._run(json.loads(line))
    assert loads == ["tiny"], "the engine outlives a card that ran full"
    events = [json.loads(line) for line in sink.getvalue().splitlines()]
    return [event for event in events if event["event"] in ("finish", "fail", "stop")]


@pytest.mark.parametrize("part", ["unet", "vae", "vocoder"])
def test_a_full_card_fails_the_job_and_not_the_worker(
    tiny: Engine, tmp_path: Path, clip_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = tiny.networks
    networks.forget()
    where = {
        "unet": networks._unet._network,
        "vae": networks._vae._network.encoder,
        "vocoder": networks._vocoder,
    }[part]
    kept_when_given_back: list[int] = []
    calls: list[object] = []

    def run_out_once(*given: object) -> None:
        calls.append(given)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    def give_back() -> None:
        kept_when_given_back.append(len(networks.kept))

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", give_back)
    hook = where.register_forward_pre_hook(run_out_once)
    try:
        ends = run_jobs(tiny, tmp_path / "spool", clip_path, ["first", "second"])
    finally:
        hook.remove()
    assert [end["event"] for end in ends] == ["fail", "finish"]
    assert ends[0]["code"] == "out-of-memory"
    assert "shorter region" in ends[0]["message"]
    assert kept_when_given_back == [0]
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["second.1.wav"]


STARVED = """
    import io, json, resource, sys
    from engine import Engine
    from server.submission import parse_pairs
    from server.worker import Worker

    folder, spool = sys.argv[1:]
    engine = Engine.load(folder, device="cpu", threads=1)
    sink = io.StringIO()
    worker = Worker(lambda name: engine, "tiny", io.StringIO(), sink)
    worker._owner.warm_up()
    pages = int(open("/proc/self/statm").read().split()[0])
    roof = pages * resource.getpagesize() + 250 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (roof, roof))
    for job, seconds in (("large", 60.0), ("small", 0.5)):
        keys = ("edit", "generate", "prompt", "x", "steps", 1, "seconds", seconds)
        submission = parse_pairs((*keys, "rate", 192000, "channels", 8)).to_json()
        worker._run({"job": job, "submission": submission, "path": "", "spool": spool})
    ends = [json.loads(line) for line in sink.getvalue().splitlines()]
    print(json.dumps([end for end in ends if end["event"] in ("finish", "fail")]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a roof over a process's memory is Linux's")
def test_memory_that_really_ran_out_fails_the_job_and_not_the_worker(
    tiny_folder: Path, tmp_path: Path
) -> None:
    code = textwrap.dedent(STARVED)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_folder), str(tmp_path)],
        capture_output=True,
        text=True,
        env=worker_environment() | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    large, small = json.loads(done.stdout.splitlines()[-1])
    assert (large["event"], large["code"]) == ("fail", "out-of-memory")
    assert (small["event"], small["takes"][0]["frames"]) == ("finish", 96000)
    assert [path.name for path in tmp_path.iterdir()] == ["small.1.wav"]


WINDOWS = """
    import os, sys
    import numpy, soundfile, soxr, scipy.io.wavfile, pyloudnorm, pedalboard  # their own affair
    from engine import region
    for missing in ("resource", "fcntl", "pwd", "grp"):
        sys.modules[missing] = None
    del os.sysconf
    sys.platform = "win32"
    from server.watchdog import Limits, Watchdog, machine_memory_bytes, own_memory_bytes
    from server import owner, worker
    dog = Watchdog(Limits(memory_bytes=1))
    dog.note_beat(own_memory_bytes())
    print(own_memory_bytes(), machine_memory_bytes(), dog.verdict())
"""


def test_where_memory_cannot_be_told_the_guard_stands_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WINDOWS)],
        capture_output=True,
        text=True,
        env=worker_environment(),
        check=True,
    )
    assert done.stdout.split() == ["0", "0", "None"]
