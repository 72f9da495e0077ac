"""The bridge in a real Ardour on a screen nobody sees: select, run the action, get takes, undo."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ardour_host import CUT, SHIFT, STUMBLE, Ardour, Lies, Place
from continuing_double import COMMAND as CONTINUING
from continuing_double import NEW_LEVEL
from desktop import Desktop, missing
from running import Running, wait_until

from daw_bridge.client import Client
from engine.errors import RequestError
from engine.region import read, write

needs_ardour = pytest.mark.skipif(
    bool(missing("ardour", "ardour7-lua")),
    reason=f"not installed: {missing('ardour', 'ardour7-lua')}",
)
#: Where things are on the screen: the track, a stretch of its first region, the dialog's menus.
TRACK_Y, RANGE_X = 385, (275, 300)
DROP_DOWN_X, EDIT_Y, PRESET_Y = 280, 22, 48
RATE, START, FRAMES = 48000, 96001, 120_007
#: The second region holds the file from here to there.
SECOND, FROM, PAST = START + 2 * FRAMES, 7_003, FRAMES - 4_001
SERVE = f"""
import sys, threading
from pathlib import Path
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parent.parent)!r}]
from running import Running
Running(Path(sys.argv[1]))
threading.Event().wait()
"""


class Session:
    """An Ardour and the server it talks to, which may be stopped and started."""

    def __init__(self, desktop: Desktop, folder: Path) -> None:
        self.desktop, self.folder, self.state = desktop, folder, folder / "state"
        self.server: Running | None = None
        self.start()
        clip = np.random.default_rng(4).standard_normal((FRAMES, 2)).astype(np.float32) * 0.1
        self.clips = {START: clip, SECOND: clip[FROM:PAST]}
        write(folder / "clip.wav", clip, RATE)
        (folder / "serve.py").write_text(SERVE)
        command = f"{sys.executable} {folder / 'serve.py'} {self.state}"
        self.ardour = Ardour(desktop, folder, self.state, RATE, command=command)
        places = (Place(START), Place(SECOND, FROM, PAST - FROM))
        self.ardour.create(folder / "clip.wav", *places, channels=2)
        self.media = (self.ardour.session / "interchange/song/audiofiles/clip.wav").read_bytes()
        self.ardour.start()
        self.first = layout(self.ardour.regions())

    @property
    def pending(self) -> Path:
        return self.ardour.session / "retake-jobs.txt"

    def start(self) -> None:
        if self.server is None:
            command = [*CONTINUING, str(self.folder / "steps.log")]
            self.server = Running(self.state, command=command)

    def can_start(self) -> bool:
        """Start it, unless another one's process still lives."""
        with contextlib.suppress(RequestError):
            self.start()
        return self.server is not None

    def stop(self) -> None:
        if self.server:
            self.server.stop()
            self.server = None

    def close(self) -> None:
        self.ardour.stop(is_saved=False)
        self.stop()

    def ask_for(
        self, text: str, *keys: str, at_dialog: Callable[[str], object] = lambda window: None
    ) -> None:
        """The action on what is selected: keys in its dialog, a text, OK."""
        self.ardour.act("LuaAction/script-1")
        window = self.desktop.wait_for("^Retake$")
        self.desktop.activate(window)
        self.desktop.key("ctrl+a", "BackSpace", *keys)  # it offers the last text again
        self.desktop.type(text)
        at_dialog(window)
        self.desktop.key("alt+o")
        self.desktop.wait_gone("^Retake$")

    def choose(self, window: str, y: int, *keys: str) -> None:
        """From a drop-down of the dialog, by keys from its present choice."""
        self.desktop.click_in(window, DROP_DOWN_X, y)
        self.desktop.settle()
        self.desktop.key(*keys, "Return")
        self.desktop.settle()

    def jobs(self) -> list[dict[str, str]]:
        """What the lines of the jobs that are waited for say, the oldest first."""
        lines = self.pending.read_text().splitlines() if self.pending.exists() else []
        return [dict(word.split("=", 1) for word in line.split("\t")) for line in lines]

    def status(self, job: str) -> dict[str, str]:
        path = self.state / "spool" / f"{job}.status"
        lines = path.read_text().splitlines() if path.exists() else []
        return {"state": "", **dict(line.split("=", 1) for line in lines)}

    def n_lists(self) -> int:
        """How many lists of presets the servers here have given."""
        answers = (self.state / "spool").glob("*-ask.answer")
        return sum("item=" in path.read_text() for path in answers)

    def wait_for_recipes(self, title: str, count: int) -> None:
        path = self.ardour.session / "retake-takes.txt"
        wait_until(lambda: path.exists() and path.read_text().count(title) == count)

    def wait_for_state(self, *states: str) -> dict[str, str]:
        wait_until(lambda: bool(self.jobs()))
        job = self.jobs()[0]
        wait_until(lambda: self.status(job["job"])["state"] in states)
        return job


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Desktop() as desktop:
        one = Session(desktop, tmp_path_factory.mktemp("ardour"))
        yield one
        one.close()


