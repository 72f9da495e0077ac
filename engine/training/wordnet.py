"""What words mean, from WordNet's dictionary files (Princeton's, Debian's package wordnet-base).

A sentence encoder knows "goose" and hardly "gander"; "gander: mature male goose" it understands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

PARTS = ("noun", "verb", "adj", "adv")
#: Where WordNet's own programs look for its files: this variable's folder, else the usual ones.
VARIABLE = "WNSEARCHDIR"
FOLDERS = ("/usr/share/wordnet", "/usr/local/WordNet-3.0/dict", "/opt/homebrew/opt/wordnet/dict")
#: Endings of inflected forms, and what the plain form has there.
ENDINGS = (
    ("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"),
)  # fmt: skip
#: Senses of a word that are read, the most frequent ones first.
MOST_SENSES = 8


def folder() -> Path | None:
    """The folder of WordNet's files, None where it isn't installed."""
    named = os.environ.get(VARIABLE)
    found = (Path(name) for name in ([named] if named else FOLDERS))
    return next((path for path in found if (path / "data.noun").is_file()), None)


class WordNet:
    """Definitions of English words.

    Parameters
    ----------
    folder : Path
        Holds index.noun, data.noun and the same of verb, adj and adv (the manual's wndb(5WN)).

    Raises
    ------
    FileNotFoundError
        One of the files is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._definitions: dict[tuple[str, str], str] = {}
        self._senses: dict[str, list[tuple[str, str]]] = {}
        for part in PARTS:
            for line in _lines(folder / f"data.{part}"):
                head, _, gloss = line.partition("|")
                self._definitions[part, head.split(maxsplit=1)[0]] = _definition(head, gloss)
            for line in _lines(folder / f"index.{part}"):
                fields = line.split()
                offsets = fields[-int(fields[2]) :]
                senses = self._senses.setdefault(fields[0].replace("_", " "), [])
                senses += [(part, offset) for offset in offsets]

    def definitions(self, word: str) -> list[str]:
        """A word's senses, the most frequent ones of each part of speech first: its synonyms, then
        what they mean, as in "goose: web-footed long-necked bird". Of an inflected form those of
        the plain one; none of a word that isn't there."""
        senses = self._senses.get(self._plain(word.lower()), [])
        return [self._definitions[sense] for sense in senses[:MOST_SENSES]]

    def _plain(self, word: str) -> str:
        if word in self._senses:
            return word
        forms = (word.removesuffix(end) + plain for end, plain in ENDINGS if word.endswith(end))
        return next((form for form in forms if form in self._senses), word)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="latin-1") as lines:
        yield from (line for line in lines if not line.startswith("  "))  # the licence


def _definition(head: str, gloss: str) -> str:
    fields = head.split()
    n_words = int(fields[3], 16)
    words = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * n_words : 2]]
    meaning = gloss.strip().split('; "')[0]  # the rest are examples
    return f"{', '.join(words)}: {meaning}"
