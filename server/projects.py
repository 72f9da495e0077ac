"""`retake rpp` edits project files offline; `retake als` lists a Live set's audio clips."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.edits import EDITS, make_edit
from engine.errors import FaultError, RequestError
from engine.region import Take, read, write
from engine.units import seconds_to_frames
from presets import Preset, Shelf
from server.editing import Made, Order, edit_here, edit_on_server, progress_bar, server_keys
from server.options import parse_hole_times
from server.projects_als import read_clips
from server.projects_rpp import NewTake, ProjectItem, RppProject
from server.submission import parse_curve

#: Edits whose take is as long as the item; the others would have to move what follows.
SAME_LENGTH = ("transfer", "inpaint", "bandwidth", "vary", "loop")
MAX_NAME_CHARACTERS = 60


def run_rpp(options: argparse.Namespace) -> None:
    """List a project's items, or make takes of some into a new project."""
    project = RppProject(Path(options.project).absolute())
    if not options.item:
        _list_items(project, options.json)
        return
    preset = Shelf().get(options.preset) if options.preset else None
    edit = preset.edit if preset else options.edit
    if edit not in SAME_LENGTH:
        known = ", ".join(SAME_LENGTH)
        raise RequestError("bad-value", f"the edit is {edit}; offline there are: {known}")
    output = _output(project, options)
    items = [project.item(number) for number in dict.fromkeys(options.item)]
    orders = [(item, _order(item, options, preset)) for item in items]
    takes: list[NewTake] = []
    for item, order in orders:
        with progress_bar(f"item {item.number}") as listen:
            made = (edit_on_server if options.server else edit_here)(options, order, listen)
        takes += [_keep(project, item, order, made, take) for take in made.takes]
    _write_whole(output, project.with_takes(takes))
    _report(output, project, takes, options.json)


def _list_items(project: RppProject, as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(item), "file": str(item.file or "")} for item in project.items]
        print(json.dumps(rows))
        return
    if not project.items:
        print("no items")
    for item in project.items:
        what = item.trouble or item.file
        print(
            f"{item.number:4}  {item.position_s:9.3f} s  {item.length_s:8.3f} s  "
            f"{item.track or '-'} | {item.name or '-'} | {what}"
        )


def _output(project: RppProject, options: argparse.Namespace) -> Path:
    """Where the new project goes, before any work is done."""
    path = Path(options.output or project.path.with_name(f"{project.path.stem} - retake.rpp"))
    path = path.absolute()
    if path.suffix.lower() != ".rpp":
        raise RequestError("bad-value", f"the output is {path.name}; projects are called .rpp")
    if path.parent != project.path.parent:
        raise RequestError(
            "bad-value",
            f"the output is in {path.parent}; its media are found from {project.path.parent} only",
        )
    if path == project.path or (path.exists() and path.samefile(project.path)):
        raise RequestError("conflict", "the output is the project itself, which is never changed")
    if path.exists() and not options.force:
        raise RequestError("conflict", f"{path} exists; choose another name or give --force")
    return path


def _order(item: ProjectItem, options: argparse.Namespace, preset: Preset | None) -> Order:
    """What is asked for of one item, checked against its file."""
    assert item.file is not None
    rate = read(item.file, 0, 1, context_s=0.0).rate
    start_frames = seconds_to_frames(item.offset_s, rate)
    frames = max(1, seconds_to_frames(item.length_s, rate))
    read(item.file, start_frames, frames, context_s=0.0)  # it must be there, all of it
    given = _values(options, rate)
    if preset is None:
        return Order(make_edit(options.edit, given), item.file, start_frames, frames)
    edit, finish = preset.make_edit(given, frames), preset.finish_with("fade")
    return Order(edit, item.file, start_frames, frames, preset.name, given, finish)


def _values(options: argparse.Namespace, rate: int) -> dict[str, Any]:
    """The parameters that were given, whichever edit they are of: `make_edit` refuses strays."""
    values: dict[str, Any] = {}
    if options.hole:
        values["holes"] = tuple(parse_hole_times(text, rate, 0) for text in options.hole)
    names = {parameter.name for edit in EDITS.values() for parameter in edit.parameters()}
    for name in sorted(names - {"holes"}):
        value = getattr(options, name)
        if value is not None:
            values[name] = parse_curve(value) if name == "curve" else value
    return values


def _keep(project: RppProject, item: ProjectItem, order: Order, made: Made, take: Take) -> NewTake:
    """Write a take and its recipe into the project's media folder, beside what is there."""
    folder = project.media_folder
    text = order.preset or order.edit.prompt or order.edit.name
    name = f"Retake: {text} (seed {take.seed})"
    stem = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "", name)[:MAX_NAME_CHARACTERS].rstrip(". ")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaultError("out-of-disk", f"{folder} can't be made: {error.strerror}") from error
    path, n = folder / f"{stem}.wav", 1
    while path.exists() or path.with_suffix(".json").exists():
        n += 1
        path = folder / f"{stem} {n}.wav"
    write(path, take.samples, take.rate)
    recipe = {"model": made.model, **server_keys(order), "takes": 1, "seed": take.seed}
    given = {key: value for key, value in recipe.items() if value not in (None, "")}
    _write_whole(path.with_suffix(".json"), json.dumps(given, ensure_ascii=False, indent=1))
    relative = os.path.relpath(path, project.path.parent)
    inside = not relative.startswith("..")
    return NewTake(item.number, name, Path(relative).as_posix() if inside else str(path))


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(text.encode("utf-8", "surrogateescape"))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FaultError("out-of-disk", f"{path} can't be written: {error.strerror}") from error


def _report(output: Path, project: RppProject, takes: Sequence[NewTake], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"project": str(output), "takes": [asdict(take) for take in takes]}))
        return
    for take in takes:
        print(f"item {take.item}: {take.name}, {take.file}")
    print(f"{output} (the old project is as it was)")


def run_als(options: argparse.Namespace) -> None:
    """List a Live set's audio clips."""
    clips = read_clips(Path(options.set).absolute())
    if options.json:
        print(json.dumps([asdict(clip) for clip in clips]))
        return
    if not clips:
        print("no audio clips")
    for clip in clips:
        warped = "warped" if clip.is_warped else "not warped"
        trouble = f" ({clip.trouble})" if clip.trouble else ""
        print(f"{clip.track or '-'} | {clip.place} | {clip.name or '-'}, {warped}{trouble}")
        print(f"    {clip.file} --start {clip.start_s:.6f} --end {clip.end_s:.6f}")
