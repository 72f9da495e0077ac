"""`retake` as a person meets it: what it prints, where it writes, how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.edits import EDITS, Hole, Inpaint
from engine.errors import RequestError
from engine.region import Region, Take, read, write
from server import cli
from server.editing import Order, finish, hole_text, server_keys, spliced
from server.options import parse_hole_times, parse_span, parse_time
from server.submission import parse_hole, parse_pairs

RATE = 22050
ROOT = Path(__file__).parents[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    noise = np.random.default_rng(3).standard_normal((RATE, 2)).astype(np.float32) * 0.1
    write(path, noise, RATE)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.wav"


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


class TestHelp:
    def test_help_is_quick_and_imports_nothing_heavy(self) -> None:
        code = (
            "import sys, resource; from server import cli\n"
            "try: cli.main(['--help'])\n"
            "except SystemExit: pass\n"
            "used = resource.getrusage(resource.RUSAGE_SELF)\n"
            "heavy = {'torch', 'scipy', 'matplotlib', 'transformers', 'diffusers', 'tqdm'}\n"
            "print(used.ru_utime + used.ru_stime, sorted(heavy & set(sys.modules)))"
        )
        pytest.importorskip("resource")
        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.splitlines()
        seconds, heavy = shown[-1].split(" ", 1)
        assert heavy == "[]"
        assert float(seconds) < 0.8  # of a slow processor; 0.2 of a quick one
        assert all(any(line.strip().startswith(name) for line in shown) for name in EDITS)

    @pytest.mark.parametrize("name", EDITS)
    def test_every_parameter_is_an_option(
        self, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            run(name, "--help")
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        for parameter in EDITS[name].parameters():
            assert f"--{'hole' if parameter.kind == 'holes' else parameter.name} " in shown


class TestMistakes:
    """Each is one line on stderr and status 2, and nothing is written."""

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (["--strength", "1.5"], "strength is 1.5; it must be a number from 0 to 1"),
            (["--strength", "much"], "'much' is not a number"),
            (["--steps", "2.5"], "steps is 2.5"),
            (["--sampler", "euler"], "one of dpm++, ddim"),
            (["--takes", "9"], "takes is 9"),
            (["--prompt", "x" * 5000], "5000 characters"),
            (["--curve", "rising"], "curve is 'rising'"),
            (["--start", "soon"], "--start is 'soon'"),
            (["--start", "-1"], "--start is -1"),
            (["--start", "nan"], "--start is 'nan'"),
            (["--start", "0.5", "--end", "0.5"], "it must end later"),
            (["--start", "9"], "9"),
            (["--end", "9"], "9"),
            (["--cutoff", "100"], "unrecognized arguments"),
            (["--model", "no-such-model"], "no-such-model"),
            (["--plot", "picture.jpg"], "drawn as .png"),
            (["--server", "--state-dir", "nowhere"], "retake serve"),
            (["--server", "--device", "cpu"], "the server's to choose"),
        ],
    )
    def test_bad_options(
        self,
        file: Path,
        out: Path,
        arguments: list[str],
        word: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        try:
            status = run("transfer", file, "-o", out, *arguments)
        except SystemExit as ended:
            status = int(str(ended.code))
        stderr = capsys.readouterr().err
        assert status == 2, stderr
        assert word in stderr
        assert stderr.count("\n") == 1
        assert "Traceback" not in stderr
        assert not out.exists()

    @pytest.mark.parametrize(
        "holes",
        [[], ["1"], ["0.5:0.2"], ["0.1:0.2:300"], ["0.1:0.2:a:b"], ["0.1:0.2:500:100"], ["5:6"]],
    )
    def test_bad_holes(
        self, file: Path, out: Path, holes: list[str], tiny_folder: Path, capsys: Any
    ) -> None:
        options = [part for hole in holes for part in ("--hole", hole)]
        assert run("inpaint", file, "-o", out, "--model", tiny_folder, *options) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not out.exists()

    def test_bad_files(self, file: Path, out: Path, tmp_path: Path, capsys: Any) -> None:
        text = tmp_path / "text.wav"
        text.write_text("this is no audio")
        for clip in (tmp_path / "missing.wav", tmp_path, text):
            assert run("transfer", clip, "-o", out) == 2
        assert run("transfer", file, "-o", tmp_path / "out.mp3") == 2
        assert run("transfer", file, "-o", tmp_path / "no" / "folder.wav") == 2
        assert capsys.readouterr().err.count("\n") == 5

    def test_nothing_is_written_over_without_force(
        self, file: Path, out: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        second = out.with_name("out.2.wav")
        second.write_text("precious")
        order = ("transfer", file, "-o", out, "--model", tiny_folder, "--strength", 0, "--takes", 2)
        assert run(*order) == 2
        assert "--force" in capsys.readouterr().err
        assert second.read_text() == "precious"
        assert not out.exists()
        assert run(*order, "--force") == 0
        assert read(second).n_frames == RATE

    @pytest.mark.parametrize(
        ("clip", "output", "more"),
        [
            ("clip.wav", "clip.wav", ()),
            ("door.2.wav", "door.wav", ("--takes", 2)),
            ("clip.png", "out.wav", ("--plot", "clip.png")),
            ("clip.wav", "link.wav", ()),
        ],
    )
    def test_the_clip_itself_is_never_written_over(
        self,
        clip: str,
        output: str,
        more: tuple[Any, ...],
        file: Path,
        monkeypatch: Any,
        capsys: Any,
    ) -> None:
        monkeypatch.chdir(file.parent)
        source = file.rename(file.with_name(clip))
        Path("link.wav").symlink_to(source)
        data = source.read_bytes()
        monkeypatch.setattr("server.editing.edit_here", lambda *_: pytest.fail("edited"))
        assert run("transfer", clip, "-o", output, "--force", *more) == 2
        assert "is the clip itself; choose another name" in capsys.readouterr().err
        assert source.read_bytes() == data

    def test_a_clip_too_long_to_splice_into_is_refused_before_the_edit(
        self, file: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
    ) -> None:
        for module in ("engine.region", "server.editing"):
            monkeypatch.setattr(f"{module}.MAX_SAMPLES", RATE, raising=False)
        monkeypatch.setattr("server.editing.edit_here", lambda *_: pytest.fail("edited"))
        region = ("--start", 0.1, "--end", 0.2)
        assert run("transfer", file, "-o", out, "--splice", *region) == 2
        said = f"clip.wav is over {RATE // 2} frames long, too long to splice into"
        assert said in capsys.readouterr().err

    def test_no_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            run()
        assert ended.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


class TestEdits:
    def test_transfer_in_process(
        self, file: Path, out: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        picture = out.with_suffix(".png")
        status = run(
            *(
                "transfer",
                file,
                "-o",
                out,
                "--model",
                tiny_folder,
                "--start",
                0.2,
                "--end",
                "11025f",
            ),
            *("--prompt", "rain", "--steps", 2, "--takes", 2, "--seed", 5, "--splice"),
            *("--json", "--plot", picture),
        )
        assert status == 0
        said = json.loads(capsys.readouterr().out)
        assert [take["path"] for take in said["takes"]] == [
            str(out),
            str(out.with_suffix(".2.wav")),
        ]
        assert said["edit"] == "transfer"
        source, result = read(file).samples, read(out).samples
        start, stop = round(0.2 * RATE), 11025
        assert np.array_equal(result[:start], source[:start])
        assert np.array_equal(result[stop:], source[stop:])
        assert not np.array_equal(result[start:stop], source[start:stop])
        assert picture.read_bytes().startswith(b"\x89PNG")

    def test_inpaint_keeps_what_is_outside_the_hole(
        self, file: Path, out: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ("--start", 0.1, "--hole", "0.3:0.5", "--steps", 2, "--model", tiny_folder)
        assert run("inpaint", file, "-o", out, *options) == 0
        assert capsys.readouterr().out.startswith(f"{out}: 0.900 s, 2 ch at {RATE} Hz, seed 0")
        source, result = read(file).samples[round(0.1 * RATE) :], read(out).samples
        low, high = round(0.2 * RATE), round(0.4 * RATE)
        assert np.array_equal(result[:low], source[:low])
        assert np.array_equal(result[high + 1 :], source[high + 1 :])
        assert not np.array_equal(result, source)

    def test_generate_takes_no_clip(self, out: Path, tiny_folder: Path) -> None:
        options = ("--seconds", 0.5, "--rate", 8000, "--steps", 1, "--model", tiny_folder)
        assert run("generate", "-o", out, "--prompt", "a bell", *options) == 0
        made = read(out)
        assert (made.n_frames, made.rate, made.n_channels) == (4000, 8000, 1)

    def test_continue_splices_in(self, file: Path, out: Path, tiny_folder: Path) -> None:
        options = ("--seconds", 0.25, "--end", 0.5, "--steps", 1, "--model", tiny_folder)
        assert run("continue", file, "-o", out, "--splice", *options) == 0
        source, result = read(file).samples, read(out).samples
        half, new = RATE // 2, len(result) - len(source)
        assert new == round(0.25 * RATE)
        assert np.array_equal(result[:half], source[:half])
        assert np.array_equal(result[half + new :], source[half:])

    def test_our_fault_is_status_1(
        self, file: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
    ) -> None:
        def breaks(*_: object) -> None:
            raise ZeroDivisionError("by design")

        monkeypatch.setattr("server.editing.edit_here", breaks)
        assert run("vary", file, "-o", out) == 1
        assert capsys.readouterr().err.startswith("retake: ZeroDivisionError: by design (our fault")
        with pytest.raises(ZeroDivisionError):
            run("vary", file, "-o", out, "--debug")

    def test_ctrl_c_leaves_no_file(
        self, file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("server.editing.edit_here", interrupted)
        assert run("vary", file, "-o", out) == 130
        assert not out.exists()


@pytest.mark.slow
class TestServer:
    def test_the_same_request_gives_the_same_bytes_there_and_here(
        self, file: Path, out: Path, tiny_folder: Path, tmp_path: Path, capsys: Any
    ) -> None:
        """A clip goes in over OSC, a real engine changes it, the take comes back."""
        state = tmp_path / "state"
        serve = [sys.executable, "-m", "server.cli", "serve", "--state-dir", str(state)]
        serve += [
            "--udp-port",
            "0",
            "--tcp-port",
            "0",
            "--model",
            str(tiny_folder),
            "--device",
            "cpu",
        ]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        order = ["transfer", str(file), "--start", "0.1", "--end", "0.7", "--prompt", "rain"]
        order += ["--steps", "2", "--strength", "0.6", "--seed", "9"]
        order += ["--model", str(tiny_folder)]
        process = subprocess.Popen(serve, env=env, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        try:
            for line in process.stderr:
                if "listening" in line:
                    break
            assert run(*order, "-o", out, "--server", "--state-dir", state) == 0
            assert run("list", "jobs", "--state-dir", state) == 0
            assert "done" in capsys.readouterr().out
        finally:
            process.terminate()
            process.stderr.read()
            process.stderr.close()
            assert process.wait(30) in (0, -15)
        here = out.with_name("here.wav")
        assert run(*order, "-o", here, "--device", "cpu") == 0
        assert np.array_equal(read(here).samples, read(out).samples)
        assert not (state / "server.conf").exists()


class TestLists:
    def test_edits(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("list") == 0
        shown = capsys.readouterr().out
        assert all(f"{name} " in shown for name in EDITS)

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("list", "edits", "--json") == 0
        entries = json.loads(capsys.readouterr().out)
        assert {entry["name"] for entry in entries} == set(EDITS)
        assert "holes" in next(e for e in entries if e["name"] == "inpaint")["more"]

    def test_protocol_doc(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("list", "--protocol-doc") == 0
        assert capsys.readouterr().out == (ROOT / "docs/protocol.md").read_text(encoding="utf-8")

    def test_doctor_tells_everything(self, tmp_path: Path, capsys: Any) -> None:
        status = run("doctor", "--json", "--state-dir", tmp_path)
        findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
        assert {"python", "torch", "device", "models", "audio files", "disk", "server"} <= set(
            findings
        )
        assert status == int(not all(finding["is_well"] for finding in findings.values()))


class TestParts:
    def test_times(self) -> None:
        assert parse_time("1.5", 44100, "x") == 66150
        assert parse_time("66150f", 44100, "x") == 66150
        assert parse_time("0", 8000, "x") == 0
        assert parse_span(None, None, 100) == (0, None)
        assert parse_span("1", "250f", 100) == (100, 150)

    @pytest.mark.parametrize("text", ["", "f", "1.5f", "1e999", "-0.1", "1:2", "nanf"])
    def test_times_that_are_none(self, text: str) -> None:
        with pytest.raises(RequestError):
            parse_time(text, 44100, "--start")

    def test_holes_count_from_the_region(self) -> None:
        assert parse_hole_times("1:2", 100, 50) == Hole(50, 100)
        assert parse_hole_times("150f:160f:100:", 100, 50) == Hole(100, 10, 100.0, None)
        with pytest.raises(RequestError, match="before the region"):
            parse_hole_times("0.2:1", 100, 50)

    @pytest.mark.parametrize(
        "hole",
        [Hole(0, 1), Hole(5, 6, 100.5, 200.25), Hole(1, 2, None, 3e3), Hole(1, 2, 0.1, None)],
    )
    def test_holes_travel(self, hole: Hole) -> None:
        assert parse_hole(hole_text(hole)) == hole

    @pytest.mark.parametrize("name", EDITS)
    def test_an_order_reaches_the_server_as_it_was(self, name: str) -> None:
        from server.editing import Order

        values: dict[str, Any] = {"prompt": "x", "seed": 2**62, "guidance": 1 / 3}
        if name == "inpaint":
            values["holes"] = (Hole(3, 4), Hole(9, 9, 10.0, 20.0))
        if name == "transfer":
            values["curve"] = ((0.0, 0.1), (1 / 3, 0.9))
        edit = EDITS[name](**values)
        clip = None if name == "generate" else Path("/clip.wav")
        keys = server_keys(Order(edit, clip, 7, 8))
        pairs: list[Any] = []
        for key, value in keys.items():
            for one in value if isinstance(value, list) else [value]:
                pairs += [key, one]
        submission = parse_pairs(tuple(pairs))
        assert submission.edit == edit
        assert (submission.start_frames, submission.frames) == ((7, 8) if clip else (0, None))

    def test_splice(self) -> None:
        clip = Region(np.arange(10, dtype=np.float32), 8000)
        new = np.full((3, 1), -1, np.float32)
        assert spliced(clip, 4, 2, new)[:, 0].tolist() == [0, 1, 2, 3, -1, -1, -1, 6, 7, 8, 9]
        assert spliced(clip, 0, 10, new)[:, 0].tolist() == [-1, -1, -1]

    def test_splice_does_not_click_and_keeps_what_is_equal(self) -> None:
        rng = np.random.default_rng(0)
        clip = Region(np.ones((1000, 2), np.float32), 8000)
        result = spliced(clip, 300, 400, np.full((400, 2), -1, np.float32))
        assert np.array_equal(result[:300], clip.samples[:300])
        assert np.array_equal(result[700:], clip.samples[700:])
        assert (result[340:660] == -1).all()
        assert np.abs(np.diff(result, axis=0)).max() < 0.06
        noise = Region(rng.standard_normal((1000, 2)).astype(np.float32), 8000)
        assert np.array_equal(spliced(noise, 300, 400, noise.samples[300:700]), noise.samples)
        whole = spliced(clip, 0, 1000, np.full((1000, 2), -1, np.float32))
        assert (whole == -1).all()

    def test_splice_brings_back_nothing_of_what_lay_in_a_hole(self, tmp_path: Path) -> None:
        """A dropout's edges were clicks: blended with them, a fill would click as well."""
        gap = np.full(1000, 0.3, np.float32)
        gap[300:700] = 0.0
        write(tmp_path / "gap.wav", gap, 8000)
        filled = Take(np.full((400, 1), 0.3, np.float32), 8000)
        order = Order(Inpaint(holes=(Hole(0, 400),)), tmp_path / "gap.wav", 300, 400)
        assert (finish(order, filled, True) == np.float32(0.3)).all()
        order = dataclasses.replace(order, edit=Inpaint(mask=((0.0, 1000.0, 1.0),)))
        assert finish(order, filled, True)[300, 0] < 0.1
