"""The text tower's last stage: words that no caption has take the place of the captions they mean.

A sentence encoder says how like a text is to some thousands of captions, the anchors, and for a
word how like its definition is ("gander: mature male goose", `wordnet.py`); the text tower learns
to put the text at the mean of the places where it had the most alike of them when the stage began.
"Deluge" so comes to lie where "heavy rain" does, though no clip was ever called so.
Captions themselves stay where they were, so that a diffusion model that was trained with them needs
no more training, in whatever sentence they stand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.training.clap import ClapTrainee, Lessons, embed_text
from engine.training.corpus import Corpus
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    autocast,
    set_rate,
    warm_then_decay,
)
from engine.training.text import domain_words, frequent_words, meanings, teach

#: Captions of more words name more than one sound.
ANCHOR_WORDS, ANCHORS = 5, 8000
LESSONS, CAPTIONS = 256, 96
#: Words are a lesson's text seven times of ten; the rest are phrases and captions.
WORDS_SHARE = 0.7
#: English as it is written, and the part of it that is about sounds.
FREQUENT_WORDS, DOMAIN_WORDS = 100_000, 24_000
#: Texts of a step that are padded together, the shortest ones first: words with words.
PADDED_TOGETHER = 64
#: How sharply the teacher tells likenesses apart.
TEACHER_SCALE = 40.0
#: How people ask for the sound of a caption.
SENTENCES = (
    "i want to hear {}",
    "make it sound like {}",
    "can you add {}",
    "it sounds like {}",
    "there is {} somewhere",
    "more {} please",
    "give me {}",
    "this should be {}",
    "as if it were {}",
    "{} again and again",
    "turn this into {}",
    "{} and nothing else",
)
LEARNING_RATE = 8e-4


class WordsTrainee(Trainee):
    """One step: lessons against the anchors' places, and captions against their own.

    Parameters
    ----------
    corpus : Corpus
        The corpus CLAP was trained on.
    clap : ClapTrainee
        Trained; its audio tower is left alone.
    folder : Path
        Where the lessons are kept.
    """

    stateful = ("model", "optimizer")

    def __init__(self, corpus: Corpus, clap: ClapTrainee, folder: Path) -> None:
        self.corpus, self.clap, self.where = corpus, clap, clap.where
        folder.mkdir(parents=True, exist_ok=True)
        self.lessons = _lessons(corpus, folder)
        self.before, self.model = clap.averaged(), clap.averaged().train()
        anchors = _anchors(corpus)
        self.wanted = self._wanted(anchors)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name.startswith("text_"))
        learned = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, LEARNING_RATE, (0.9, 0.98), weight_decay=0.02)
        self.average = Average(self.model, 0.998)
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on fresh captions and fresh lessons."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps))
        lesson, stay = self._lesson(rng), self._stay(rng)
        self.descend(lesson + stay, self.model, self.optimizer)
        return {"lesson": lesson.item(), "stay": stay.item()}

    @torch.no_grad()
    def _wanted(self, anchors: list[str]) -> Tensor:
        """Where the teacher would put the lessons' texts, shape = (n_texts, width)."""
        places = torch.cat([self._places(anchors[i : i + 256]) for i in _starts(anchors)])
        taught = torch.from_numpy(teach(anchors).astype(np.float32)).to(self.where)
        parts = []
        for start in _starts(self.lessons.texts):
            lessons = self.lessons.embeddings[start : start + 256].astype(np.float32)
            likeness = TEACHER_SCALE * torch.from_numpy(lessons).to(self.where) @ taught.T
            parts.append(likeness.softmax(1) @ places)
        return torch.cat(parts)

    def _lesson(self, rng: np.random.Generator) -> Tensor:
        """Mean distance of texts from where the teacher would put them, 1 - cosine."""
        chosen = self.lessons.draw(rng, LESSONS, WORDS_SHARE)
        return self._distance([self.lessons.texts[i] for i in chosen], self.wanted[chosen])

    def _stay(self, rng: np.random.Generator) -> Tensor:
        """Mean distance of captions, half of them in sentences, and of the empty text, which guides
        away, from where they were, 1 - cosine."""
        entries = [self.corpus.entry(int(index)) for index in self.corpus.draw(rng, CAPTIONS)]
        plain = [*(str(rng.choice(entry.captions)) for entry in entries), ""]
        said = [str(rng.choice(SENTENCES)).format(caption) for caption in plain[: CAPTIONS // 2]]
        return self._distance(said + plain[CAPTIONS // 2 :], self._places(plain))

    def _distance(self, texts: list[str], wanted: Tensor) -> Tensor:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        groups = [order[i : i + PADDED_TOGETHER] for i in range(0, len(order), PADDED_TOGETHER)]
        with autocast(self.where):
            made = [embed_text(self.model, self.clap.tokens([texts[i] for i in g])) for g in groups]
        return (1 - nn.functional.cosine_similarity(torch.cat(made), wanted[order])).mean()

    @torch.no_grad()
    def _places(self, texts: list[str]) -> Tensor:
        """Where texts were when the stage began, shape = (n_texts, width)."""
        with autocast(self.where):
            return embed_text(self.before, self.clap.tokens(texts))


def _starts(texts: list[str]) -> range:
    return range(0, len(texts), 256)


def _lessons(corpus: Corpus, folder: Path) -> Lessons:
    """More words than CLAP was taught, and phrases of them, kept in `folder`."""
    if not Lessons.are_in(folder):
        captions = [c for _, entry in corpus.clips for c in entry.captions]
        words = domain_words(frequent_words(FREQUENT_WORDS), sorted(set(captions)), DOMAIN_WORDS)
        Lessons.make(words, captions, folder, meanings(words, _anchors(corpus)))
    return Lessons.read(folder)


def _anchors(corpus: Corpus) -> list[str]:
    """Short captions of as many clips."""
    captions: dict[str, None] = {}
    for index in np.random.default_rng(0).permutation(len(corpus)):
        shortest = min(corpus.entry(int(index)).captions, key=lambda c: len(c.split()))
        if len(shortest.split()) <= ANCHOR_WORDS and len(captions) < ANCHORS:
            captions[shortest] = None
    return list(captions)
