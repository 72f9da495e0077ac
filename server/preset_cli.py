"""`retake presets` and `retake preset show|new|check|render`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from engine.edits import EDITS
from engine.errors import FaultError, RequestError
from presets import FAMILIES, Preset, PresetError, Shelf, read_sheet, user_folder
from presets.mistakes import Mistake
from presets.schema import NAME, NAME_RULE
from presets.shelf import LIBRARY
from server.messages import shorten
from server.options import add_debug


def add_preset_commands(commands: Any) -> None:
    """Both commands, with all their options."""
    listing = commands.add_parser("presets", help="the presets there are")
    listing.add_argument("--family", choices=FAMILIES, help="only of this family")
    listing.add_argument("--edit", choices=EDITS, help="only for this edit")
    listing.add_argument("--json", action="store_true", help="as JSON, with everything in them")
    add_debug(listing)
    listing.set_defaults(run=list_presets)
    command = commands.add_parser("preset", help="show, make, check or render a preset")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_show(actions)
    _add_new(actions)
    _add_check(actions)
    _add_render(actions)


def _add_show(actions: Any) -> None:
    show = actions.add_parser("show", help="print a preset, as TOML")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--json", action="store_true", help="as JSON")
    add_debug(show)
    show.set_defaults(run=show_preset)


def _add_new(actions: Any) -> None:
    new = actions.add_parser("new", help="begin a preset of your own")
    new.add_argument("name", metavar="NAME", help=NAME_RULE)
    new.add_argument("--extends", metavar="OTHER", help="vary another preset")
    new.add_argument("--family", choices=FAMILIES, default="voice", help="(voice)")
    new.add_argument("--edit", choices=EDITS, default="transfer", help="(transfer)")
    new.add_argument(
        "-o", "--output", metavar="FILE.toml", help="where it goes (your preset folder)"
    )
    add_debug(new)
    new.set_defaults(run=new_preset)


def _add_check(actions: Any) -> None:
    check = actions.add_parser("check", help="find mistakes, each with file, line and key")
    check.add_argument(
        "what", nargs="*", metavar="NAME|FILE.toml", help="what is checked (every preset)"
    )
    check.add_argument("--json", action="store_true", help="as JSON")
    add_debug(check)
    check.set_defaults(run=check_presets)


def _add_render(actions: Any) -> None:
    render = actions.add_parser(
        "render",
        help="make takes with a preset: NAME CLIP -o OUT.wav and the options of its edit",
        add_help=False,
    )
    render.add_argument("name", metavar="NAME")
    render.add_argument("rest", nargs=argparse.REMAINDER, metavar="CLIP -o OUT.wav ...")
    render.set_defaults(run=render_preset, debug=False)


def add_folder_watch(watch: Any) -> None:
    """What `retake watch` takes where a folder is meant."""
    group = watch.add_argument_group("a folder")
    group.add_argument("--preset", metavar="NAME", help="what is made of each audio file there")
    group.add_argument("-o", "--output", metavar="OUT", help="where takes go (FOLDER - takes)")
    group.add_argument("--prompt", metavar="TEXT", help="your words in the preset's text")
    group.add_argument("--once", action="store_true", help="end when every file there is done")
    group.add_argument("--model", metavar="NAME", help="a checkpoint's name or folder (pocket)")
    group.add_argument("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps (auto)")


def list_presets(options: argparse.Namespace) -> None:
    """Print the presets, family by family, or as JSON; those with mistakes are counted."""
    shelf = Shelf()
    chosen = [
        preset
        for family in FAMILIES
        for preset in shelf.presets()
        if preset.family == family and options.family in (None, family)
        if options.edit in (None, preset.edit)
    ]
    if options.json:
        print(json.dumps([preset.facts() for preset in chosen]))
        return
    _print_families(chosen)
    n_mistakes = len(shelf.mistakes())
    if n_mistakes:
        files = "a mistake" if n_mistakes == 1 else f"{n_mistakes} mistakes"
        print(f"\nNot all could be read: retake preset check tells of {files}.")


def _print_families(presets: list[Preset]) -> None:
    if not presets:
        print("no presets")
    width = max((len(preset.name) for preset in presets), default=0)
    family = ""
    for preset in presets:
        if preset.family != family:
            print(("\n" if family else "") + FAMILIES[preset.family])
            family = preset.family
        own = " (your own)" if preset.is_own else ""
        print(f"  {preset.name:{width}}  {preset.description}{own}")


def show_preset(options: argparse.Namespace) -> None:
    """Print one preset with what it extends written out."""
    from presets.writer import preset_toml

    preset = Shelf().get(options.name)
    if options.json:
        print(json.dumps(preset.facts()))
        return
    print(f"# {preset.path}")
    print(preset_toml(preset), end="")


def new_preset(options: argparse.Namespace) -> None:
    """Write a preset's file to be filled in; never over another."""
    from presets.writer import blank_toml, variation_toml

    if not NAME.fullmatch(options.name):
        raise RequestError(
            "bad-value", f"the preset is called {shorten(options.name)}; it must be {NAME_RULE}"
        )
    path = Path(options.output or user_folder() / f"{options.name}.toml")
    text = (
        variation_toml(options.name, Shelf().get(options.extends))
        if options.extends
        else blank_toml(options.name, options.family, options.edit)
    )
    _write_new(path, text, is_own_folder=not options.output)
    print(path)


