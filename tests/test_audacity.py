"""The bridge in a real Audacity on a screen nobody sees: menus, dialogs, script pipe, undo."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audacity_host import Audacity
from conftest import FAILED
from continuing_double import COMMAND as CONTINUING
from continuing_double import NEW_LEVEL
from desktop import Desktop, missing
from running import DEADLINE_S, Running, wait_until
from servers import real_server

from daw_bridge.audacity import EDIT_OF, batch, files
from daw_bridge.audacity.pipe import AudacityError
from daw_bridge.wire import ServerNotRunning
from engine.errors import RequestError
from engine.highs import check_cutoff
from engine.region import Region, read, write

needs_audacity = pytest.mark.skipif(
    bool(missing("audacity")), reason=f"not installed: {missing('audacity')}"
)
PRESETS = [
    {"name": "cathedral", "edit": "transfer"},
    {"name": "no-longer-there", "edit": "transfer"},
    {"name": "radio", "edit": "bandwidth"},
]

#: As installed from a folder with a space in its name.
COMMAND = '"/home/me/my programs/retake/.venv/bin/retake" serve'
#: Takes, seed, and then how long it waits at most; a slider follows the strength and the takes.
WAIT_FROM_STRENGTH = 5
DEMO = Path(__file__).parent.parent / "docs" / "demo" / "footsteps.flac"
SERVE = f"""
import sys, threading
from pathlib import Path
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parent.parent)!r}]
from running import Running
Running(Path(sys.argv[1]))
threading.Event().wait()
"""


class Session:
    """An Audacity and the server it talks to, which may be stopped and started."""

    def __init__(self, desktop: Desktop, folder: Path) -> None:
        self.desktop, self.folder = desktop, folder
        self.state = folder / "state"
        self.server: Running | None = None
        self.start()
        home = folder / "home"
        home.mkdir()
        self.audacity = Audacity(desktop, home, self.state, PRESETS, COMMAND)

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    def start(self) -> None:
        if self.server is None:
            command = [*CONTINUING, str(self.folder / "steps.log")]
            self.server = Running(self.state, command=command)

    def stop(self) -> None:
        if self.server:
            self.server.stop()
            self.server = None

    def close(self) -> None:
        self.audacity.close()
        self.stop()

    def newest_job(self) -> str:
        """Empty while there is none, and while Nyquist writes its list, which it does in place."""
        path = self.state / "audacity.jobs"
        return path.read_text().split("\t")[0] if path.exists() else ""

    def wait_for_job(self, before: str, *states: str, timeout_s: float = DEADLINE_S) -> str:
        """The job that came after another, once it stands so."""
        job = ""

        def is_another() -> bool:
            nonlocal job
            job = self.newest_job()
            return job not in ("", before)

        wait_until(is_another)
        wait_until(lambda: (self.spool / f"{job}.status").exists())
        wait_until(lambda: self.status(job)["state"] in states, timeout_s=timeout_s)
        return job

    def asked(self, job: str) -> dict[str, Any]:
        """What the server understood the job to be."""
        with contextlib.closing(sqlite3.connect(self.state / "jobs.sqlite")) as jobs:
            query = "SELECT submission FROM job WHERE name = ?"
            (text,) = jobs.execute(query, (job,)).fetchone()
        return dict(json.loads(text)["values"])

    def status(self, job: str) -> dict[str, str]:
        lines = (self.spool / f"{job}.status").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Session]]:
    """The one that runs, if any does."""
    with Desktop() as desktop:
        running: list[Session] = []
        running.append(Session(desktop, tmp_path_factory.mktemp("audacity")))
        yield running
        for one in running:
            one.close()


@pytest.fixture
def session(
    sessions: list[Session],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Session]:
    """The same for all tests, as long as they pass: what failed may leave a dialog open."""
    yield sessions[0]
    if request.node.stash.get(FAILED, True):
        old = sessions.pop()
        old.close()
        sessions.append(Session(old.desktop, tmp_path_factory.mktemp("audacity")))


def make_clip(folder: Path, rate: int, channels: int, length_s: float = 3.0) -> np.ndarray:
    """Noise, softer and louder, every channel another."""
    generator = np.random.default_rng(rate + channels)
    samples = generator.standard_normal((int(rate * length_s), channels)) * 0.1
    samples *= np.linspace(0.2, 1.0, len(samples))[:, None]
    clip = samples.astype(np.float32)
    write(folder / "clip.wav", clip, rate)
    return clip


# What is installed


def test_every_plug_in_stands_alone() -> None:
    made = files(PRESETS)
    assert set(made) == set(EDIT_OF)
    for name, text in made.items():
        assert "@" not in text, name
        plain = re.sub(r'"(\\.|[^"\\])*"', "", text)
        plain = re.sub(r";.*", "", plain)
        assert plain.count("(") == plain.count(")"), name
        assert max(map(len, text.splitlines())) < 4000


def test_dialogs_list_the_presets_of_their_edit_and_no_others() -> None:
    made = files(PRESETS)
    choices = re.search(r"choice \((.*)\) 0", made["retake-transfer.ny"])
    assert choices
    assert choices[1] == (
        '("none" "none") ("cathedral" "cathedral") ("no-longer-there" "no-longer-there")'
    )
    assert (
        '(setf retake-presets (list "cathedral" "no-longer-there"))' in made["retake-transfer.ny"]
    )
    assert '(setf retake-presets (list "radio"))' in made["retake-restore-highs.ny"]
    assert 'choice (("none" "none")) 0' in files()["retake-transfer.ny"]


def test_a_name_with_quotes_stays_one_text() -> None:
    presets = [{"name": 'a "b" \\c', "edit": "transfer"}]
    text = files(presets, command=r'"C:\my programs\retake" serve')["retake-transfer.ny"]
    assert r'(list "a \"b\" \\c")' in text
    assert r'(setf retake-serve-command "\"C:\\my programs\\retake\" serve")' in text


def test_a_cutoff_that_can_be_typed_is_one_the_engine_takes() -> None:
    """Up to the highest there is for a checkpoint at 16 kHz, as all of AudioLDM's."""
    control = re.search(r"^;control cutoff .* 0 (\d+)$", files()["retake-restore-highs.ny"], re.M)
    assert control
    region = Region(np.zeros((44100, 1), np.float32), 44100)
    check_cutoff(region, float(control[1]), 16000)
    with pytest.raises(RequestError):
        check_cutoff(region, float(control[1]) + 1, 16000)


