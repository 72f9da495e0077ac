"""A newcomer's first take in a real Ardour: the scripts put into slots by hand, then used.

And a long region's reading, which is shown and can be cancelled.

With RETAKE_PICTURES the embedded checkpoint makes the take and the pictures go into the docs.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ardour_host import SUPERCLOCKS, Ardour, Place
from desktop import PICTURES, Desktop, missing
from running import Running, wait_until
from servers import real_server

from engine.region import read, write

pytestmark = pytest.mark.skipif(
    bool(missing("ardour", "ardour7-lua")),
    reason=f"not installed: {missing('ardour', 'ardour7-lua')}",
)
DEMO = Path(__file__).parent.parent / "docs" / "demo" / "footsteps.flac"
SCRIPTS = Path("/usr/share/ardour7/scripts")
RATE, START = 44100, 88200
#: Its reading lasts some seconds.
LONG_FRAMES = RATE * 300
#: Where things are in the Script Manager's window, and in the one that adds a script.
THIRD_ACTION, SET_ACTION, HOOKS_TAB, NEW_HOOK = (40, 108), (56, 207), (138, 24), (98, 207)
SCRIPT_MENU = (160, 24)
PORTRAIT = (0, 0, 1000, 620)
#: Left of the Script Manager.
BESIDE = (120, 290)


@contextlib.contextmanager
def server(state: Path) -> Iterator[None]:
    if os.environ.get(PICTURES):
        with real_server(state):
            yield
        return
    double = Running(state)
    try:
        yield
    finally:
        double.stop()


def names_after(name: str, kind: str, installed: Path) -> int:
    """How many scripts of a kind stand below this one in Ardour's list."""
    header = re.compile(rf'\["type"\]\s*=\s*"{kind}"\s*,\s*name\s*=\s*"([^"]+)"')
    found = [
        header.search(path.read_text(errors="replace"))
        for folder in (SCRIPTS, installed)
        for path in folder.glob("*.lua")
    ]
    names = sorted((match[1] for match in found if match), key=str.casefold)
    names = [one for one in names if one != "Shortcut"]  # which stands above them all
    return len(names) - 1 - names.index(name)


def put_in_slot(ardour: Ardour, name: str, kind: str, folder: Path) -> None:
    """Choose a script from the menu of the window that adds one."""
    desktop, installed = ardour.desktop, ardour.home / ".config/ardour7/scripts"
    window = desktop.wait_for("^Add (Shortcut|Lua|.*[Hh]ook)")
    desktop.activate(window)
    desktop.move(window, *BESIDE)
    desktop.settle()
    desktop.click_in(window, *SCRIPT_MENU)
    desktop.settle()
    below = names_after(name, kind, installed)
    if kind == "EditorAction":
        desktop.key(*["Up"] * (below + 1), "Return")
    else:
        desktop.key("End", *["Up"] * below, "Return")
    picture = desktop.settle().crop(PORTRAIT)
    desktop.keep(f"ardour-{'action' if kind == 'EditorAction' else 'hook'}.png", picture, folder)
    desktop.key("alt+a")
    desktop.wait_gone("^Add ")


def test_a_newcomer_gets_a_first_take(tmp_path: Path) -> None:
    steps = read(DEMO, context_s=0.0)
    write(tmp_path / "footsteps.wav", steps.samples[: RATE * 4], RATE)
    state = tmp_path / "state"
    with Desktop() as desktop, server(state):
        ardour = Ardour(desktop, tmp_path, state, RATE, has_slots=False)
        ardour.create(tmp_path / "footsteps.wav", Place(START))
        ardour.start()
        try:
            set_up(ardour, tmp_path)
            use(ardour, tmp_path)
        finally:
            ardour.stop()
    regions = ElementTree.parse(ardour.session / "song.ardour").iter("Region")
    (take,) = [
        one
        for one in regions
        if one.get("name", "").startswith("Retake: rain on a tin roof (seed ")
    ]
    per_frame = SUPERCLOCKS // RATE
    assert take.get("length") == f"a{RATE * 4 * per_frame}@a{START * per_frame}"


def set_up(ardour: Ardour, folder: Path) -> None:
    desktop = ardour.desktop
    ardour.act("Window/toggle-script-manager")
    manager = desktop.wait_for("^Script Manager$")
    desktop.settle()
    desktop.click_in(manager, *THIRD_ACTION)
    desktop.settle()
    desktop.click_in(manager, *SET_ACTION)
    put_in_slot(ardour, "Retake: edit…", "EditorAction", folder)
    desktop.activate(manager)
    desktop.click_in(manager, *HOOKS_TAB)
    desktop.settle()
    desktop.click_in(manager, *NEW_HOOK)
    put_in_slot(ardour, "Retake: hook", "EditorHook", folder)
    ardour.act("Window/toggle-script-manager")
    desktop.wait_gone("^Script Manager$")


def use(ardour: Ardour, folder: Path) -> None:
    desktop = ardour.desktop
    main = desktop.wait_for("song - Ardour$")
    desktop.activate(main)
    ardour.act("Editor/zoom-to-session")
    ardour.act("Editor/select-all-objects")
    time.sleep(1)
    desktop.keep("ardour-before.png", desktop.settle().crop(PORTRAIT), folder)
    ardour.act("LuaAction/script-3")
    desktop.activate(desktop.wait_for("^Retake$"))
    desktop.type("rain on a tin roof")
    desktop.keep("ardour-dialog.png", desktop.settle().crop(PORTRAIT), folder)
    desktop.key("alt+o")
    recipes = ardour.session / "retake-takes.txt"
    wait_until(recipes.exists, timeout_s=600)
    time.sleep(1)
    desktop.keep("ardour-after.png", desktop.settle().crop(PORTRAIT), folder)


def test_a_long_regions_reading_is_shown_and_can_be_cancelled(tmp_path: Path) -> None:
    write(tmp_path / "long.wav", np.zeros((LONG_FRAMES, 2), np.float32), RATE)
    state = tmp_path / "state"
    with Desktop() as desktop, server(state):
        ardour = Ardour(desktop, tmp_path, state, RATE)
        ardour.create(tmp_path / "long.wav", Place(START), channels=2)
        ardour.start()
        try:
            ardour.select_all()
            ardour.act("LuaAction/script-1")
            dialog = desktop.wait_for("^Retake$")
            desktop.activate(dialog)
            desktop.type("rain")
            desktop.key("alt+o")
            wait_until(lambda: bool(set(desktop.windows("^Retake$")) - {dialog}))
            desktop.activate(desktop.windows("^Retake$")[-1])
            desktop.key("Return")  # its only button
            desktop.wait_gone("^Retake$")
            assert len(ardour.regions()) == 1
        finally:
            ardour.stop(is_saved=False)
    assert not list((state / "spool").glob("*-source.0.wav"))
    assert not (ardour.session / "retake-jobs.txt").exists()
