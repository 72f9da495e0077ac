"""How fast the engine is, against diffusers' AudioLDMPipeline on the same folder, in one run.

    python -m benchmarks.speed [--checkpoint pocket|audioldm-s|FOLDER] [--repeats N] [--json FILE]
                               [--threads N] [--clock wall|cpu]

Without --checkpoint: a folder of audioldm-s-full-v2's configs with random weights (speed does not
depend on their values), and `pocket`. Every stage of a 10.24 s clip is run by turns on Retake, on
the pipeline's parts as shipped (fp32) and told to use bf16; medians are printed, with the ratios.
On a machine that is busy with other things, `--threads 1 --clock cpu` still compares fairly.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from engine.checkpoint import POCKET, load_checkpoint
from engine.denoise import Guidance
from engine.device import choose, denormals_flushed
from engine.edits import Generate
from engine.mel import LogMel
from engine.networks import Networks, Process

CLIP_S = 10.24
PROMPT = "rain on a tin roof"
STEPS = 10
Stage = Callable[[], Any]
Clock = Callable[[], float]
#: What seconds are counted: those of the wall, or those the process computes, summed over threads.
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Contender:
    """One implementation: its name and what it does in each stage."""

    name: str
    stages: dict[str, Stage]


@torch.inference_mode()
def retake(folder: Path) -> Contender:
    """Retake's own way through the stages, as `Engine.load` sets it up here."""
    placement = choose()
    networks = Networks(load_checkpoint(folder), placement)
    wave = noise(networks.rate)
    latents = networks.encode(wave)
    mel = networks.decode(latents)
    towards, away = networks.clap.text(PROMPT), networks.clap.text("")
    guidance = Guidance(towards, away, 2.5)
    predict = networks._unet.guided(guidance, 1)
    ones = torch.ones(latents.shape[1:])

    edit = Generate(prompt=PROMPT, steps=STEPS, sampler="ddim")

    def generate() -> None:
        process = Process(torch.zeros_like(latents), ones, guidance, seeds=(0,))
        networks.voice(networks.decode(networks.run(process, edit)[0]))

    return Contender(
        f"retake {str(placement.dtype).removeprefix('torch.')}",
        {
            "text": lambda: networks.clap._embed_text(PROMPT),
            "mel": lambda: networks._log_mel(torch.from_numpy(wave)[None]),
            "VAE encode": lambda: networks._vae.encode(mel[None]),
            "UNet step, guided": lambda: predict(latents[None], 500),
            "VAE decode": lambda: networks.decode(latents),
            "vocoder": lambda: networks.voice(mel),
            f"generate, {STEPS} steps": generate,
        },
    )


@torch.inference_mode()
def diffusers(folder: Path, dtype: torch.dtype) -> Contender:
    """The parts of diffusers' pipeline, called as the pipeline calls them."""
    pipeline = _pipeline(folder, dtype)
    hop = int(np.prod(pipeline.vocoder.config.upsample_rates))
    rate = pipeline.vocoder.config.sampling_rate
    front_end = LogMel(rate=rate, hop=hop, n_mels=pipeline.vocoder.config.model_in_dim)
    wave = torch.from_numpy(noise(rate))[None]
    mel = front_end(wave).to(dtype)
    latents = pipeline.vae.encode(mel[:, None]).latent_dist.mode()
    labels = pipeline._encode_prompt(PROMPT, "cpu", 1, True)

    def step() -> None:
        pipeline.unet(torch.cat([latents] * 2), 500, None, class_labels=labels)

    return Contender(
        f"diffusers {str(dtype).removeprefix('torch.')}",
        {
            "text": lambda: pipeline._encode_prompt(PROMPT, "cpu", 1, False),
            "mel": lambda: front_end(wave),
            "VAE encode": lambda: pipeline.vae.encode(mel[:, None]),
            "UNet step, guided": step,
            "VAE decode": lambda: pipeline.vae.decode(latents),
            "vocoder": lambda: pipeline.vocoder(mel),
            f"generate, {STEPS} steps": lambda: pipeline(PROMPT, CLIP_S, STEPS),
        },
    )


def _pipeline(folder: Path, dtype: torch.dtype) -> Any:
    from diffusers import DDIMScheduler
    from diffusers.pipelines.deprecated.audioldm.pipeline_audioldm import AudioLDMPipeline

    parts = load_checkpoint(folder)
    network = getattr(parts.vocoder, "network", parts.vocoder)
    if not hasattr(network, "dtype"):  # the pipeline asks for them; ours is a plain module
        network.dtype, network.device = dtype, torch.device("cpu")
    pipeline = AudioLDMPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        vocoder=network,
    )
    for part in (parts.vae, parts.text_encoder, parts.unet, network):
        torch.nn.Module.to(part, dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def noise(rate: int) -> np.ndarray:
    """The clip: noise at -20 dBFS."""
    n_samples = round(CLIP_S * rate)
    return 0.1 * np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)


@torch.inference_mode()
def measure(contenders: list[Contender], repeats: int, clock: Clock) -> dict[str, dict[str, float]]:
    """Median seconds by stage and contender, the contenders taking turns."""
    seconds: dict[str, dict[str, float]] = {}
    for stage in contenders[0].stages:
        taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        for turn in range(repeats + 1):
            for contender in contenders:
                start_s = clock()
                contender.stages[stage]()
                if turn > 0:  # the first turn warms up
                    taken[contender.name].append(clock() - start_s)
        seconds[stage] = {name: median(times) for name, times in taken.items()}
        print_row(stage, seconds[stage])
    return seconds


def print_head(name: str, contenders: list[Contender]) -> None:
    """A table's head: the contenders, then how much faster the first is than each other."""
    names = [contender.name for contender in contenders]
    columns = [f"{name:>20}" for name in names] + [f"{'vs ' + name:>24}" for name in names[1:]]
    print(f"\n{name}, a clip of {CLIP_S} s, {torch.get_num_threads()} threads, seconds")
    print(f"{'stage':<22}" + "".join(columns))


def print_row(stage: str, seconds: dict[str, float]) -> None:
    """One stage's medians and ratios."""
    own, *others = seconds.values()
    cells = [f"{value:20.4f}" for value in seconds.values()]
    cells += [f"{other / own:23.2f}x" for other in others]
    print(f"{stage:<22}" + "".join(cells), flush=True)


def run(name: str, folder: Path, repeats: int, clock: Clock) -> dict[str, dict[str, float]]:
    """The table of one checkpoint."""
    contenders = [
        retake(folder),
        diffusers(folder, torch.float32),
        diffusers(folder, torch.bfloat16),
    ]
    print_head(name, contenders)
    return measure(contenders, repeats, clock)


def audioldm_s(folder: Path) -> Path:
    """A folder of audioldm-s-full-v2's configs with random weights."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import full_size

    return full_size.build(folder)


def main() -> None:
    """Print the tables; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", action="append", help="a folder, pocket, or audioldm-s")
    parser.add_argument("--repeats", type=int, default=5, help="timed turns a stage")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu for busy machines")
    parser.add_argument("--json", type=Path, help="write the medians here")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    names = options.checkpoint or ["audioldm-s"] + ["pocket"] * (POCKET / "unet").is_dir()
    results, clock = {}, CLOCKS[options.clock]
    with denormals_flushed(), tempfile.TemporaryDirectory() as scratch:
        for name in names:
            folder = {"audioldm-s": Path(scratch) / "audioldm-s", "pocket": POCKET}.get(name)
            if name == "audioldm-s":
                audioldm_s(Path(scratch) / name)
            results[name] = run(name, folder or Path(name), options.repeats, clock)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
