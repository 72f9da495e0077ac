"""How good a checkpoint is, on recordings it has not seen, by a judge it doesn't know.

    python -m benchmarks.quality --sounds manifest.csv [--checkpoint pocket] [--json FILE]
    [--sheets DIR]

Reconstruction: vocoder alone and VAE + vocoder against Griffin-Lim on the same mels.
Transfer: CLAP similarity to the text and to the source over strength (the checkpoint's own CLAP),
and how often the judge hears the kind that was asked for.
Generation: how often the judge finds a clip nearer to its own prompt than to all the others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.griffin_lim import GriffinLim
from benchmarks.tagger import Tagger, fit_length, load_tagger
from engine import Engine, Generate, Region, Transfer
from engine.mel import LogMel
from engine.training.corpus import HOLD_OUT_EVERY, RATE, level, load_recording, read_manifest
from engine.training.spectral import multi_resolution_distance

Wave = NDArray[np.float32]

STRENGTHS = (0.2, 0.4, 0.6, 0.8)
#: Prompt -> the judge's label for it.
PROMPTS = {
    "heavy rain falling": "heavy rain",
    "thunder rumbling": "thunder",
    "wind howling": "howling wind",
    "waves breaking on a beach": "sea waves",
    "a stream burbling": "stream",
    "water dripping": "dripping water",
    "a crackling campfire": "campfire",
    "a police siren": "police siren",
    "a smoke alarm beeping": "smoke alarm",
    "an air raid siren": "air raid siren",
    "church bells": "church bell",
    "a doorbell": "doorbell",
    "an old telephone ringing": "old telephone",
    "people talking in a crowd": "crowd chatter",
    "a child speaking": "child speaking",
    "an angry man shouting": "angry man",
    "a person whispering": "whispering",
    "a woman laughing": "woman laughing",
    "someone coughing": "cough",
    "a heartbeat": "heartbeat",
    "a dog barking": "dog bark",
    "a cat purring": "cat purring",
    "a sheep bleating": "sheep",
    "a rooster crowing": "rooster",
    "birds singing": "birdsong",
    "crickets chirping": "crickets",
    "bees buzzing": "bee swarm",
    "a frog croaking": "frog",
    "an owl hooting": "owl",
    "a wolf howling": "wolf howl",
    "a horse galloping": "horse gallop",
    "a monster growling": "monster growl",
    "a helicopter": "helicopter",
    "a car engine idling": "car engine idling",
    "a train passing by": "train passing",
    "a steam train": "steam train",
    "glasses clinking": "glasses clinking",
    "coins jingling": "coins",
    "hammering on metal": "hammering",
    "knocking on a door": "door knock",
}
TRANSFER_TEXTS = (
    "heavy rain falling",
    "a police siren",
    "a crackling campfire",
    "wind howling",
    "church bells",
    "an angry man shouting",
    "waves breaking on a beach",
    "a stream burbling",
    "a person whispering",
    "a smoke alarm beeping",
)


def held_out(manifest: Path) -> list[tuple[str, Wave]]:
    """Name and 16 kHz wave of every recording that training has not seen."""
    rows = read_manifest(manifest)[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]
    return [(row["file"], level(load_recording(manifest.parent / row["file"]))) for row in rows]


def reconstruction(engine: Engine, clips: Iterable[Wave]) -> dict[str, tuple[float, float]]:
    """(log-mel L1, multi-resolution STFT distance) of each way back from a mel, mean over clips."""
    front, baseline, networks = LogMel(), GriffinLim(), engine.networks
    rows: dict[str, list[tuple[float, float]]] = {}
    for clip in tqdm(list(clips), desc="reconstruction", unit="clip"):
        n_samples = len(clip) // front.hop * front.hop
        wave = torch.from_numpy(clip[:n_samples])
        mel = front(wave[None])[0]
        coded = networks.decode(networks.encode(wave.numpy()))[: len(mel)]
        made = {
            "Griffin-Lim": baseline(mel[None])[0],
            "vocoder alone": torch.from_numpy(networks.voice(mel)),
            "VAE + vocoder": torch.from_numpy(networks.voice(coded)),
        }
        for name, answer in made.items():
            distance = multi_resolution_distance(answer[None], wave[None]).item()
            closeness = (front(answer[None])[0] - mel).abs().mean().item()
            rows.setdefault(name, []).append((closeness, distance))
    return {name: tuple(np.mean(values, axis=0)) for name, values in rows.items()}


class Judge:
    """The tagger's opinion of a wave."""

    def __init__(self) -> None:
        self.tagger: Tagger
        self.tagger, self.labels = load_tagger()
        self.index = {label: i for i, label in enumerate(self.labels)}

    @torch.inference_mode()
    def scores(self, wave: Wave, labels: Iterable[str]) -> NDArray[np.float64]:
        """Logits of `labels` for a 16 kHz wave."""
        logits = self.tagger(torch.from_numpy(fit_length(wave))[None])[0]
        return logits[[self.index[label] for label in labels]].double().numpy()


