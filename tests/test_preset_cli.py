"""Presets as a person and as a bridge meet them: commands, and the wire."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preset_clips import DRAGONFLY
from running import Running

from daw_bridge.client import Client
from daw_bridge.wire import ServerError
from engine.region import read, write
from presets import FAMILIES, Shelf
from server import cli
from server.editing import read_order, server_keys
from server.submission import Submission, parse_pairs

ROOT = Path(__file__).parents[1]
RATE = 16000


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own presets: none of the person's who runs the tests."""
    folder = tmp_path / "presets"
    folder.mkdir()
    monkeypatch.setenv("RETAKE_PRESETS", str(folder))
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    noise = np.random.default_rng(3).standard_normal((RATE // 2, 2)).astype(np.float32) * 0.1
    write(path, noise, RATE)
    return path


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def write_own(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.toml").write_text(f'name = "{name}"\n{text}\n')


class TestListing:
    def test_families(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("presets") == 0
        shown = capsys.readouterr().out
        assert [line for line in shown.splitlines() if line and line[0] != " "] == list(
            FAMILIES.values()
        )
        assert all(f"  {name} " in shown for name in Shelf().names)

    def test_one_family_of_one_edit_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("presets", "--family", "restoration", "--edit", "inpaint", "--json") == 0
        entries = json.loads(capsys.readouterr().out)
        assert {entry["name"] for entry in entries} >= {"fill-dropout", "remove-cough"}
        assert {(entry["family"], entry["edit"]) for entry in entries} == {
            ("restoration", "inpaint")
        }

    def test_ones_own_and_ones_mistakes(self, own: Path, capsys: Any) -> None:
        write_own(own, "mine", 'extends = "telephone"\ndescription = "Mine"')
        (own / "bad.toml").write_text("bad")
        assert run("presets") == 0
        shown = capsys.readouterr().out
        assert "Mine (your own)" in shown
        assert "retake preset check tells of a mistake" in shown

    def test_list_presets(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("list", "presets", "--json") == 0
        entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
        assert entries["telephone"]["more"][:2] == ["media", "transfer"]


class TestShowAndNew:
    def test_show(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("preset", "show", "giant-voice") == 0
        shown = capsys.readouterr().out
        assert 'edit = "transfer"' in shown  # it stands in what it extends
        assert "semitones = -10" in shown
        assert run("preset", "show", "giant-voice", "--json") == 0
        assert json.loads(capsys.readouterr().out)["extends"] == "monster-voice"

    def test_show_of_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("preset", "show", "giant") == 2
        assert "did you mean giant-voice" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "options", [[], ["--extends", "vinyl"], ["--edit", "loop", "--family", "loops"]]
    )
    def test_new(self, own: Path, options: list[str], capsys: Any) -> None:
        assert run("preset", "new", "mine", *options) == 0
        assert capsys.readouterr().out == f"{own / 'mine.toml'}\n"
        assert run("preset", "check", "mine") == 0
        text = (own / "mine.toml").read_text()
        assert run("preset", "new", "mine") == 2
        assert (own / "mine.toml").read_text() == text

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (["My Own"], "it must be 1 to 48 of a-z"),
            (["mine", "--extends", "nothing"], "no preset is called 'nothing'"),
            (["mine", "-o", "mine.txt"], "presets are .toml"),
            (["mine", "-o", "no/such/folder.toml"], "make it first"),
        ],
    )
    def test_new_that_cannot_be(self, arguments: list[str], word: str, capsys: Any) -> None:
        assert run("preset", "new", *arguments) == 2
        assert word in capsys.readouterr().err


class TestEdits:
    def test_render_takes_the_presets_edit(
        self, file: Path, tiny_folder: Path, tmp_path: Path, capsys: Any
    ) -> None:
        out, again = tmp_path / "out.wav", tmp_path / "again.wav"
        options = ["--steps", 2, "--model", tiny_folder, "--device", "cpu", "--seed", 4]
        assert run("preset", "render", "telephone", file, "-o", out, *options, "--json") == 0
        assert json.loads(capsys.readouterr().out)["edit"] == "transfer"
        assert run("transfer", file, "--preset", "telephone", "-o", again, *options) == 0
        assert out.read_bytes() == again.read_bytes()
        made = read(out).samples
        assert made.shape == (RATE // 2, 2)
        spectrum = np.abs(np.fft.rfft(made[:, 0]))
        # Nothing is left where the line carries nothing.
        assert spectrum[:50].max() < 0.05 * spectrum.max()
        assert spectrum[3000:].max() < 0.05 * spectrum.max()

    def test_a_longer_tail_and_one_that_fades(
        self, file: Path, tiny_folder: Path, tmp_path: Path, capsys: Any
    ) -> None:
        options = ["--steps", 1, "--model", tiny_folder, "--device", "cpu"]
        for name, tail, seconds in (
            ("cathedral-tail", [], 4.5),
            ("cathedral-tail", ["--tail", "fade"], 0.5),
            ("cathedral", [], 0.5),
            ("cathedral", ["--tail", "longer"], 4.5),
        ):
            out = tmp_path / "out.wav"
            order = ["transfer", file, "--preset", name, "-o", out, "--force", *tail, *options]
            assert run(*order) == 0
            assert read(out).n_frames == seconds * RATE

    def test_splice_keeps_everything_outside(
        self, file: Path, tiny_folder: Path, tmp_path: Path
    ) -> None:
        out, options = tmp_path / "out.wav", ["--steps", 1, "--model", tiny_folder]
        order = ["transfer", file, "--preset", "cathedral-tail", "-o", out, "--splice"]
        assert run(*order, "--start", 0.1, "--end", 0.3, *options) == 0
        source, made = read(file).samples, read(out).samples
        assert np.array_equal(made[:1600], source[:1600])
        assert np.array_equal(made[4800:], source[4800:])
        assert not np.array_equal(made, source)

    def test_a_selection_is_filled(self, file: Path, tiny_folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.wav"
        order = ["inpaint", file, "--preset", "patch-click", "-o", out, "--model", tiny_folder]
        assert run(*order, "--start", 0.2, "--end", 0.3, "--steps", 1) == 0
        assert read(out).n_frames == RATE // 10
        assert run(*order, "--steps", 1, "--force") == 0  # to the clip's end
        assert not np.array_equal(read(out).samples, read(file).samples)

    @pytest.mark.parametrize(
        ("command", "arguments", "word"),
        [
            ("transfer", ["--preset", "telefone"], "did you mean telephone"),
            ("vary", ["--preset", "telephone"], "telephone is for transfer; the edit asked for is"),
            ("transfer", ["--preset", "telephone", "--tail", "longer"], "doesn't ring"),
            ("transfer", ["--tail", "longer"], "--tail goes with --preset"),
            (
                "transfer",
                ["--preset", "cathedral", "--tail", "longer", "--splice"],
                "leave out --splice",
            ),
            ("transfer", ["--preset", "telephone", "--strength", "7"], "strength is 7"),
            ("transfer", ["--preset", "mine"], "mine.toml:2: extends"),
        ],
    )
    def test_mistakes(
        self, file: Path, own: Path, command: str, arguments: list[str], word: str, capsys: Any
    ) -> None:
        write_own(own, "mine", 'extends = "nothing"')
        out = file.with_name("out.wav")
        assert run(command, file, "-o", out, *arguments) == 2
        assert word in capsys.readouterr().err
        assert not out.exists()

    def test_what_is_given_wins(self, file: Path) -> None:
        arguments = ["transfer", str(file), "-o", "x.wav", "--preset", "angry-shout"]
        arguments += ["--strength", "0.9", "--prompt", "a dog"]
        order = read_order(cli.build_parser().parse_args(arguments))
        assert order.edit.prompt == "a dog shouting angrily"
        assert order.edit.strength == 0.9  # type: ignore[attr-defined]
        assert order.edit.guidance == Shelf().get("angry-shout").parameters["guidance"]


def pairs(keys: dict[str, Any]) -> tuple[Any, ...]:
    flat: list[Any] = []
    for key, value in keys.items():
        for one in value if isinstance(value, list) else [value]:
            flat += [key, one]
    return tuple(pair for pair in flat)


class TestWire:
    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("vinyl", ["--prompt", "a song", "--mix", "0.5"]),
            ("cathedral", ["--tail", "longer"]),
            ("remove-cough", ["--hole", "0.1:0.2"]),
            ("fill-with-room-tone", ["--start", "0.1"]),
            ("lead-in", ["--seconds", "1"]),
        ],
    )
    def test_an_order_reaches_the_server_as_it_was(
        self, file: Path, name: str, options: list[str]
    ) -> None:
        edit = Shelf().get(name).edit
        arguments = [edit, str(file), "-o", "x.wav", "--preset", name, *options]
        order = read_order(cli.build_parser().parse_args(arguments))
        keys = {key: value for key, value in server_keys(order).items() if value is not None}
        submission = parse_pairs(pairs(keys))
        assert submission.edit == order.edit
        assert submission.finish == order.finish
        assert Submission.from_json(submission.to_json()) == submission

    def test_a_preset_fills_what_is_not_given(self) -> None:
        keys = {"preset": "whisper", "path": "/c.wav", "prompt": "a witch", "steps": 3}
        submission = parse_pairs(pairs(keys))
        assert submission.edit.prompt == "a witch whispering"
        assert submission.edit.steps == 3
        assert submission.edit.guidance == 3.5
        assert submission.finish == Shelf().get("whisper").finish

    @pytest.mark.parametrize(
        ("keys", "code", "word"),
        [
            ({"preset": "rain"}, "unknown-preset", "no preset is called 'rain'"),
            ({"preset": "vinyl", "edit": "vary"}, "bad-value", "vinyl is for transfer"),
            ({"preset": "vinyl"}, "bad-request", "needs path or upload"),
            ({"preset": "vinyl", "seam": 1.0}, "unknown-key", "seam"),
            ({"preset": "vinyl", "tail": "longer"}, "bad-value", "doesn't ring"),
            ({"preset": "vinyl", "tail": "odd"}, "bad-value", "tail is 'odd'"),
            ({"edit": "vary", "tail": "fade"}, "unknown-key", "tail goes with a preset"),
            ({"preset": "patch-click"}, "bad-request", "give a hole"),
            ({"preset": "mine"}, "bad-value", "mine.toml:2: extends"),
            ({}, "bad-request", "names neither edit nor preset"),
        ],
    )
    def test_what_cannot_be_met_is_refused(
        self, own: Path, keys: dict[str, Any], code: str, word: str
    ) -> None:
        from engine.errors import RequestError

        write_own(own, "mine", 'extends = "nothing"')
        path = {} if "path" in word else {"path": "/c.wav"}
        with pytest.raises(RequestError, match=word) as caught:
            parse_pairs(pairs({**keys, **path}))
        assert caught.value.code == code

    def test_jobs_of_before_are_still_read(self) -> None:
        submission = parse_pairs(pairs({"edit": "vary", "path": "/c.wav"}))
        content = json.loads(submission.to_json())
        del content["finish"]
        assert Submission.from_json(json.dumps(content)) == submission


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose engine turns clips upside down."""
    folder = tmp_path_factory.mktemp("presets")
    before = os.environ.get("RETAKE_PRESETS")
    os.environ["RETAKE_PRESETS"] = str(folder)
    running = Running(folder / "state")
    yield running
    running.stop()
    os.environ.pop("RETAKE_PRESETS")
    if before is not None:
        os.environ["RETAKE_PRESETS"] = before


class TestServer:
    def test_a_preset_runs_in_the_worker(self, server: Running, file: Path) -> None:
        with Client.connect(server.folder) as client:
            job = client.submit(preset="cathedral", tail="longer", path=file)
            (take,) = client.wait(job)
        made, source = read(take.path), read(file)
        assert (made.n_frames, made.n_channels) == (RATE // 2 + 4 * RATE, 2)
        # Upside down, as that engine does it, and ringing.
        middle = made.samples[: RATE // 2] * source.samples
        assert middle.sum() < -0.1 * np.square(source.samples).sum()
        assert made.samples[RATE // 2 : RATE].std() > 1e-4

    def test_the_list(self, server: Running) -> None:
        with Client.connect(server.folder) as client:
            entries = {entry[0]: entry for entry in client.items("presets")}
        assert entries["vinyl"][2:4] == ("media", "transfer")
        assert set(entries) == set(Shelf().names)

    @pytest.mark.parametrize(
        ("chain", "code", "words"),
        [
            ('plugin = "gone.vst3"', "no-such-file", "gone.vst3 does not exist"),
            ('plugin = "bad.vst3"', "bad-value", "bad.vst3 can't be used"),
            (
                'effect = "Convolution"\nimpulse_response_filename = "gone.wav"',
                "no-such-file",
                "gone.wav",
            ),
        ],
    )
    def test_a_chain_that_cannot_run_fails_its_job_alone(
        self, server: Running, own: Path, file: Path, chain: str, code: str, words: str
    ) -> None:
        (own / "bad.vst3").mkdir()
        write_own(own, "mine", f'extends = "telephone"\n[[chain]]\n{chain}')
        with Client.connect(server.folder) as client:
            with pytest.raises(ServerError, match=words) as caught:
                client.wait(client.submit(preset="mine", path=file))
            assert caught.value.code == code
            assert len(client.wait(client.submit(preset="vinyl", path=file))) == 1

    @pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("cc"), reason="no C compiler, or another system"
    )
    def test_a_plugin_that_crashes_fails_its_job_alone(
        self, server: Running, own: Path, file: Path, tmp_path: Path
    ) -> None:
        """A shared library that writes to address 0 as soon as it is loaded."""
        source, machine = tmp_path / "crash.c", f"{platform.machine()}-linux"
        source.write_text("__attribute__((constructor)) void f(void) { *(volatile int *)0 = 1; }")
        inside = own / "crash.vst3" / "Contents" / machine
        inside.mkdir(parents=True)
        command = ["cc", "-shared", "-fPIC", "-w", "-o", str(inside / "crash.so"), str(source)]
        subprocess.run(command, check=True)
        write_own(own, "mine", 'extends = "telephone"\n[[chain]]\nplugin = "crash.vst3"')
        with Client.connect(server.folder) as client:
            client.wait(client.submit(preset="vinyl", path=file))  # now the worker is there
            before = client.hello()
            with pytest.raises(ServerError, match=r"crash\.vst3 crashed \(SIG") as caught:
                client.wait(client.submit(preset="mine", path=file))
            assert caught.value.code == "internal"
            assert len(client.wait(client.submit(preset="vinyl", path=file))) == 1
            assert client.hello() == before
        assert run("preset", "check", "mine") == 2

    @pytest.mark.skipif(DRAGONFLY is None, reason="dragonfly-reverb-vst3 is not installed")
    def test_a_plugin_rings_in_a_preset_of_ones_own(
        self, server: Running, own: Path, file: Path
    ) -> None:
        text = """extends = "cathedral"
tail = "longer"
tail_seconds = 1.0
[[chain]]
plugin = "{plugin}"
settings = {{size_m = 40, dry_level = {dry_level}, early_level = 0, late_level = {late_level}}}
"""
        takes = {}
        for name, dry_level, late_level in (("dry", 80, 0), ("hall", 40, 80)):
            levels = {"dry_level": dry_level, "late_level": late_level}
            write_own(own, name, text.format(plugin=DRAGONFLY, **levels))
            with Client.connect(server.folder) as client:
                (take,) = client.wait(client.submit(preset=name, path=file))
            takes[name] = read(take.path).samples
        assert run("preset", "check") == 0
        dry, hall = (np.abs(takes[name][RATE * 3 // 4 :]).max() for name in ("dry", "hall"))
        assert takes["hall"].shape == (RATE * 3 // 2, 2)
        assert hall > 100 * dry

    def test_a_preset_that_has_changed_is_another_request(
        self, server: Running, own: Path, file: Path
    ) -> None:
        name = f"job-{uuid.uuid4().hex[:8]}"
        write_own(own, "mine", 'extends = "telephone"')
        with Client.connect(server.folder) as client:
            client.wait(client.submit(name, preset="mine", path=file))
            assert client.submit(name, preset="mine", path=file) == name
        write_own(own, "mine", 'extends = "telephone"\nchain = []')
        with Client.connect(server.folder) as client:
            with pytest.raises(ServerError) as caught:
                client.submit(name, preset="mine", path=file)
            assert caught.value.code == "conflict"
