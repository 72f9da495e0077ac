"""`retake train`: make a checkpoint, part by part.

    retake train corpus    --out DIR --sounds manifest.csv --synthetic 12000
    retake train clap|words|vae|vocoder|diffusion --out DIR --minutes 60
    retake train all       --out DIR --sounds manifest.csv --minutes 240
    retake train start     --out DIR --from pocket
    retake train finetune  --out DIR --sounds FOLDER --from pocket --minutes 10

Every part resumes where it stopped; `--minutes` is its budget over all starts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import CheckpointError, RequestError

if TYPE_CHECKING:
    from engine.training.corpus import Corpus
    from engine.training.loop import Trainee

#: Share of `--minutes` each part gets under `all`.
SHARES = {"clap": 0.2, "words": 0.05, "vae": 0.12, "vocoder": 0.2, "diffusion": 0.43}

#: From this budget on, kernels are compiled first.
LONG_MINUTES = 10.0


def parser() -> argparse.ArgumentParser:
    """The command line of `retake train`."""
    p = argparse.ArgumentParser(prog="retake train", description=__doc__.splitlines()[0])
    p.add_argument("part", choices=("corpus", "start", *SHARES, "export", "all", "finetune"))
    p.add_argument(
        "--out", type=Path, required=True, help="folder of the corpus, the runs and the checkpoint"
    )
    p.add_argument(
        "--sounds",
        type=Path,
        help="manifest.csv of recorded sounds (corpus, all), or a folder of sounds (finetune)",
    )
    p.add_argument(
        "--from", dest="base", default="pocket", help="checkpoint to begin with (start, finetune)"
    )
    p.add_argument("--synthetic", type=int, default=12000, help="synthetic clips (corpus, all)")
    p.add_argument(
        "--items", type=int, default=40000, help="latents the diffusion model learns from"
    )
    p.add_argument("--minutes", type=float, default=30.0, help="training time, over all starts")
    p.add_argument("--threads", type=int, default=0, help="CPU threads; 0 is torch's choice")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--debug", action="store_true", help="show where a fault of ours happened")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run one part, or all of them in order; returns the exit code."""
    args = parser().parse_args(argv)
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    parts = ("corpus", *SHARES, "export") if args.part == "all" else (args.part,)
    part = args.part
    try:
        _check(parts, args)
        for part in parts:
            share = SHARES.get(part, 1.0) if args.part == "all" else 1.0
            _run(part, args, args.minutes * share)
    except (FileNotFoundError, FileExistsError, CheckpointError, RequestError) as error:
        print(f"retake train {part}: {error}", file=sys.stderr)
        return 2
    return 0


def _check(parts: Sequence[str], args: argparse.Namespace) -> None:
    """What can be known to go wrong is said before hours are spent."""
    from engine.training.extras import check_packages

    for part in parts:
        check_packages(part, args.out)
    if args.part == "all":
        from engine.training import lineage

        minutes = {name: share * args.minutes for name, share in SHARES.items()}
        lineage.check_budgets(args.out, minutes)
        lineage.check_words(args.out)
        lineage.check_latents(args.out)


def _run(part: str, args: argparse.Namespace, minutes: float) -> None:
    if part == "corpus":
        _corpus(args)
    elif part == "start":
        from engine.training.start import start

        start(args.base, args.out, args.seed)
    elif part == "export":
        from engine.training.export import export

        export(args.out)
    elif part == "finetune":
        from engine.training.finetune import finetune

        if args.sounds is None:
            raise FileNotFoundError("it needs --sounds FOLDER")
        finetune(args.sounds, args.base, args.out, minutes, args.seed)
    else:
        _train(part, args, minutes)


def _corpus(args: argparse.Namespace) -> None:
    from engine.training import corpus

    folder = args.out / "corpus"
    is_new = bool(args.sounds) and corpus.build_recorded(args.sounds, folder)
    if is_new and (latents := args.out / "latents").exists():
        print(f"{latents} has none of the new sounds; delete it to have them", file=sys.stderr)
    processes = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    corpus.build_synthetic(folder, args.synthetic, args.seed, processes=processes or 1)


def _train(part: str, args: argparse.Namespace, minutes: float) -> None:
    from engine.training.corpus import Corpus
    from engine.training.loop import fit

    trainee = _trainee(part, Corpus(args.out / "corpus"), args.out, args.items)
    if minutes >= LONG_MINUTES:
        trainee.hurry()
    fit(trainee, args.out / part, minutes, args.seed)


def _trainee(part: str, corpus: Corpus, out: Path, n_items: int) -> Trainee:
    if part == "vae":
        from engine.training.vae import VaeTrainee

        return VaeTrainee(corpus)
    if part == "vocoder":
        from engine.training.export import trained_vae
        from engine.training.vocoder import VocoderTrainee

        vae = trained_vae(out) if (out / "vae" / "state.pt").exists() else None
        return VocoderTrainee(corpus, vae)
    if part == "clap":
        from engine.training.clap import ClapTrainee

        return ClapTrainee(corpus, out / "clap")
    if part == "words":
        from engine.training.clap import ClapTrainee
        from engine.training.lineage import check_words, run_state
        from engine.training.words import WordsTrainee

        check_words(out)
        clap = ClapTrainee(corpus, out / "clap")
        clap.load_state_dict(run_state(out / "clap"))
        return WordsTrainee(corpus, clap, out / "words")
    from engine.training.diffusion import DiffusionTrainee, Items, Preparer
    from engine.training.export import trained_clap, trained_vae
    from engine.training.lineage import check_latents, marks

    check_latents(out)
    preparer = Preparer(corpus, trained_vae(out), trained_clap(corpus, out))
    preparer.build(out / "latents", n_items, marks(out))
    return DiffusionTrainee(Items(out / "latents"))


if __name__ == "__main__":
    sys.exit(main())
