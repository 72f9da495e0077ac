"""What measures speed and watches over it; and what it recommends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import report
from benchmarks.speed.timing import take_turns
from server.bench import CLIP_S, Setting, advise, thread_counts
from server.cli import main


def table(ratio: float) -> dict[str, Any]:
    return {"stages": {"pocket": {"UNet step": {"ratios": {"diffusers": {"ratio": ratio}}}}}}


def test_a_fifth_lost_is_said_and_less_is_not() -> None:
    assert report.losses(table(1.61), table(2.0)) == []
    (line,) = report.losses(table(1.59), table(2.0))
    assert line == "stages / pocket / UNet step vs diffusers: 1.59x, was 2.00x"
    assert report.losses(table(9.0), table(2.0)) == []


def test_only_what_both_tables_have_is_compared() -> None:
    other = {"takes": {"four takes": {"ratios": {"one by one": {"ratio": 1.0}}}}}
    assert report.losses(other, table(2.0)) == []
    assert report.compared(other, table(2.0)) == 0
    assert report.compared(table(1.0) | other, table(2.0)) == 1


def test_the_committed_table_is_one_the_guard_reads() -> None:
    committed = json.loads(report.COMMITTED.read_text())
    found = dict(report.ratios(committed))
    assert any("audioldm-s / UNet step vs diffusers as shipped" in name for name in found)
    assert all(ratio > 0 for ratio in found.values())


def test_contenders_take_turns_and_the_first_is_compared() -> None:
    ticks = iter([0, 0, 3, 5, 5, 9, 9, 10, 10, 12])  # two to warm up; then 2, 4 and 1, 2
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in ("own", "other")}
    measured = take_turns(works, 2, lambda: float(next(ticks)))
    assert order == ["own", "other"] * 3
    assert measured.median_s("own") == 1.5
    assert measured.ratios() == {"other": {"ratio": 2.0, "low": 2.0, "high": 2.0}}


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    row = {"ratios": {"diffusers": {"ratio": 2.0, "low": 1.5, "high": 2.5}}}
    report.draw({"stages": {"pocket": {"UNet step": row}}}, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def cpu(threads: int, took_s: float) -> Setting:
    return Setting("cpu", threads, 1.0, took_s / 40, took_s / 2)


def test_few_threads_are_preferred_where_more_hardly_help() -> None:
    advice = advise([cpu(1, 4.0), cpu(4, 2.1), cpu(8, 2.0)])
    assert (advice.threads, advice.steps) == (4, 20)
    assert advice.command == "retake serve --device cpu --threads 4"
    assert "8 threads would be hardly faster" in advice.reason
    assert advise([cpu(1, 4.0), cpu(4, 2.0), cpu(8, 1.0)]).threads == 8


def test_a_slow_machine_gets_fewer_steps_and_a_fast_card_is_taken() -> None:
    assert advise([cpu(2, 3 * CLIP_S)]).steps == 10
    card = Setting("cuda:0", 0, 1.0, 0.01, 0.1)
    advice = advise([card, cpu(8, 2.0)])
    assert advice.command == "retake serve --device cuda:0"


@pytest.mark.parametrize(
    ("n_cores", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (16, [1, 8, 15, 16])]
)
def test_counts_of_threads(n_cores: int, counts: list[int]) -> None:
    assert thread_counts(n_cores) == counts


def test_bench_measures_and_recommends(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.bench.CLIP_S", 0.5)
    monkeypatch.setattr("server.bench.BUDGET_S", 0.0)
    monkeypatch.setattr("server.bench.thread_counts", lambda n: [1])
    assert main(["bench", "--model", str(tiny_folder), "--device", "cpu", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["advice"]["threads"] == 1
    assert answer["settings"][0]["transfer_s"] > 0


def test_bench_of_a_device_that_is_not_here(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--model", str(tiny_folder), "--device", "tpu"]) == 2
    assert "device is 'tpu'" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "two", "1.5"])
def test_threads_are_a_whole_number(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--threads", count])
    assert ended.value.code == 2
    assert "from 1 up" in capsys.readouterr().err
