"""A watched folder: what becomes of its files, whatever they are called and whatever fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from running import DEADLINE_S, wait_until

from engine.region import read, write
from presets import Shelf
from server import cli
from server.preset_watch import DONE, ERRORS, FolderWatch

if TYPE_CHECKING:
    from engine.engine import Engine

ROOT = Path(__file__).parents[1]
RATE = 16000
#: Letters that end a line for somebody: a line feed, a next line, a line separator.
ENDINGS = ("\n", "\x85", "\u2028")


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own presets: none of the person's who runs the tests."""
    monkeypatch.setenv("RETAKE_PRESETS", str(tmp_path / "presets"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    noise = np.random.default_rng(3).standard_normal((RATE // 2, 2)).astype(np.float32) * 0.1
    write(path, noise, RATE)
    return path


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def named(folder: Path, name: bytes | str, data: bytes) -> Path:
    """A file of that name; the test is skipped where the file system has no such names."""
    path = folder / os.fsdecode(name)
    try:
        path.write_bytes(data)
    except OSError as error:
        pytest.skip(f"no file can be called {name!r} here: {error}")
    return path


class TestWatch:
    @pytest.fixture
    def watch(self, tmp_path: Path, tiny: Engine) -> FolderWatch:
        for name in ("in", "out"):
            (tmp_path / name).mkdir()
        preset = Shelf().get("telephone")
        quick = {**preset.parameters, "steps": 1}
        object.__setattr__(preset, "parameters", quick)
        return FolderWatch(tmp_path / "in", tmp_path / "out", preset, tiny)

    def _looks(self, watch: FolderWatch, n_looks: int = 4) -> list[str]:
        return [line for _ in range(n_looks) for line in watch.look()]

    def test_a_file_that_stands_still_is_taken_up_once(
        self, watch: FolderWatch, file: Path
    ) -> None:
        file.rename(watch.inbox / "door.wav")
        assert list(watch.look()) == []
        assert watch.is_waiting
        assert self._looks(watch) == ["door.wav: door.telephone.wav"]
        assert not watch.is_waiting
        made = read(watch.outbox / "door.telephone.wav")
        assert (made.n_frames, made.n_channels) == (RATE // 2, 2)
        assert sorted(p.name for p in watch.outbox.iterdir()) == ["door.telephone.wav", DONE]

    def test_a_file_in_the_making_is_waited_for(self, watch: FolderWatch, file: Path) -> None:
        data, path = file.read_bytes(), watch.inbox / "door.wav"
        for part in (1000, 3000, len(data) // 2):
            path.write_bytes(data[:part])
            assert self._looks(watch, 2) == []
        path.write_bytes(data)
        assert self._looks(watch) == ["door.wav: door.telephone.wav"]
        assert read(watch.outbox / "door.telephone.wav").n_frames == RATE // 2

    def test_nothing_is_written_over(self, watch: FolderWatch, file: Path) -> None:
        taken = watch.outbox / "door.telephone.wav"
        taken.write_text("precious")
        path = file.rename(watch.inbox / "door.wav")
        assert self._looks(watch) == ["door.wav: door.telephone.2.wav"]
        assert taken.read_text() == "precious"
        write(path, 0.5 * read(path).samples[: RATE // 4], RATE, overwrite=True)
        assert self._looks(watch) == ["door.wav: door.telephone.3.wav"]

    def test_what_fails_is_written_down_and_tried_again_when_it_changes(
        self, watch: FolderWatch, file: Path
    ) -> None:
        path = watch.inbox / "text.wav"
        path.write_text("this is no audio")
        good = file.rename(watch.inbox / "z.wav")
        lines = self._looks(watch)
        assert lines[0].startswith("text.wav: failed: ")
        assert lines[1] == "z.wav: z.telephone.wav"
        assert len(lines) == 2
        errors = (watch.outbox / ERRORS).read_text().splitlines()
        assert len(errors) == 1
        assert "text.wav: " in errors[0]
        path.write_bytes(good.read_bytes())
        assert self._looks(watch) == ["text.wav: text.telephone.wav"]

    def test_a_watch_begun_again_knows_what_is_done(self, watch: FolderWatch, file: Path) -> None:
        file.rename(watch.inbox / "door.wav")
        assert len(self._looks(watch)) == 1
        again = FolderWatch(watch.inbox, watch.outbox, watch.preset, watch.engine)
        assert self._looks(again) == []
        other = FolderWatch(watch.inbox, watch.outbox, Shelf().get("far-away"), watch.engine)
        assert len(self._looks(other)) == 1
        worded = FolderWatch(watch.inbox, watch.outbox, watch.preset, watch.engine, "a dog")
        assert len(self._looks(worded)) == 1
        assert (watch.outbox / "door.telephone.2.wav").is_file()

    def test_a_name_that_is_not_utf_8(self, watch: FolderWatch, file: Path) -> None:
        data = file.read_bytes()
        named(watch.inbox, b"t\xfcr.wav", data)
        (watch.inbox / "z.wav").write_bytes(data)
        failed, done = self._looks(watch)  # libsndfile opens no such file
        assert failed.startswith("t\\udcfcr.wav: failed: ")
        assert done == "z.wav: z.telephone.wav"
        assert "t\\udcfcr.wav: " in (watch.outbox / ERRORS).read_text("utf-8")

    def test_a_name_that_is_not_utf_8_and_is_done(
        self, watch: FolderWatch, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        named(watch.inbox, b"t\xfcr.wav", file.read_bytes())
        monkeypatch.setattr("server.preset_watch.read", lambda *_, **__: read(file, context_s=0.0))
        assert self._looks(watch) == ["t\\udcfcr.wav: t\\udcfcr.telephone.wav"]
        again = FolderWatch(watch.inbox, watch.outbox, watch.preset, watch.engine)
        assert self._looks(again) == []

    @pytest.mark.parametrize("ending", ENDINGS, ids=ascii)
    def test_a_name_with_an_end_of_line(self, watch: FolderWatch, file: Path, ending: str) -> None:
        named(watch.inbox, f"a{ending}b.wav", file.read_bytes())
        (line,) = self._looks(watch)
        assert len(line.splitlines()) == 1
        assert len((watch.outbox / DONE).read_text("utf-8").splitlines()) == 1
        again = FolderWatch(watch.inbox, watch.outbox, watch.preset, watch.engine)
        assert self._looks(again) == []

    def test_whatever_goes_wrong_with_a_file_is_that_files(
        self, watch: FolderWatch, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = file.read_bytes()
        for name in ("a.wav", "b.wav"):
            (watch.inbox / name).write_bytes(data)
        whole = watch._render

        def breaks(path: Path) -> list[Path]:
            if path.name == "a.wav":
                raise ZeroDivisionError("by design")
            return whole(path)

        monkeypatch.setattr(watch, "_render", breaks)
        assert self._looks(watch) == [
            "a.wav: failed: ZeroDivisionError: by design",
            "b.wav: b.telephone.wav",
        ]
        assert "a.wav: ZeroDivisionError: by design" in (watch.outbox / ERRORS).read_text()

    def test_a_folder_that_goes_away_is_waited_for(self, watch: FolderWatch, file: Path) -> None:
        (watch.inbox / "bad.wav").write_text("this is no audio")
        file.rename(watch.inbox / "door.wav")
        assert len(self._looks(watch)) == 2
        away = watch.inbox.rename(watch.inbox.with_name("away"))
        assert self._looks(watch) == [f"{watch.inbox} can't be reached; waiting until it is back"]
        away.rename(watch.inbox)
        back, again = self._looks(watch)
        assert back == f"{watch.inbox} is back"
        assert again.startswith("bad.wav: failed: ")

    def test_a_place_for_takes_that_goes_away_ends_no_watch(
        self, watch: FolderWatch, file: Path
    ) -> None:
        file.rename(watch.inbox / "door.wav")
        watch.outbox.rmdir()
        (line,) = self._looks(watch)
        assert line.startswith("door.wav: failed: ")

    def test_what_is_no_audio_is_passed_over(self, watch: FolderWatch, file: Path) -> None:
        for name in (".hidden.wav", "~part.wav", "notes.txt", "door.wav.part"):
            (watch.inbox / name).write_bytes(file.read_bytes())
        (watch.inbox / "folder.wav").mkdir()
        (watch.inbox / "empty.wav").touch()
        assert self._looks(watch) == []
        assert not watch.is_waiting

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (["./nowhere", "--preset", "telephone", "-o", "o"], "is no folder"),
            (["./", "-o", "o"], "watch FOLDER --preset NAME [-o OUT]"),
            (["./"], "watch FOLDER --preset NAME [-o OUT]"),
            (["inbox"], "watch FOLDER --preset NAME [-o OUT]"),
            (["--preset", "telephone", "-o", "o"], "watch FOLDER --preset NAME [-o OUT]"),
            ([".", "--preset", "telephone", "-o", "."], "can't go into the folder"),
            ([".", "--preset", "sound-effect", "-o", "o"], "takes no files"),
            ([".", "--preset", "nothing", "-o", "o"], "no preset is called"),
        ],
    )
    def test_mistakes(
        self,
        arguments: list[str],
        word: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: Any,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "inbox").mkdir()
        assert run("watch", *arguments) == 2
        assert word in capsys.readouterr().err

    @pytest.mark.parametrize("there", ["inbox", "inbox/", "inbox/within/.."])
    def test_takes_go_beside_the_folder_where_nothing_else_is_said(
        self, there: str, file: Path, tmp_path: Path, tiny_folder: Path, monkeypatch: Any
    ) -> None:
        (tmp_path / "inbox" / "within").mkdir(parents=True)
        file.rename(tmp_path / "inbox" / "door.wav")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("server.preset_watch.LOOK_EVERY_S", 0.0)
        options = ("--once", "--model", tiny_folder, "--device", "cpu")
        assert run("watch", there, "--preset", "far-away", *options) == 0
        assert (tmp_path / "inbox - takes" / "door.far-away.wav").is_file()

    @pytest.mark.parametrize(
        ("good", "bad", "status", "said"),
        [(1, 0, 0, ""), (1, 1, 1, "1 of 2 files failed"), (0, 2, 1, "2 of 2 files failed")],
    )
    def test_once_ends_as_its_files_did(
        self,
        good: int,
        bad: int,
        status: int,
        said: str,
        file: Path,
        tmp_path: Path,
        tiny_folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        inbox, outbox = tmp_path / "in", tmp_path / "out"
        inbox.mkdir()
        for index in range(good):
            (inbox / f"good{index}.wav").write_bytes(file.read_bytes())
        for index in range(bad):
            (inbox / f"bad{index}.wav").write_text("this is no audio")
        monkeypatch.setattr("server.preset_watch.LOOK_EVERY_S", 0.0)
        options = ("--once", "--model", tiny_folder, "--device", "cpu", "-o", outbox)
        assert run("watch", inbox, "--preset", "far-away", *options) == status
        stderr = capsys.readouterr().err
        assert stderr == (f"retake: {said}; {outbox / ERRORS} says why\n" if said else "")

    @pytest.mark.slow
    def test_the_command(self, file: Path, tmp_path: Path, tiny_folder: Path) -> None:
        inbox, outbox = tmp_path / "in", tmp_path / "out"
        inbox.mkdir()
        command = [sys.executable, "-m", "server.cli", "watch", inbox, "--preset", "far-away"]
        command += ["-o", outbox, "--model", tiny_folder, "--device", "cpu"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([*map(str, command)], env=environment, stdout=subprocess.PIPE)
        try:
            wait_until(outbox.exists)
            data = file.read_bytes()
            with (inbox / "slow.wav").open("wb") as slowly:
                for at in range(0, len(data), len(data) // 4 + 1):
                    slowly.write(data[at : at + len(data) // 4 + 1])
                    slowly.flush()
                    time.sleep(0.1)
            wait_until((outbox / "slow.far-away.wav").exists, every_s=0.2)
            assert read(outbox / "slow.far-away.wav").n_frames == RATE // 2
        finally:
            process.terminate()
            threading.Thread(target=process.communicate).start()
            process.wait(DEADLINE_S)
