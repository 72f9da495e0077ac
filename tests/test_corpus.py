"""Manifests as programs save them, and a corpus that follows its manifest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.errors import RequestError
from engine.training.cli import main
from engine.training.corpus import RATE, Corpus, read_manifest


@pytest.mark.parametrize(
    "text",
    [
        'file,caption\na.wav,"a dog, far"\n',
        '\ufefffile;caption;tags\r\na.wav;"a dog, far";\r\n;;\r\n',
        "file\tcaption\na.wav\ta dog, far\t\n",
    ],
    ids=["plain", "as Excel saves it where numbers have commas", "tabs"],
)
def test_manifests_are_read_as_tables_are_saved(text: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(text.encode())
    assert [(row["file"], row["caption"]) for row in read_manifest(path)] == [
        ("a.wav", "a dog, far")
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("file,name\na.wav,a dog\n", "line 1, .*'file,name'; needed are file and caption"),
        ("file,caption\na.wav,a dog\nb.wav,\n", r"manifest\.csv, line 3, has no caption"),
        ("file,caption\na.wav\n", "line 2, has no caption"),
        ("file,caption\n,a dog\n", "line 2, has no file"),
        ("file,caption\na.wav,a dog, barking\n", "line 2, has more cells than columns"),
        ("file,caption\n", "names no sounds"),
        ("", "line 1, "),
        ("file,caption\na.wav,un chien à l'étable\n".encode("cp1252"), "is not UTF-8"),
    ],
)
def test_a_manifest_that_cant_be_used_says_where(
    content: str | bytes, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RequestError, match=fault):
        read_manifest(path)


def test_corpus_wants_a_manifest_and_its_sounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(sounds: Path) -> str:
        command = ["corpus", "--out", str(tmp_path / "out"), "--sounds", str(sounds)]
        assert main([*command, "--synthetic", "0"]) == 2
        return capsys.readouterr().err

    assert "is a folder; give the manifest in it" in refusal(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,caption\ngone.wav,a dog\n")
    assert "gone.wav, which isn't there" in refusal(tmp_path / "manifest.csv")
    assert not (tmp_path / "out/corpus/recorded.json").exists()


def test_a_changed_manifest_makes_its_shard_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, 0.1 * np.sin(np.arange(RATE)), RATE)
    manifest, shard = tmp_path / "manifest.csv", tmp_path / "corpus/recorded.json"
    corpus = ["corpus", "--out", str(tmp_path), "--sounds", str(manifest), "--synthetic", "0"]
    manifest.write_text("file,caption\na.wav,a tone\n")
    assert main(corpus) == 0
    stamp = shard.stat().st_mtime_ns
    assert main(corpus) == 0
    assert shard.stat().st_mtime_ns == stamp
    (tmp_path / "latents").mkdir()
    manifest.write_text("file,caption\na.wav,a tone\nb.wav,a hum\n")
    capsys.readouterr()
    assert main(corpus) == 0
    assert [entry.captions[0] for _, entry in Corpus(shard.parent).clips] == ["a tone", "a hum"]
    assert "latents has none of the new sounds" in capsys.readouterr().err
    # Shards once were the entries alone, and said nothing of where they came from.
    shard.write_text(json.dumps(json.loads(shard.read_text())["entries"]))
    manifest.write_text("file,caption\na.wav,a tone\n")
    assert main(corpus) == 0
    assert len(Corpus(shard.parent)) == 2