# In Audacity


@needs_audacity
@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_region_gets_the_servers_take_and_one_undo_brings_it_back(
    session: Session, tmp_path: Path, rate: int, channels: int
) -> None:
    clip = make_clip(tmp_path, rate, channels)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", rate)
    start, frames = rate // 3 + 7, rate + 1001
    region = batch.Region(0, start / rate, (start + frames) / rate)
    keys = {"edit": "transfer", "prompt": 'rain; on a "tin" roof', "takes": 2, "seed": 5}
    job = batch.edit(audacity.pipe, region, keys, state_dir=session.state, wait_s=60)

    take = read(session.spool / f"{job}.1.wav", context_s=0.0)
    assert take.rate == rate
    assert np.array_equal(take.samples, -clip[start : start + frames])
    wanted = clip.copy()
    wanted[start : start + frames] = take.samples
    assert np.array_equal(audacity.samples(len(clip), rate, channels, tmp_path), wanted)
    audacity.do("Undo:")
    assert np.array_equal(audacity.samples(len(clip), rate, channels, tmp_path), clip)


@needs_audacity
def test_a_text_in_any_script_reaches_the_job_unharmed(session: Session, tmp_path: Path) -> None:
    make_clip(tmp_path, 44100, 1)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", 44100)
    text = "Türknarren, größer — 雨 \N{TIGER}"
    keys = {"edit": "transfer", "prompt": text, "negative": "Straßenlärm"}
    job = batch.edit(audacity.pipe, batch.Region(0, 1.0, 1.5), keys, None, 60, session.state)
    assert session.asked(job)["prompt"] == text
    assert session.asked(job)["negative"] == "Straßenlärm"
    recipe = (session.state / "audacity.jobs").read_text(encoding="utf-8").splitlines()[0]
    assert f"prompt={text}" in recipe.split("\t")