def transfer(engine: Engine, judge: Judge, clips: list[Wave]) -> dict[str, list[float]]:
    """Means over clips and texts at each strength."""
    rows: dict[str, list[float]] = {"to the text": [], "to the source": [], "judge's score": []}
    for strength in STRENGTHS:
        text_like, source_like, heard = [], [], []
        for clip in tqdm(clips, desc=f"transfer {strength}", unit="clip"):
            source = engine.networks.clap.audio(clip, RATE)
            for text in TRANSFER_TEXTS:
                edit = Transfer(prompt=text, strength=strength)
                take = engine.edit(Region(clip, RATE), edit).samples[:, 0]
                sound = engine.networks.clap.audio(take, RATE)
                text_like.append(float(sound @ engine.networks.clap.text(text)))
                source_like.append(float(sound @ source))
                heard.append(float(judge.scores(take, [PROMPTS[text]])[0]))
        for name, values in zip(rows, (text_like, source_like, heard), strict=True):
            rows[name].append(float(np.mean(values)))
    return rows


def generation(engine: Engine, judge: Judge, seeds: int = 1) -> dict[str, Any]:
    """Share of clips that the judge finds nearest to their own prompt, among all prompts."""
    labels, hits, ranks, per_prompt = list(PROMPTS.values()), [], [], {}
    waves = {}
    for row, prompt in enumerate(tqdm(PROMPTS, desc="generation", unit="prompt")):
        for seed in range(seeds):
            edit = Generate(prompt=prompt, seconds=4.0, rate=RATE, seed=seed)
            wave = engine.edit(None, edit).samples[:, 0]
            waves.setdefault(prompt, wave)
            scores = judge.scores(wave, labels)
            rank = int((scores > scores[row]).sum())
            hits.append(rank == 0)
            ranks.append(rank)
        per_prompt[prompt] = float(np.mean(ranks[-seeds:]))
    return {
        "top1": float(np.mean(hits)),
        "chance": 1 / len(labels),
        "median rank": float(np.median(ranks)) + 1,
        "ranks": per_prompt,
        "waves": waves,
    }


def print_tables(results: dict[str, Any]) -> None:
    """The results as three plain tables."""
    print("\nReconstruction of held-out recordings      log-mel L1   multi-resolution STFT")
    for name, (mel, distance) in results["reconstruction"].items():
        print(f"  {name:<38} {mel:12.3f} {distance:12.3f}")
    print("\nTransfer, mean over clips and texts   " + "".join(f"{s:>9}" for s in STRENGTHS))
    for name, values in results["transfer"].items():
        print(f"  {name:<34} " + "".join(f"{value:9.3f}" for value in values))
    g = results["generation"]
    print(f"\nGeneration, {len(g['ranks'])} prompts: nearest to its own prompt {g['top1']:.1%}")
    print(f"  chance {g['chance']:.1%}, median rank {g['median rank']:.0f}")


def draw_sheet(waves: dict[str, Wave], path: Path) -> None:
    """A sheet of spectrograms of the generated clips."""
    from matplotlib.figure import Figure

    front, columns = LogMel(), 5
    n_rows = -(-len(waves) // columns)
    figure = Figure(figsize=(15, 1.9 * n_rows), layout="constrained")
    for place, (prompt, wave) in enumerate(waves.items()):
        axes = figure.add_subplot(n_rows, columns, place + 1)
        mel = front(torch.from_numpy(wave)[None])[0].T.numpy()
        axes.imshow(mel, origin="lower", aspect="auto", cmap="magma", vmin=-9, vmax=2)
        axes.set_title(prompt, fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Run all three parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, required=True, help="manifest.csv of recordings")
    parser.add_argument("--checkpoint", default="pocket")
    parser.add_argument("--clips", type=int, default=20, help="clips for transfer")
    parser.add_argument("--seeds", type=int, default=1, help="clips a prompt")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--sheets", type=Path, help="write spectrogram sheets into this folder")
    args = parser.parse_args()
    engine, judge = Engine.load(args.checkpoint), Judge()
    clips = [wave for _, wave in held_out(args.sounds)]
    long_enough = [clip[: 2 * RATE] for clip in clips if len(clip) > RATE]
    step = max(1, len(long_enough) // args.clips)
    results: dict[str, Any] = {
        "generation": generation(engine, judge, args.seeds),
        "transfer": transfer(engine, judge, long_enough[::step][: args.clips]),
        "reconstruction": reconstruction(engine, [clip[: 4 * RATE] for clip in clips[::3]]),
    }
    print_tables(results)
    waves = results["generation"].pop("waves")
    if args.sheets:
        draw_sheet(waves, args.sheets / "generated.png")
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
