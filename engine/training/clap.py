"""Contrastive training of CLAP: a small Swin audio tower and a small text tower taught by a larger
one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    BertTokenizerFast,
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
)

from engine.mel import ClapMel
from engine.training.augment import (
    NOISY,
    at_some_speed,
    equalised,
    in_window,
    masked,
    with_noise,
)
from engine.training.corpus import RATE, Corpus
from engine.training.extras import RECORDED_TEXTS
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    autocast,
    device,
    set_rate,
    to_tensor,
    warm_then_decay,
)
from engine.training.text import (
    MAX_TOKENS,
    TEACHER_WIDTH,
    build_tokenizer,
    domain_words,
    english_words,
    phrases,
    teach,
)

EMBEDDING_WIDTH = 256
WINDOW_SAMPLES = 5 * RATE
BATCH = 128
#: Of a batch, the recordings' share: they are few, and what is asked for is mostly recorded.
RECORDED_SHARE = 0.5
#: How much of a recording's target goes to captions like its own, and how sharply they are told
#: apart.
ALIKE_SHARE, ALIKE_SCALE = 0.25, 16.0
TEACHER_BATCH = 160
#: Phrases, and captions, among the lessons.
TEACHER_TEXTS = 40000
#: Steps in which the text tower alone learns from its teacher, which is cheap.
LESSON_STEPS = 1500
LEARNING_RATE = 1e-3

AUDIO: dict[str, Any] = {
    "window_size": 4,
    "num_mel_bins": 64,
    "spec_size": 128,
    "patch_size": 8,
    "patch_stride": [8, 8],
    "patch_embeds_hidden_size": 64,
    "hidden_size": 256,
    "depths": [2, 2, 2],
    "num_attention_heads": [2, 4, 8],
    "enable_fusion": False,
    "num_classes": 2,
    "drop_path_rate": 0.05,
    "hidden_dropout_prob": 0.05,
}
TEXT: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 768,
    "max_position_embeddings": MAX_TOKENS + 16,
    "type_vocab_size": 1,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}


def clap_config(vocabulary_size: int) -> ClapConfig:
    """Both towers' configuration."""
    text = ClapTextConfig(**TEXT, vocab_size=vocabulary_size, projection_dim=EMBEDDING_WIDTH)
    audio = ClapAudioConfig(**AUDIO, projection_dim=EMBEDDING_WIDTH)
    return ClapConfig(
        text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=EMBEDDING_WIDTH
    )


def embed_text(model: ClapModel, tokens: Any) -> Tensor:
    """L2-normalised text embeddings, shape = (n_batch, width)."""
    hidden = model.text_model(tokens["input_ids"], tokens["attention_mask"]).pooler_output
    return nn.functional.normalize(model.text_projection(hidden).float(), dim=-1)


def embed_audio(model: ClapModel, features: Tensor) -> Tensor:
    """L2-normalised audio embeddings, shape = (n_batch, width)."""
    longer = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
    hidden = model.audio_model(features, is_longer=longer).pooler_output
    return nn.functional.normalize(model.audio_projection(hidden).float(), dim=-1)