@pytest.fixture
def fresh(session: Session) -> Iterator[Session]:
    """The session as it was at first: two regions, nothing waiting."""
    yield session
    undo_all(session)


def undo_all(session: Session) -> None:
    """Back to the first two regions; each import leaves an empty step between the others."""
    for _ in range(40):
        now = layout(session.ardour.regions())
        if now == session.first:
            return
        session.ardour.undo()
        time.sleep(0.2)
    raise AssertionError(f"the takes can't be undone: {now}")


def layout(regions: list[Lies]) -> list[tuple[str, int, int, int]]:
    """Where each lies and what it holds."""
    return sorted((one.name, one.position, one.start, one.frames) for one in regions)


def takes_among(regions: list[Lies]) -> list[Lies]:
    return [region for region in regions if region.name.startswith("Retake: ")]


@needs_ardour
def test_takes_lie_over_their_regions_and_one_undo_takes_them_away(fresh: Session) -> None:
    ardour = fresh.ardour
    ardour.select_all()
    fresh.ask_for("rain; on a tin=roof")
    regions = ardour.wait_for_regions(4)
    takes = takes_among(regions)
    assert sorted(take.position for take in takes) == [START, SECOND]
    for take in takes:
        clip = fresh.clips[take.position]
        assert take.name.startswith("Retake: rain; on a tin=roof (seed ")
        assert (take.start, take.frames, take.is_muted) == (0, len(clip), False)
        below = [one for one in regions if one.position == take.position and one not in takes]
        assert all(one.layer < take.layer for one in below)
        assert np.array_equal(take.samples(), -clip)
        assert all(path.is_relative_to(ardour.session) for path in take.files)
    media = ardour.session / "interchange/song/audiofiles/clip.wav"
    assert media.read_bytes() == fresh.media
    recipe = (ardour.session / "retake-takes.txt").read_text()
    assert "edit=transfer" in recipe
    assert "model=double" in recipe
    ardour.undo()
    ardour.wait_for_regions(3)
    ardour.redo()
    assert len(takes_among(ardour.wait_for_regions(4))) == 2


@needs_ardour
def test_a_job_is_watched_cheaply_and_cancelled_from_its_dialog(fresh: Session) -> None:
    ardour, desktop = fresh.ardour, fresh.desktop
    ardour.select_all()
    fresh.ask_for("slow")
    job = fresh.wait_for_state("running")
    ardour.longest_tick_s()
    time.sleep(3)
    longest_s = ardour.longest_tick_s()
    print(f"the longest of the hook's calls while a job ran: {1000 * longest_s:.2f} ms")
    assert longest_s < 0.02
    ardour.act("LuaAction/script-2")
    desktop.activate(desktop.wait_for("^Retake: jobs$"))
    desktop.key("space", "Tab", "space", "alt+o")
    wait_until(lambda: not fresh.pending.exists())
    assert fresh.status(job["job"])["state"] == "cancelled"
    assert len(ardour.regions()) == 2


@needs_ardour
def test_what_the_server_refuses_is_said(fresh: Session) -> None:
    fresh.ardour.select_all()
    fresh.ask_for("break")
    fresh.desktop.activate(fresh.desktop.wait_for("^Retake$"))
    for _ in range(2):  # two regions, two messages
        fresh.desktop.key("Return")
        time.sleep(0.5)
    fresh.desktop.wait_gone("^Retake$")
    assert not fresh.pending.exists()
    assert len(fresh.ardour.regions()) == 2