@needs_audacity
def test_labels_mark_what_they_did_though_takes_before_them_are_longer(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = 44100
    clip = make_clip(tmp_path, rate, 1)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", rate)
    for start_s, end_s in ((0.5, 1.0), (1.5, 2.25)):
        audacity.select(round(start_s * rate), round((end_s - start_s) * rate), rate)
        audacity.do("AddLabel:")
    # It holds one conversation at a time.
    talking = contextlib.nullcontext(audacity.pipe)
    monkeypatch.setattr(batch.ScriptPipe, "connect", lambda: talking)
    monkeypatch.setenv("RETAKE_STATE_DIR", str(session.state))
    assert batch.main(["--edit", "continue", "--key", "seconds=0.25", "--labels"]) == 0
    new = np.full((rate // 4, 1), NEW_LEVEL, np.float32)
    cuts = [round(cut_s * rate) for cut_s in (0.5, 1.0, 1.75)]
    first, gap, second, rest = np.split(clip[rate // 2 :], cuts)
    wanted = np.concatenate([clip[: rate // 2], -first, new, gap, -second, new, rest])
    assert np.array_equal(audacity.samples(len(wanted), rate, 1, tmp_path), wanted)


@needs_audacity
def test_from_the_real_menu_through_the_dialog(session: Session, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 44100, 2)
    audacity, desktop = session.audacity, session.desktop
    audacity.open(tmp_path / "clip.wav", 44100)
    audacity.select(30000, 50001, 44100)
    before = session.newest_job()
    audacity.choose("Retake Transfer")
    audacity.fill(1, "rain, on a roof")
    desktop.key("Return")
    job = session.wait_for_job(before, "done")
    desktop.wait_gone("^Retake Transfer$")
    recipe = (session.state / "audacity.jobs").read_text().splitlines()[0].split("\t")
    assert "prompt=rain, on a roof" in recipe
    assert "preset=cathedral" in recipe
    assert recipe[1] == "50001 44100 2"
    wanted = clip.copy()
    wanted[30000:80001] = read(session.spool / f"{job}.1.wav", context_s=0.0).samples
    assert np.array_equal(audacity.samples(len(clip), 44100, 2, tmp_path), wanted)
    audacity.do("Undo:")
    assert np.array_equal(audacity.samples(len(clip), 44100, 2, tmp_path), clip)


@needs_audacity
def test_what_the_server_refuses_is_said_and_the_audio_stays(
    session: Session, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path, 48000, 1)
    audacity, desktop = session.audacity, session.desktop
    audacity.open(tmp_path / "clip.wav", 48000)
    audacity.select(30000, 50001, 48000)
    before = session.newest_job()
    audacity.choose("Retake Transfer")
    audacity.fill(2, "x")  # a preset that this server doesn't know
    desktop.key("Return")
    job = session.wait_for_job(before, "refused")
    audacity.answer_message("Retake Transfer")
    assert session.status(job)["code"] == "unknown-preset"
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)
    region = batch.Region(0, 0.5, 1.5)
    with pytest.raises(AudacityError, match=r"strength is 7.*\(bad-value\)"):
        batch.edit(
            audacity.pipe, region, {"edit": "transfer", "strength": 7}, None, 60, session.state
        )


@needs_audacity
def test_other_takes_and_the_original_are_put_in_place(session: Session, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 44100, 2)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", 44100)
    region = batch.Region(0, 1.0, 2.0)
    job = batch.edit(audacity.pipe, region, {"edit": "vary", "takes": 3}, None, 60, session.state)
    for index in (3, 2, 0):
        audacity.select(44100, 44100, 44100)
        audacity.do(f'RetakeTakes: action="Put a take in place" index="{index}"')
        wanted = clip.copy()
        if index:
            wanted[44100:88200] = read(session.spool / f"{job}.{index}.wav", context_s=0.0).samples
        assert np.array_equal(audacity.samples(len(clip), 44100, 2, tmp_path), wanted)


@needs_audacity
def test_a_job_that_takes_too_long_goes_on_and_is_cancelled_from_the_menu(
    session: Session, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path, 48000, 1)
    audacity, desktop = session.audacity, session.desktop
    audacity.open(tmp_path / "clip.wav", 48000)
    region, slow = batch.Region(0, 0.5, 1.5), {"edit": "transfer", "prompt": "slow"}
    with pytest.raises(AudacityError, match=r"no take within 2 s \(\d+ % done.*The job goes on"):
        batch.edit(audacity.pipe, region, slow, None, 2, session.state)
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)
    job = session.newest_job()
    assert session.status(job)["state"] == "running"

    audacity.select(24000, 48000, 48000)
    audacity.choose("Retake Takes")
    audacity.tab_to(0, buttons=4)
    desktop.key("Down", "Down", "Tab", "Return")  # Cancel the job
    wait_until(lambda: session.status(job)["state"] == "cancelled")
    audacity.answer_message("Retake Takes")
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)


@needs_audacity
def test_a_job_cancelled_elsewhere_ends_the_effect(session: Session, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 48000, 1)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", 48000)
    region, slow = batch.Region(0, 0.5, 1.5), {"edit": "transfer", "prompt": "slow"}
    heard: list[float] = []

    def stop(status: Mapping[str, str]) -> None:
        heard.append(float(status["fraction"]))
        if status["state"] == "running" and heard[-1] > 0:
            batch.cancel(session.spool, status["job"])

    with pytest.raises(AudacityError, match=r"was cancelled\. The audio is as it was"):
        batch.edit(audacity.pipe, region, slow, stop, 60, session.state)
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)

    def interrupt(status: Mapping[str, str]) -> None:
        if status["state"] == "running":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.edit(audacity.pipe, region, slow, interrupt, 60, session.state)
    assert session.status(session.newest_job())["state"] == "cancelled"
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)


@needs_audacity
def test_generate_inserts_a_new_clip(session: Session, tmp_path: Path) -> None:
    make_clip(tmp_path, 48000, 1)
    audacity, desktop = session.audacity, session.desktop
    audacity.open(tmp_path / "clip.wav", 48000)
    audacity.select(0, 0, 48000)
    before = session.newest_job()
    audacity.choose("Retake Generate")
    audacity.fill(0, "a bell")
    desktop.key("Return")
    session.wait_for_job(before, "done")
    desktop.wait_gone("^Retake Generate$")
    recipe = (session.state / "audacity.jobs").read_text().splitlines()[0].split("\t")
    assert {"rate=48000", "channels=1", "prompt=a bell", "edit=generate"} <= set(recipe)
    # The double's take has 480 frames.
    wait_until(lambda: audacity.pipe.info("Tracks")[0]["end"] == pytest.approx(3.01))
    assert len(audacity.pipe.info("Tracks")) == 1


@needs_audacity
def test_inpaint_keeps_what_it_is_told_to_keep(session: Session, tmp_path: Path) -> None:
    make_clip(tmp_path, 48000, 1)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", 48000)
    audacity.select(24000, 96000, 48000)
    audacity.do('RetakeInpaint: before="0.5" after="0.25" low="1000"')
    recipe = (session.state / "audacity.jobs").read_text().splitlines()[0].split("\t")
    assert "hole=24000:60000:1000:" in recipe
    assert "edit=inpaint" in recipe


@needs_audacity
def test_clips_beside_the_region_stay_apart(session: Session, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 48000, 1)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", 48000)
    audacity.select(48000, 48000, 48000)
    audacity.do("Split:")
    clips = audacity.pipe.info("Clips")
    assert len(clips) == 3
    batch.edit(audacity.pipe, batch.Region(0, 1.0, 2.0), {"edit": "vary"}, None, 60, session.state)
    assert audacity.pipe.info("Clips") == clips
    wanted = clip.copy()
    wanted[48000:96000] *= -1
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), wanted)


@needs_audacity
def test_a_take_is_there_soon_after_the_engine_is_done(session: Session, tmp_path: Path) -> None:
    make_clip(tmp_path, 44100, 2)
    audacity = session.audacity
    audacity.open(tmp_path / "clip.wav", 44100)
    late_s = []
    for seed in range(5):
        audacity.select(44100, 44100, 44100)
        audacity.do(f'RetakeOtherEdit: keys="edit=vary; seed={seed}"')
        done_s = (session.spool / f"{session.newest_job()}.status").stat().st_mtime
        late_s.append(time.time() - done_s)
    print("take in place after the engine was done, s:", [round(s, 3) for s in late_s])
    assert statistics.median(late_s) < 0.3


# With the embedded checkpoint, and pictures of it for docs/hosts/audacity.md


@needs_audacity
@pytest.mark.slow
def test_pocket_makes_a_take_from_the_menu_with_pictures(session: Session, tmp_path: Path) -> None:
    steps = read(DEMO, context_s=0.0)
    write(tmp_path / "clip.wav", steps.samples, steps.rate)
    audacity, desktop = session.audacity, session.desktop
    audacity.open(tmp_path / "clip.wav", steps.rate)
    session.stop()
    with real_server(session.state):
        audacity.select(44100, 88200, steps.rate)
        audacity.do("FitInWindow:")
        desktop.keep("audacity-before.png", audacity.portrait(), tmp_path)
        before = session.newest_job()
        audacity.choose("Retake Transfer", lambda: keep_menu(session, tmp_path))
        audacity.fill(0, "rain on a tin roof")
        desktop.key("Tab", "Tab")  # over what it should not be, to the strength
        desktop.type("0.8")
        desktop.keep("audacity-dialog.png", audacity.portrait(), tmp_path)
        desktop.key(*["Tab"] * WAIT_FROM_STRENGTH)
        desktop.type("900")  # for a machine that is busy
        desktop.key("Return")
        job = session.wait_for_job(before, "done", timeout_s=900)
        desktop.wait_gone("^Retake Transfer$")
        desktop.keep("audacity-after.png", audacity.portrait(), tmp_path)
        take = read(session.spool / f"{job}.1.wav", context_s=0.0).samples
    session.start()
    assert np.abs(take - steps.samples[44100:132300]).max() > 0.01
    wanted = steps.samples.copy()
    wanted[44100:132300] = take
    assert np.array_equal(audacity.samples(len(wanted), steps.rate, 1, tmp_path), wanted)
    audacity.do("Undo:")
    exported = audacity.samples(len(wanted), steps.rate, 1, tmp_path)
    assert np.array_equal(exported, steps.samples)


def keep_menu(session: Session, folder: Path) -> None:
    session.desktop.keep("audacity-menu.png", session.audacity.portrait(), folder)


# Without a server: last, for it is stopped here


@needs_audacity
def test_a_stopped_server_is_said_and_the_audio_stays(session: Session, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 48000, 1)
    audacity, report = session.audacity, tmp_path / "report"
    audacity.open(tmp_path / "clip.wav", 48000)
    session.stop()
    try:
        audacity.select(30000, 50001, 48000)
        audacity.choose("Retake Restore Highs")
        audacity.tab_to(1)
        session.desktop.key("Return")
        audacity.answer_message(
            "Retake Restore Highs",
            lambda: session.desktop.keep("audacity-message.png", audacity.portrait(), tmp_path),
        )
        tell(audacity, f'RetakeOtherEdit: report="{report}"')
        assert f"no server is running. Start it with: {COMMAND}" in report.read_text()
        with pytest.raises(ServerNotRunning, match="retake serve"):
            batch.edit(audacity.pipe, batch.Region(0, 1.0, 2.0), {}, None, 60, session.state)
        assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)
    finally:
        session.start()