class ClapTrainee(Trainee):
    """One step: InfoNCE between crops and captions, beside the teacher's lesson for the text tower.

    Parameters
    ----------
    corpus : Corpus
        Captioned clips.
    folder : Path
        Where the tokenizer and the teacher's embeddings are kept.
    """

    stateful = ("model", "to_teacher", "optimizer")

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        self.corpus, self.where = corpus, device()
        self.tokenizer, self._folder = _tokenizer(corpus, folder), folder
        self.model = ClapModel(clap_config(len(self.tokenizer))).to(self.where).train()
        self.to_teacher = nn.Linear(EMBEDDING_WIDTH, TEACHER_WIDTH).to(self.where)
        self.front = ClapMel(window_samples=WINDOW_SAMPLES).to(self.where)
        parameters = [*self.model.parameters(), *self.to_teacher.parameters()]
        self.optimizer = torch.optim.AdamW(
            parameters, LEARNING_RATE, (0.9, 0.98), weight_decay=0.05
        )
        self.average = Average(self.model)
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch of clips and a fresh batch of lessons; first lessons alone."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps))
        if self.n_steps < LESSON_STEPS:
            with autocast(self.where):
                taught = self._lesson(rng, 4 * TEACHER_BATCH)
            self.descend(taught, self.model, self.optimizer)
            return {"lesson": taught.item()}
        chosen = self.corpus.draw(rng, BATCH, RECORDED_SHARE)
        waves = to_tensor([self.crop(int(i), rng) for i in chosen], self.where)
        captions = [str(rng.choice(self.corpus.entry(int(i)).captions)) for i in chosen]
        with autocast(self.where):
            audio = embed_audio(self.model, masked(equalised(self.front(waves), rng), rng))
            text = embed_text(self.model, self.tokens(captions))
            taught = self._lesson(rng, TEACHER_BATCH)
        scale = self.model.logit_scale_a.exp().clamp(max=100)
        same = self.same_kinds(chosen)
        logits, target = scale * audio @ text.T + same, self._targets(chosen, same)
        contrast = nn.functional.cross_entropy(logits, target) / 2
        contrast = contrast + nn.functional.cross_entropy(logits.T, target) / 2
        loss = contrast + 8.0 * taught
        self.descend(loss, self.model, self.optimizer)
        top = (logits.argmax(1) == target.argmax(1)).float().mean().item()
        return {"contrast": contrast.item(), "lesson": taught.item(), "top1": top}

    def crop(self, index: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """A clip as the audio tower may come to hear it, shape = (WINDOW_SAMPLES,)."""
        wave = in_window(at_some_speed(self.corpus.wave(index), rng), WINDOW_SAMPLES, rng)
        wave *= np.float32(10 ** (rng.uniform(-8, 6) / 20))
        if rng.random() >= NOISY:
            return wave
        other = int(self.corpus.draw(rng, 1)[0])
        return with_noise(wave, self.corpus.crop(other, WINDOW_SAMPLES, rng), rng)

    @cached_property
    def lessons(self) -> Lessons:
        """Made when they are first needed, since the teacher takes minutes over them."""
        if not Lessons.are_in(self._folder):
            captions = _captions(self.corpus)
            Lessons.make(_taught_words(captions), captions, self._folder)
        return Lessons.read(self._folder)

    def tokens(self, texts: list[str]) -> Any:
        return self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self.where)

    def _lesson(self, rng: np.random.Generator, n: int) -> Tensor:
        """Mean distance to the teacher, 1 - cosine, over `n` texts."""
        chosen = self.lessons.draw(rng, n)
        tokens = self.tokens([self.lessons.texts[i] for i in chosen])
        student = self.to_teacher(embed_text(self.model, tokens))
        wanted = self.lessons.embeddings[np.sort(chosen)][np.argsort(np.argsort(chosen))]
        teacher = torch.from_numpy(wanted.astype(np.float32)).to(self.where)
        return (1 - nn.functional.cosine_similarity(student.float(), teacher)).mean()

    def same_kinds(self, chosen: NDArray[np.int64]) -> Tensor:
        """-inf where two different clips of a batch hold the same kinds: not a mistake to be
        punished."""
        kinds = [self.corpus.entry(int(i)).kinds or (int(i),) for i in chosen]
        same = np.array([[a == b for b in kinds] for a in kinds])
        np.fill_diagonal(same, False)
        return torch.from_numpy(np.where(same, -1e4, 0.0).astype(np.float32)).to(self.where)

    def _targets(self, chosen: NDArray[np.int64], same: Tensor) -> Tensor:
        """What each clip's text should be like, shape = (n_clips, n_clips): itself, and a little
        the texts of recordings that the teacher calls alike ("metal on stairs", "a step on
        metal")."""
        target = np.eye(len(chosen), dtype=np.float32)
        rows = np.flatnonzero(self.corpus.is_recorded[chosen])
        texts = self._recorded_texts[[self._recorded_row[int(i)] for i in chosen[rows]]]
        likeness = torch.from_numpy(ALIKE_SCALE * texts @ texts.T).softmax(1).numpy()
        target[np.ix_(rows, rows)] *= 1 - ALIKE_SHARE
        target[np.ix_(rows, rows)] += ALIKE_SHARE * likeness
        asked = torch.from_numpy(target).to(self.where) * (same == 0)
        return asked / asked.sum(1, keepdim=True)

    @cached_property
    def _recorded_row(self) -> dict[int, int]:
        recorded = np.flatnonzero(self.corpus.is_recorded)
        return {int(index): row for row, index in enumerate(recorded)}

    @cached_property
    def _recorded_texts(self) -> NDArray[np.float32]:
        """The teacher's embeddings of the recordings' captions, kept beside the lessons."""
        captions = [self.corpus.entry(index).captions[0] for index in self._recorded_row]
        path, mark = self._folder / RECORDED_TEXTS, sha256(repr(captions).encode()).hexdigest()
        if not path.exists() or str(np.load(path)["mark"]) != mark:
            np.savez(path, mark=mark, texts=teach(captions))
        texts: NDArray[np.float16] = np.load(path)["texts"]
        return texts.astype(np.float32)

    def averaged(self) -> ClapModel:
        """The averaged model, in fp32 and ready to run."""
        model = ClapModel(clap_config(len(self.tokenizer)))
        self.average.copy_to(model)
        return model.to(self.where).eval()

    def export(self, folder: Path) -> None:
        """Write clap/, text_encoder/ and tokenizer/ of a checkpoint into `folder`, in fp16."""
        model = self.averaged().cpu().half()
        text = ClapTextModelWithProjection(model.config.text_config).half()
        text.load_state_dict(_part(model, "text"), strict=False)
        text.save_pretrained(folder / "text_encoder", safe_serialization=True)
        model.config.save_pretrained(folder / "clap")
        # The text tower lies in text_encoder/ already: clap/ holds the audio tower's weights only.
        save_file(_part(model, "audio"), folder / "clap" / "model.safetensors", {"format": "pt"})
        feature_extractor().save_pretrained(folder / "clap")
        self.tokenizer.save_pretrained(folder / "tokenizer")