def _write_new(path: Path, text: str, is_own_folder: bool) -> None:
    if path.suffix != ".toml":
        raise RequestError("bad-value", f"the file is {path.name}; presets are .toml")
    try:
        if is_own_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise RequestError("conflict", f"{path} exists; choose another name") from None
    except FileNotFoundError:
        raise RequestError(
            "no-such-file", f"folder {path.absolute().parent} does not exist; make it first"
        ) from None
    except OSError as error:
        raise FaultError("internal", f"{path} can't be written: {error.strerror}") from error


def check_presets(options: argparse.Namespace) -> None:
    """Print every mistake; RequestError (`bad-value`) with their number if there are any.

    Plugins are loaded and impulse responses read where a preset names them.
    """
    shelf = Shelf()
    found, n_checked = _all_mistakes(shelf) if not options.what else _mistakes_of(options, shelf)
    if options.json:
        rows = [{**vars(mistake), "path": str(mistake.path)} for mistake in found]
        print(json.dumps(rows))
    else:
        for mistake in found:
            print(mistake)
    if found:
        files = len({mistake.path for mistake in found})
        raise RequestError(
            "bad-value",
            f"{_counted(len(found), 'mistake')} in {_counted(files, 'file')}",
        )
    if not options.json:
        print(f"{_counted(n_checked, 'preset')}, no mistakes")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _all_mistakes(shelf: Shelf) -> tuple[list[Mistake], int]:
    found = shelf.mistakes()
    for preset in shelf.presets():
        found += _outside(shelf, preset)
    return sorted(set(found)), len(shelf.names)


def _mistakes_of(options: argparse.Namespace, shelf: Shelf) -> tuple[list[Mistake], int]:
    found: set[Mistake] = set()
    for what in options.what:
        is_file = what.endswith(".toml") or "/" in what or "\\" in what
        path = Path(what).absolute()
        sheet = read_sheet(path, path.parent != LIBRARY) if is_file else shelf.sheet(what)
        if sheet is None:
            shelf.get(what)  # says what is near
            continue
        found.update(shelf.mistakes(sheet))
        try:
            preset = shelf.complete(sheet)
        except PresetError:
            continue
        if preset.is_own:
            from presets.outside import outside_mistakes

            found.update(outside_mistakes(sheet, preset))
    return sorted(found), len(options.what)


def _outside(shelf: Shelf, preset: Preset) -> list[Mistake]:
    sheet = shelf.sheet(preset.name)
    if not preset.is_own or sheet is None:
        return []
    from presets.outside import outside_mistakes

    return outside_mistakes(sheet, preset)


def render_preset(options: argparse.Namespace) -> None:
    """`retake EDIT … --preset NAME`, the edit being the preset's own."""
    from server.cli import build_parser

    preset = Shelf().get(options.name)
    arguments = [preset.edit, *options.rest, "--preset", preset.name]
    edit_options = build_parser().parse_args(arguments)
    options.debug = edit_options.debug
    edit_options.run(edit_options)
