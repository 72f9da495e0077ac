"""Takes of one edit in their order: judged by a CLAP, best first, nearly equal ones left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.clap import similarity
from engine.edits import Bandwidth, Continue, Edit, Inpaint
from engine.loudness import rms
from engine.model_input import model_input
from engine.networks import Networks
from engine.progress import OnPart, Reporter, unheard
from engine.region import Region, Take
from engine.samples import Samples
from engine.takes import LEAST_HEARD_S, content
from engine.timeline import texts_of

#: Takes whose difference lies 30 dB under them are nearly the same.
SAME_SHARE = 10 ** (-30 / 20)
STAGE = "ranking"


def ranked(
    networks: Networks,
    region: Region | None,
    edit: Edit,
    takes: list[Take],
    report: Reporter,
) -> list[Take]:
    """Takes of an edit, best first where there is something to judge them by."""
    ranker = networks.ranker
    # The best restored highs are not those that sound most like the dull source.
    without_aim = isinstance(edit, Bandwidth) and not edit.prompt
    where = _worked_on(edit, region, takes[0].n_frames)
    if not ranker.hears or without_aim:
        return distinct(takes, where)
    is_worded = bool(edit.prompt or getattr(edit, "prompts", None))
    if is_worded or region is None or not region.samples.any():
        reference = text_reference(ranker, edit)
    else:
        first, report = report.between(0.0, 0.5), report.between(0.5, 1.0)
        reference = hear_source(networks, region, first.stage(STAGE))
    return distinct(rank(networks, takes, reference, where, report), where)


def _worked_on(edit: Edit, region: Region | None, n_frames: int) -> tuple[int, int]:
    """Frames (start, stop) of a take in which the edit made sound."""
    if isinstance(edit, Continue):
        assert region is not None
        is_after = edit.direction == "after"
        return (region.n_frames, n_frames) if is_after else (0, n_frames - region.n_frames)
    if isinstance(edit, Inpaint) and edit.holes:
        start = min(hole.start_frames for hole in edit.holes)
        return start, max(hole.stop_frames for hole in edit.holes)
    return 0, n_frames


def distinct(takes: Sequence[Take], where: tuple[int, int]) -> list[Take]:
    """Takes less those that are nearly the same as one before them.

    Parameters
    ----------
    takes : sequence of Take
        Best first.
    where : tuple of int
        Frames (start, stop) in which they may differ.
    """
    kept: list[Take] = []
    for take in takes:
        if not any(_alike(take.samples, other.samples, where) for other in kept):
            kept.append(take)
    return kept


def _alike(first: Samples, second: Samples, where: tuple[int, int]) -> bool:
    if first.shape != second.shape:
        return False
    one, two = first[slice(*where)], second[slice(*where)]
    return rms(one - two) <= SAME_SHARE * max(rms(one), rms(two))


def rank(
    networks: Networks,
    takes: Sequence[Take],
    reference: Tensor,
    where: tuple[int, int],
    report: Reporter,
) -> list[Take]:
    """Takes with their CLAP similarity to a reference embedding, best first.

    Parameters
    ----------
    networks : Networks
        With a ranker that hears.
    takes : sequence of Take
    reference : Tensor, shape = (width,)
    where : tuple of int
        Frames (start, stop) to listen to.
    report : Reporter
        Hears of every take, and of the parts of a long one.
    """
    scored = []
    for k, take in enumerate(takes):
        report(k / len(takes), STAGE)
        around = round(LEAST_HEARD_S * take.rate)
        start, stop = max(0, where[0] - around), where[1] + around
        part = Region(take.samples[start:stop], take.rate)
        heard = hear(networks, part, report.part(k, len(takes)).stage(STAGE))
        scored.append(replace(take, score=similarity(heard, reference)))
    return sorted(scored, key=lambda take: take.score or 0.0, reverse=True)


def text_reference(ranker: Any, edit: Edit) -> Tensor:
    """What takes are to sound like, shape = (width,): the mean of the texts, where there are some.

    Parameters
    ----------
    ranker : Clap or LaionClap
    edit : Edit
    """
    prompts = getattr(edit, "prompts", ())
    if not prompts:
        reference: Tensor = ranker.text(edit.prompt)
        return reference
    texts, _ = texts_of(edit.prompt, prompts)
    return nn.functional.normalize(
        torch.stack([ranker.text(text) for text in texts]).mean(0), dim=-1
    )


def hear_source(networks: Networks, region: Region, on_part: OnPart) -> Tensor:
    """CLAP embedding of an edit's own region, shape = (width,); kept for the next edit of it."""
    key = "region heard", content(region)
    return networks.kept.get(
        key, lambda: hear(networks, region, on_part), lambda heard: heard.nbytes
    )


def hear(networks: Networks, region: Region, on_part: OnPart = unheard) -> Tensor:
    """Embedding of a region in the space of the CLAP that judges takes, shape = (width,)."""
    rate = networks.ranking_rate
    return networks.ranker.audio(model_input(region, rate).samples, rate, on_part)
