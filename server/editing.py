"""One edit from the command line: read, edit (here or on the server), splice, write, tell."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.automation import MASK_SUFFIXES, in_words
from engine.edits import PARAMETERS, Edit, Hole, Inpaint, Parameter, make_edit
from engine.errors import FaultError, RequestError
from engine.progress import Progress
from engine.region import Region, Take, read, write
from engine.samples import MAX_SAMPLES, Samples
from presets import Finish, Shelf, check_edit
from server.options import edit_values, parse_span

if TYPE_CHECKING:
    from server.plot import Picture

DEFAULT_MODEL = "pocket"
SPLICE_FADE_S = 0.005


@dataclass(frozen=True, eq=False)
class Order:
    """An edit of a region of a clip; without a clip for `generate`.

    With a preset, `given` is what was asked for beside it, and `finish` what it does to the takes.
    """

    edit: Edit
    clip: Path | None = None
    start_frames: int = 0
    frames: int | None = None
    preset: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    finish: Finish | None = None


@dataclass(frozen=True, eq=False)
class Made:
    """What came of it, and where it was made."""

    takes: list[Take]
    model: str
    device: str


Listen = Callable[[float, str], None]


def run(options: argparse.Namespace) -> None:
    """`retake transfer|inpaint|… CLIP -o OUT.wav`, from options to files."""
    began_s = time.monotonic()
    order = read_order(options)
    outputs = check_outputs(options, order)
    with progress_bar(order.edit.name) as listen:
        made = (edit_on_server if options.server else edit_here)(options, order, listen)
    splice = getattr(options, "splice", False)
    spliced = [finish(order, take, splice) for take in made.takes]
    written = []
    for path, take, samples in zip(outputs, made.takes, spliced, strict=False):
        write(path, samples, take.rate, overwrite=options.force)
        written.append(_row(path, take, samples))
    report(options, made, written, time.monotonic() - began_s)
    if options.plot:
        draw(Path(options.plot), order, spliced[0], made.takes[0], splice)


def read_order(options: argparse.Namespace) -> Order:
    """What the options ask for, checked."""
    preset = Shelf().get(options.preset) if options.preset else None
    start_frames, frames, rate = 0, None, 0
    clip = Path(options.clip) if options.command != "generate" else None
    if clip:
        first = read(clip, 0, 1, context_s=0.0)
        rate = first.rate
        if options.splice:
            _check_spliceable(clip, first.n_channels)
        start_frames, frames = parse_span(options.start, options.end, rate)
    given = edit_values(options, rate, start_frames)
    if preset is None:
        if getattr(options, "tail", None):
            raise RequestError("bad-value", "--tail goes with --preset, and none is given")
        return Order(make_edit(options.command, given), clip, start_frames, frames)
    check_edit(preset, options.command)
    if clip and options.command == "inpaint" and frames is None:  # what is filled must end
        frames = read(clip, start_frames, context_s=0.0).n_frames
    edit = preset.make_edit(given, frames)
    finish = preset.finish_with(_tail(options))
    return Order(edit, clip, start_frames, frames, preset.name, given, finish)


def _check_spliceable(clip: Path, n_channels: int) -> None:
    """RequestError (`too-long`) where a whole clip is more than can be written again.

    Its header is not asked: of a recording that was cut off it claims too much.
    """
    limit = MAX_SAMPLES // n_channels
    try:
        read(clip, limit, 1, context_s=0.0)
    except RequestError as error:
        if error.code != "region-outside-file":
            raise
        return
    raise RequestError(
        "too-long",
        f"{clip.name} is over {limit} frames long, too long to splice into; leave out --splice",
    )


def _tail(options: argparse.Namespace) -> str | None:
    """What becomes of a preset's tail; spliced in, the take stays as long as its region."""
    tail: str | None = getattr(options, "tail", None)
    if not getattr(options, "splice", False) or options.command == "continue":
        return tail
    if tail == "longer":
        raise RequestError(
            "bad-value", "a longer tail would move what follows the region; leave out --splice"
        )
    return "fade"


