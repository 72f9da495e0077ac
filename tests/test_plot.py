"""The picture of an edit: what it shows, and that it costs no takes when it can't be drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.edits import Hole
from engine.errors import RequestError
from engine.region import write
from server import cli
from server.plot import Picture, plot, spectrum_db

RATE = 22050
PNG = b"\x89PNG"


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


class TestPicture:
    def test_a_tone_shows_at_its_pitch_and_level(self) -> None:
        from server.plot import row_frequencies

        for bin_number in (10, 46, 200, 700, 901):
            hz = bin_number * 44100 / 2048
            tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(44100) / 44100)
            db = spectrum_db(tone.astype(np.float32)[:, np.newaxis], 44100)[:, 90]
            assert row_frequencies(44100)[db.argmax()] == pytest.approx(hz, rel=0.03)
            assert db.max() == pytest.approx(20 * np.log10(0.5), abs=0.5)

    @pytest.mark.parametrize("n_frames", [1, 2, 1000])
    @pytest.mark.parametrize("channels", [1, 8])
    def test_anything_can_be_drawn(self, n_frames: int, channels: int, tmp_path: Path) -> None:
        silence = np.zeros((n_frames, channels), np.float32)
        hole = Hole(0, n_frames, 100.0, 3000.0)
        picture = Picture(silence, silence, 8000, 0, n_frames, n_frames, (hole,), "silence")
        plot(picture, tmp_path / "p.png")
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")

    def test_nothing_cannot(self, tmp_path: Path) -> None:
        nothing = np.zeros((0, 1), np.float32)
        with pytest.raises(RequestError, match="0 frames"):
            plot(Picture(None, nothing, 8000, 0, 0, 0), tmp_path / "p.png")

    @pytest.mark.parametrize(
        "title", ["from $x_{ to $5", "“雷鳴” · שלום", "t\udcfcr.wav", "a\nb", "x" * 2000]
    )
    def test_any_title_can_be_drawn(self, title: str, tmp_path: Path, capsys: Any) -> None:
        silence = np.zeros((1000, 1), np.float32)
        plot(Picture(silence, silence, 8000, 0, 1000, 1000, (), title), tmp_path / "p.png")
        assert (tmp_path / "p.png").read_bytes().startswith(PNG)
        assert capsys.readouterr().err == ""


class TestCommand:
    @pytest.fixture
    def order(self, tmp_path: Path, tiny_folder: Path) -> tuple[Any, ...]:
        path = tmp_path / "$clip$.wav"
        noise = np.random.default_rng(3).standard_normal((RATE, 2)).astype(np.float32) * 0.1
        write(path, noise, RATE)
        options = ("--prompt", "a $x_{ of 雷鳴 for $5", "--steps", 1, "--model", tiny_folder)
        return ("transfer", path, "-o", tmp_path / "out.wav", *options)

    def test_a_prompt_and_a_name_with_dollars(
        self, order: tuple[Any, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        picture = tmp_path / "p.png"
        assert run(*order, "--plot", picture) == 0
        assert picture.read_bytes().startswith(PNG)
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("is_json", [True, False])
    def test_a_picture_that_fails_costs_no_takes(
        self, order: tuple[Any, ...], is_json: bool, tmp_path: Path, capsys: Any
    ) -> None:
        picture = tmp_path / "p.png"
        picture.mkdir()
        form = ("--json",) if is_json else ()
        assert run(*order, "--plot", picture, "--force", *form) == 1
        out, err = capsys.readouterr()
        wav = tmp_path / "out.wav"
        path = json.loads(out)["takes"][0]["path"] if is_json else out.split(": ")[0]
        assert path == str(wav)
        assert wav.is_file()
        assert err.startswith(f"retake: the takes are written, but {picture} can't be drawn: ")
        assert err.count("\n") == 1

    def test_without_a_splice_only_the_region_is_read(
        self, order: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As of a clip that is longer than what is read at once."""
        monkeypatch.setattr("engine.region.MAX_SAMPLES", RATE)
        region = ("--start", 0.2, "--end", 0.4)
        assert run(*order, "--plot", tmp_path / "p.png", *region) == 0
        assert (tmp_path / "p.png").read_bytes().startswith(PNG)