def tell(audacity: Audacity, command: str) -> None:
    """A command that may fail: Audacity says no more than that."""
    with contextlib.suppress(AudacityError):
        audacity.do(command)


@needs_audacity
def test_a_killed_server_is_noticed_and_audacity_goes_on(session: Session, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, 48000, 1)
    audacity, report = session.audacity, tmp_path / "report"
    audacity.open(tmp_path / "clip.wav", 48000)
    session.stop()
    killed = subprocess.Popen([sys.executable, "-c", SERVE, str(session.state)])
    try:
        wait_until(lambda: (session.state / "server.conf").exists())
        audacity.select(30000, 50001, 48000)
        before = session.newest_job()
        audacity.pipe.send(f'RetakeOtherEdit: text="slow" keys="edit=vary" report="{report}"')
        session.wait_for_job(before, "running")
    finally:
        killed.kill()
        killed.wait(60)
    with contextlib.suppress(AudacityError):
        audacity.pipe.answer(DEADLINE_S)
    assert "the server is gone" in report.read_text()
    assert f"Start it with: {COMMAND}" in report.read_text()
    assert np.array_equal(audacity.samples(len(clip), 48000, 1, tmp_path), clip)
    session.start()
    batch.cancel(session.spool, session.newest_job())  # it has been taken up again
    job = batch.edit(
        audacity.pipe, batch.Region(0, 1.0, 2.0), {"edit": "vary"}, None, 60, session.state
    )
    assert session.status(job)["state"] == "done"
