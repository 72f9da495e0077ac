"""What is said before any part is trained: runs that no longer fit, packages that aren't there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.training import extras
from engine.training.cli import main


def write_run(out: Path, part: str, used_s: float, weight: float = 1.0) -> None:
    """A run that holds no more than is looked at here."""
    (out / part).mkdir(exist_ok=True)
    average = {"audio_projection.linear1.weight": torch.full((2,), weight)}
    torch.save({"trainee": {"average": average}, "used_s": used_s}, out / part / "state.pt")


def test_a_larger_budget_for_all_parts_is_refused_while_earlier_ones_would_be_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.training.extras.check_packages", lambda part, out: None)
    ran: list[str] = []
    monkeypatch.setattr("engine.training.cli._run", lambda part, args, minutes: ran.append(part))
    everything = ["all", "--out", str(tmp_path), "--minutes"]
    for part in ("clap", "vae", "words"):
        write_run(tmp_path, part, used_s=0.2 * 60 * 60)  # clap's share of an hour
    assert main([*everything, "60"]) == 0
    assert len(ran) == 7
    assert main([*everything, "61"]) == 2
    assert f"first delete {tmp_path / 'words'}\n" in capsys.readouterr().err
    (tmp_path / "latents").mkdir()
    (tmp_path / "latents/items-0000.npz").touch()
    assert main([*everything, "61"]) == 2
    wanted = f"first delete {tmp_path / 'words'} and {tmp_path / 'latents'}\n"
    assert wanted in capsys.readouterr().err
    write_run(tmp_path, "words", used_s=1.0, weight=2.0)
    assert main([*everything, "60"]) == 2
    assert "words was trained with an earlier state of clap" in capsys.readouterr().err
    assert len(ran) == 7


@pytest.mark.parametrize(("part", "package"), [("words", "wordfreq"), ("all", "minilm")])
def test_packages_are_asked_for_before_any_work(
    part: str,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([part, "--out", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert package in error
    assert "-m pip install" in error
    assert not (tmp_path / "runs").exists()


def test_lessons_that_are_kept_need_no_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "clap").mkdir()
    (tmp_path / "clap/lessons.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="teacher"):
        extras.check_packages("clap", tmp_path)
    (tmp_path / "clap" / extras.RECORDED_TEXTS).touch()
    extras.check_packages("clap", tmp_path)
    extras.check_packages("vae", tmp_path)