def check_outputs(options: argparse.Namespace, order: Order) -> list[Path]:
    """Where the takes go, or a RequestError before any work is done."""
    n_takes = order.edit.takes
    first = Path(options.output)
    if first.suffix.lower() != ".wav":
        raise RequestError("bad-value", f"the output is {first.name}; takes are written as .wav")
    outputs = [first, *(first.with_suffix(f".{i}.wav") for i in range(2, n_takes + 1))]
    pictures = [Path(options.plot)] if options.plot else []
    if pictures and pictures[0].suffix.lower() != ".png":
        raise RequestError("bad-value", f"the plot is {pictures[0].name}; it is drawn as .png")
    for path in outputs + pictures:
        if order.clip and path.exists() and path.samefile(order.clip):
            raise RequestError("conflict", f"{path} is the clip itself; choose another name")
        if path.exists() and not options.force:
            raise RequestError("conflict", f"{path} exists; choose another name or give --force")
        if not path.absolute().parent.is_dir():
            raise RequestError(
                "no-such-file", f"{path.absolute().parent} is no folder; make it first"
            )
    return outputs


def edit_here(options: argparse.Namespace, order: Order, listen: Listen) -> Made:
    """The edit in this process."""
    region = None
    if order.clip:
        region = read(order.clip, order.start_frames, order.frames)
    listen(0.0, "loading")
    from engine import Engine

    engine = Engine.load(
        options.model or DEFAULT_MODEL, device=options.device or "auto", ranker=options.ranker
    )

    def progress(point: Progress) -> None:
        listen(point.fraction, point.stage)

    from presets.finishing import finished_takes

    takes = finished_takes(engine, region, order.edit, order.finish, progress)
    return Made(takes, engine.name, str(engine.device))


def edit_on_server(options: argparse.Namespace, order: Order, listen: Listen) -> Made:
    """The edit through a running server, over OSC."""
    from daw_bridge.client import Client, TakeFile

    for name in ("device", "ranker"):
        if getattr(options, name):
            raise RequestError("bad-value", f"--{name} is the server's to choose; leave it out")
    model = options.model
    if model and Path(model).exists():
        model = str(Path(model).absolute())  # the server runs in another folder
    with Client.connect(options.state_dir, name="retake cli") as client:
        hello = client.hello()
        job = client.submit(**server_keys(order), model=model)
        try:
            files = client.wait(job, lambda fraction, stage, left_s: listen(fraction, stage))
        except KeyboardInterrupt:
            client.cancel(job)
            raise

    def take(file: TakeFile) -> Take:
        score = None if np.isnan(file.score) else file.score
        return Take(read(file.path, context_s=0.0).samples, file.rate, file.seed, score)

    return Made([take(file) for file in files], options.model or hello.model, hello.device)


def server_keys(order: Order) -> dict[str, Any]:
    """The order as submit's keys."""
    keys: dict[str, Any] = {"edit": order.edit.name}
    if order.clip:
        keys |= {"path": str(order.clip.absolute()), "start": order.start_frames}
        keys["frames"] = order.frames
    values = {p.name: getattr(order.edit, p.name) for p in order.edit.parameters()}
    if order.finish:  # the server knows the preset; its text must not be filled twice
        keys |= {"preset": order.preset, "tail": order.finish.tail}
        values = dict(order.given)
    for parameter in (PARAMETERS[name] for name in values):
        value = values[parameter.name]
        if parameter.kind == "holes":
            keys["hole"] = [hole_text(hole) for hole in value]
        elif parameter.kind == "curve":
            keys["curve"] = " ".join(f"{at!r}:{strength!r}" for at, strength in value)
        elif parameter.kind in ("prompts", "mask", "around"):
            keys |= automation_keys(parameter, value)
        else:
            keys[parameter.name] = value
    return keys


def automation_keys(parameter: Parameter, value: Any) -> dict[str, str]:
    """A value that changes over time as a key of submit; none where there is none."""
    text = in_words(parameter.check(value))
    if parameter.kind == "mask" and PurePath(text).suffix.lower() in MASK_SUFFIXES:
        text = str(Path(text).absolute())  # the server runs in another folder
    return {parameter.name: text} if text else {}


def hole_text(hole: Hole) -> str:
    """A hole as the wire carries it."""
    text = f"{hole.start_frames}:{hole.frames}"
    if hole.is_full_band:
        return text
    low, high = (f"{hz!r}" if hz is not None else "" for hz in (hole.low_hz, hole.high_hz))
    return f"{text}:{low}:{high}"