@needs_ardour
def test_a_take_finds_its_place_though_its_region_is_gone(fresh: Session) -> None:
    ardour = fresh.ardour
    with Client.connect(fresh.state) as client:
        rival = client.submit(edit="generate", prompt="slow")  # the others wait for it
        ardour.select_all()
        fresh.ask_for("late")
        fresh.wait_for_state("queued")
        ardour.act("Editor/editor-delete")
        ardour.wait_for_regions(0)
        client.cancel(rival)
    takes = ardour.wait_for_regions(2)
    assert sorted(take.position for take in takes) == [START, SECOND]
    assert all(take.name.startswith("Retake: late") for take in takes)


@needs_ardour
def test_a_take_plays_with_its_region_that_is_moved_and_trimmed_meanwhile(fresh: Session) -> None:
    ardour = fresh.ardour
    with Client.connect(fresh.state) as client:
        rival = client.submit(edit="generate", prompt="slow")  # the others wait for it
        ardour.select_all()
        fresh.ask_for("follow")
        fresh.wait_for_state("queued")
        ardour.act("LuaAction/script-4")
        moved = [(n, at + CUT + SHIFT, s + CUT, f - 3 * CUT) for n, at, s, f in fresh.first]
        wait_until(lambda: layout(ardour.regions()) == moved)
        client.cancel(rival)
    found = ardour.wait_for_regions(4)
    takes, below = takes_among(found), [one for one in found if one.name.startswith("clip")]
    assert layout(below) == moved
    for was_at, clip in fresh.clips.items():
        (take,) = [one for one in takes if one.position == was_at + SHIFT]
        (region,) = [one for one in below if one.position == take.position + CUT]
        assert np.array_equal(take.samples(), -clip)
        assert np.array_equal(take.samples()[CUT : CUT + region.frames], -region.samples())


@needs_ardour
def test_what_would_lie_before_the_sessions_start_is_cut(fresh: Session) -> None:
    """Trimmed at its front and moved to the start, a region plays from the middle of its take."""
    ardour = fresh.ardour
    with Client.connect(fresh.state) as client:
        rival = client.submit(edit="generate", prompt="slow")  # the others wait for it
        ardour.select_all()
        fresh.ask_for("early")
        fresh.wait_for_state("queued")
        ardour.act("LuaAction/script-5")
        moved = [(n, 0, s + CUT, f - CUT) for n, _, s, f in fresh.first]
        wait_until(lambda: layout(ardour.regions()) == moved)
        client.cancel(rival)
    takes = takes_among(ardour.wait_for_regions(4))
    assert [take.position for take in takes] == [0, 0]
    heard = {take.frames: take.samples() for take in takes}
    for clip in fresh.clips.values():
        assert np.array_equal(heard[len(clip) - CUT], -clip[CUT:])


@needs_ardour
def test_takes_that_cannot_be_laid_leave_no_half_step_behind(fresh: Session) -> None:
    """Of a single job: the step of a second one would close what the first left open."""
    ardour, desktop = fresh.ardour, fresh.desktop
    with Client.connect(fresh.state) as client:
        rival = client.submit(edit="generate", prompt="slow")
        ardour.select_all()
        fresh.ask_for(STUMBLE)
        wait_until(lambda: len(fresh.jobs()) == 2)
        client.cancel(fresh.jobs()[1]["job"])
        client.cancel(rival)
    desktop.activate(desktop.wait_for("^Retake$"))
    desktop.key("Return")
    desktop.wait_gone("^Retake$")
    wait_until(lambda: not fresh.pending.exists())
    assert layout(ardour.regions()) == fresh.first
    ardour.select_all()
    ardour.act("LuaAction/script-4")  # the user's next step, which must be one to undo
    wait_until(lambda: layout(ardour.regions()) != fresh.first)
    ardour.undo()
    wait_until(lambda: layout(ardour.regions()) == fresh.first)
    recipes = ardour.session / "retake-takes.txt"
    assert not recipes.exists() or f"Retake: {STUMBLE}" not in recipes.read_text()


@needs_ardour
def test_a_take_lands_soon_after_the_engine_is_done(fresh: Session) -> None:
    ardour, recipes = fresh.ardour, fresh.ardour.session / "retake-takes.txt"
    late_s = []
    for n in range(5):
        ardour.select_all()
        fresh.ask_for(f"quick {n}")
        fresh.wait_for_recipes(f"Retake: quick {n} ", 2)
        done = (fresh.state / "spool").glob("*.status")
        late_s.append(recipes.stat().st_mtime - max(path.stat().st_mtime for path in done))
        ardour.wait_for_regions(4)
        undo_all(fresh)
    print("a take laid after the engine was done, s:", [round(s, 3) for s in late_s])
    assert statistics.median(late_s) < 0.3