def feature_extractor() -> ClapFeatureExtractor:
    """The extractor whose config tells the engine what the audio tower hears."""
    return ClapFeatureExtractor(
        feature_size=64,
        sampling_rate=RATE,
        hop_length=320,
        max_length_s=WINDOW_SAMPLES // RATE,
        fft_window_size=1024,
        frequency_min=0,
        frequency_max=8000,
        truncation="rand_trunc",
        padding="repeatpad",
    )


def _part(model: ClapModel, tower: str) -> dict[str, Tensor]:
    parts = (f"{tower}_model.", f"{tower}_projection.")
    return {k: v.contiguous() for k, v in model.state_dict().items() if k.startswith(parts)}


@dataclass(frozen=True)
class Lessons:
    """What the text tower is taught: single words, phrases and captions, with the teacher's
    embeddings, shape = (n_texts, 384)."""

    texts: list[str]
    embeddings: NDArray[np.float16]
    n_words: int

    def draw(self, rng: np.random.Generator, n: int, words_share: float = 0.5) -> NDArray[np.int64]:
        """Indices of `n` texts, `words_share` of them single words."""
        n_words = round(words_share * n)
        words = rng.integers(self.n_words, size=n_words)
        return np.concatenate(
            (words, rng.integers(self.n_words, len(self.texts), size=n - n_words))
        )

    @staticmethod
    def are_in(folder: Path) -> bool:
        """Whether a folder keeps lessons."""
        return (folder / "lessons.json").exists()

    @classmethod
    def make(
        cls,
        words: list[str],
        captions: list[str],
        folder: Path,
        taught: NDArray[np.float16] | None = None,
    ) -> None:
        """Keep the teacher's embeddings of `words`, or `taught` in their place, and those of
        phrases of them and of some captions."""
        unique = sorted(set(captions))
        some = np.random.default_rng(0).permutation(len(unique))[:TEACHER_TEXTS]
        others = phrases(words, TEACHER_TEXTS) + [unique[i] for i in some]
        taught = teach(words) if taught is None else taught
        np.save(folder / "lessons.npy", np.concatenate((taught, teach(others))))
        texts = words + others
        (folder / "lessons.json").write_text(json.dumps({"n_words": len(words), "texts": texts}))

    @classmethod
    def read(cls, folder: Path) -> Lessons:
        """What `make` kept."""
        kept = json.loads((folder / "lessons.json").read_text())
        embeddings = np.load(folder / "lessons.npy", mmap_mode="r")
        return cls(kept["texts"], embeddings, kept["n_words"])


def _tokenizer(corpus: Corpus, folder: Path) -> BertTokenizerFast:
    """The tokenizer, kept in `folder`, whatever clips the corpus gains later."""
    if not (folder / "tokenizer").exists():
        captions = _captions(corpus)
        build_tokenizer(captions, _taught_words(captions), folder / "tokenizer")
    return BertTokenizerFast.from_pretrained(folder / "tokenizer")


def _captions(corpus: Corpus) -> list[str]:
    return [c for _, entry in corpus.clips for c in entry.captions]


def _taught_words(captions: list[str]) -> list[str]:
    return domain_words(english_words(), sorted(set(captions)))