def finish(order: Order, take: Take, splice: bool) -> Samples:
    """The take's samples, or the whole clip with the take where its region was."""
    if not splice or not order.clip:
        return take.samples
    clip = read(order.clip, context_s=0.0)
    n_frames = clip.n_frames - order.start_frames if order.frames is None else order.frames
    # A filled hole meets its surroundings; what lay in it, a click perhaps, must not come back.
    joins = isinstance(order.edit, Inpaint) and not order.edit.mask
    return spliced(clip, order.start_frames, n_frames, take.samples, joins)


def spliced(
    clip: Region, start_frames: int, frames: int, new: Samples, joins: bool = False
) -> Samples:
    """The clip with `frames` frames replaced by `new`, which may be longer; the rest as it was.

    Where `new` is as long as what it replaces, its first and last 5 ms are blended with that, so
    that nothing clicks, unless it `joins` its surroundings by itself; frames that are equal stay
    equal to the bit.
    """
    stop_frames = start_frames + frames
    before, old, after = np.split(clip.samples, [start_frames, stop_frames])
    if len(new) == frames and not joins:
        weight = np.ones((frames, 1), np.float32)
        n_fade = min(round(SPLICE_FADE_S * clip.rate), frames // 2)
        rise = ((np.arange(n_fade, dtype=np.float32) + 1) / (n_fade + 1))[:, np.newaxis]
        if len(before):
            weight[:n_fade] = rise
        if len(after):
            weight[frames - n_fade :] = rise[::-1]
        new = np.where(weight == 1, new, old + weight * (new - old))
    return np.concatenate([before, new, after])


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Listen]:
    """A bar on stderr where that is a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda fraction, stage: None
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    form = "{desc:28} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc=title, leave=False, bar_format=form) as bar:

        def listen(fraction: float, stage: str) -> None:
            bar.set_description_str(f"{title}: {stage}", refresh=False)
            bar.update(fraction - bar.n)

        yield listen


def draw(path: Path, order: Order, result: Samples, take: Take, splice: bool) -> None:
    """The picture of what was done; FaultError (`internal`) where it can't be drawn."""
    try:
        from server.plot import plot

        plot(_picture(order, result, take, splice), path)
    except Exception as error:
        reason = getattr(error, "message", None) or getattr(error, "strerror", None)
        reason = reason or f"{type(error).__name__}: {error}"
        message = f"the takes are written, but {path} can't be drawn: {reason}"
        raise FaultError("internal", message) from error


def _picture(order: Order, result: Samples, take: Take, splice: bool) -> Picture:
    """The whole clip before and after where it is spliced, else the region alone."""
    from server.plot import Picture

    source: Samples | None = None
    source_frames = len(result)
    if order.clip:
        span = (0, None) if splice else (order.start_frames, order.frames)
        source = read(order.clip, *span, context_s=0.0).samples
        to_end = len(source) - (order.start_frames if splice else 0)
        source_frames = to_end if order.frames is None else order.frames
    return Picture(
        source=source,
        result=result,
        rate=take.rate,
        start_frames=order.start_frames if splice else 0,
        source_frames=source_frames,
        result_frames=len(take.samples),
        holes=tuple(getattr(order.edit, "holes", ())),
        title=title_of(order),
    )


def title_of(order: Order) -> str:
    """What the picture is called."""
    name = order.clip.name if order.clip else ""
    prompt = f"“{order.edit.prompt}”" if order.edit.prompt else ""
    strength = getattr(order.edit, "strength", None)
    dose = f"strength {strength:g}" if strength is not None and not order.edit.is_identity else ""
    made = order.preset or order.edit.name
    return " · ".join(part for part in (made, name, prompt, dose) if part)


def _row(path: Path, take: Take, samples: Samples) -> dict[str, Any]:
    n_frames, n_channels = samples.shape
    sizes = {"frames": n_frames, "rate": take.rate, "channels": n_channels}
    return {"path": str(path), **sizes, "seed": take.seed, "score": take.score}


def report(
    options: argparse.Namespace, made: Made, rows: list[dict[str, Any]], seconds: float
) -> None:
    """The result on stdout: one line a take, or one JSON object."""
    if options.json:
        facts = {"edit": options.command, "model": made.model, "device": made.device}
        print(json.dumps({**facts, "seconds": round(seconds, 3), "takes": rows}))
        return
    for row in rows:
        length_s = row["frames"] / row["rate"]
        score = "" if row["score"] is None else f", CLAP {row['score']:.3f}"
        print(
            f"{row['path']}: {length_s:.3f} s, {row['channels']} ch at {row['rate']} Hz, "
            f"seed {row['seed']}{score}"
        )