@needs_ardour
def test_a_killed_server_is_noticed_and_the_take_still_comes(fresh: Session) -> None:
    ardour, desktop = fresh.ardour, fresh.desktop
    fresh.stop()
    killed = subprocess.Popen([sys.executable, str(fresh.folder / "serve.py"), str(fresh.state)])
    try:
        wait_until(lambda: (fresh.state / "server.conf").exists())
        ardour.select_all()
        fresh.ask_for("slow")
        fresh.wait_for_state("running")
    finally:
        killed.kill()
        killed.wait(60)
    for _ in range(2):  # one message a job
        desktop.activate(desktop.wait_for("^Retake$"))
        desktop.key("Return")
        time.sleep(0.5)
    assert len(ardour.regions()) == 2  # Ardour goes on
    fresh.start()
    with Client.connect(fresh.state) as client:
        for _ in range(2):  # what is left of them takes too long here
            client.cancel(fresh.wait_for_state("running", "queued")["job"])
            time.sleep(0.5)
    wait_until(lambda: not fresh.pending.exists())
    ardour.select_all()
    fresh.ask_for("after all")
    assert len(takes_among(ardour.wait_for_regions(4))) == 2


@needs_ardour
def test_without_a_server_the_action_offers_to_start_one(fresh: Session) -> None:
    ardour, desktop, conf = fresh.ardour, fresh.desktop, fresh.state / "server.conf"
    fresh.stop()
    ardour.act("LuaAction/script-1")
    desktop.activate(desktop.wait_for("^Retake$"))
    desktop.key("alt+n")
    desktop.wait_gone("^Retake$")
    assert not fresh.pending.exists()
    assert not conf.exists()
    before = fresh.n_lists()
    ardour.act("LuaAction/script-1")
    desktop.activate(desktop.wait_for("^Retake$"))
    desktop.key("alt+y")
    try:
        wait_until(lambda: fresh.n_lists() > before)  # it asks the new server for its presets
        desktop.settle()
        desktop.activate(desktop.wait_for("^Retake$"))
        desktop.key("Escape")
        desktop.wait_gone("^Retake$")
    finally:
        number = int(conf.read_text().split("pid=")[1].split()[0])
        os.kill(number, signal.SIGKILL)
    wait_until(fresh.can_start)


# The dialog offers what was given last: those with other values than the first come late


@needs_ardour
def test_a_preset_takes_the_edits_place(fresh: Session) -> None:
    ardour = fresh.ardour
    ardour.select_all()
    into_spaces = ("Down", "Down", "Right", "Down")  # none, restoration, spaces: canyon, cathedral
    fresh.ask_for("", at_dialog=lambda window: fresh.choose(window, PRESET_Y, *into_spaces))
    takes = takes_among(ardour.wait_for_regions(4))
    assert all(take.name.startswith("Retake: cathedral (seed ") for take in takes)
    recipe = (ardour.session / "retake-takes.txt").read_text().splitlines()[-1]
    assert "preset=cathedral" in recipe
    assert "edit=" not in recipe


@needs_ardour
def test_inpaint_fills_the_range_that_was_drawn(fresh: Session) -> None:
    ardour, desktop = fresh.ardour, fresh.desktop
    desktop.activate(desktop.wait_for("song - Ardour$"))
    desktop.key("r")
    desktop.drag((RANGE_X[0], TRACK_Y), (RANGE_X[1], TRACK_Y))
    fresh.ask_for("", at_dialog=lambda window: fresh.choose(window, EDIT_Y, "Up", "Up", "Up"))
    takes = takes_among(ardour.wait_for_regions(3))
    desktop.key("g")
    recipe = (ardour.session / "retake-takes.txt").read_text().splitlines()[-1]
    hole = re.search(r"\thole=(\d+):(\d+)\t", recipe)
    assert hole
    assert 0 < int(hole[1]) < int(hole[1]) + int(hole[2]) < FRAMES
    assert "edit=inpaint" in recipe
    assert [take.position for take in takes] == [START]


@needs_ardour
def test_a_longer_take_leaves_the_next_region_heard(fresh: Session) -> None:
    """Five seconds more, with two and a half to the next region: the rest can be pulled out."""
    ardour = fresh.ardour
    ardour.select_all()
    fresh.ask_for("", at_dialog=lambda window: fresh.choose(window, EDIT_Y, "Up", "Up"))
    takes = {take.position: take for take in takes_among(ardour.wait_for_regions(4))}
    assert takes[START].frames == SECOND - START
    assert takes[SECOND].frames == PAST - FROM + 5 * RATE
    for position, clip in fresh.clips.items():
        samples = takes[position].samples()
        assert np.array_equal(samples[: len(clip)], -clip)
        assert (samples[len(clip) :] == NEW_LEVEL).all()
        (held,) = {len(read(path, context_s=0.0).samples) for path in takes[position].files}
        assert held == len(clip) + 5 * RATE


@needs_ardour
def test_of_several_takes_the_best_is_heard_and_all_are_one_step(fresh: Session) -> None:
    ardour = fresh.ardour
    ardour.select_all()
    fresh.ask_for("wind", at_dialog=lambda window: ask_for_three(fresh, window))
    takes = takes_among(ardour.wait_for_regions(2 + 2 * 3))
    for position, clip in fresh.clips.items():
        here = [take for take in takes if take.position == position]
        assert [take.is_muted for take in here] == [True, True, False]
        for take, divisor in zip(here, (3, 2, 1), strict=True):
            assert np.array_equal(take.samples(), -clip / np.float32(divisor))
    ardour.undo()
    ardour.wait_for_regions(2 + 3)  # those of the other region stay


def ask_for_three(session: Session, window: str) -> None:
    session.desktop.key("Tab", "Tab", "Tab", "3")  # but not, strength, takes
    session.choose(window, EDIT_Y, *["Down"] * 5)  # from continue to transfer


# The session opened again: last, for it is closed in between


@needs_ardour
def test_the_session_opens_again_as_it_was_with_a_window_and_without(session: Session) -> None:
    ardour = session.ardour
    ardour.select_all()
    session.ask_for("kept")
    before = ardour.wait_for_regions(2 + 2 * 3)
    ardour.stop()
    ardour.start()
    assert [unselected(region) for region in ardour.regions()] == list(map(unselected, before))
    ardour.stop()
    heard = ardour.bounce(0, START + 3 * FRAMES + 100)
    wanted = np.zeros_like(heard)
    for position, clip in session.clips.items():
        wanted[position : position + len(clip)] = -clip
    assert np.array_equal(heard, wanted)


def unselected(region: Lies) -> Lies:
    return dataclasses.replace(region, is_selected=False)


@needs_ardour
def test_what_was_asked_for_without_a_window_lands_when_one_opens(session: Session) -> None:
    ardour = session.ardour
    ardour.stop(is_saved=False)
    job = ardour.edit_without_window("clip.2", "far away")
    wait_until(lambda: session.status(job)["state"] == "done")
    sources = (session.state / "spool").glob("*-source.0.wav")
    newest = max(sources, key=lambda path: path.stat().st_mtime_ns)
    assert np.array_equal(read(newest, context_s=0.0).samples, session.clips[SECOND])
    ardour.start()
    found = ardour.wait_for_regions(2 + 2 * 3 + 1)
    (take,) = [one for one in takes_among(found) if "far away" in one.name]
    assert (take.position, take.is_muted) == (SECOND, False)
    assert np.array_equal(take.samples(), -session.clips[SECOND])


@needs_ardour
def test_what_a_preset_adds_before_a_region_lies_before_it(session: Session) -> None:
    ardour = session.ardour
    ardour.stop(is_saved=False)
    job = ardour.edit_without_window("clip.2", "far before", preset="lead-in")
    wait_until(lambda: session.status(job)["state"] == "done")
    ardour.start()
    session.wait_for_recipes("Retake: far before ", 1)
    (take,) = [one for one in takes_among(ardour.regions()) if "far before" in one.name]
    added = 2 * RATE
    assert (take.position, take.start) == (SECOND - added, 0)
    assert np.array_equal(take.samples()[added:], -session.clips[SECOND])
    assert (take.samples()[:added] == NEW_LEVEL).all()
