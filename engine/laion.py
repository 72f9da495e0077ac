"""LAION's own CLAP checkpoints (.pt), to judge takes with: the `laion` extra.

Texts and sounds as unit vectors of one space, as in clap.py, but a checkpoint of its own: its
embeddings steer no edit, unless the model's text encoder is the very one it has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from engine.cache import Cache
from engine.clap import MAX_TEXT_BYTES, MAX_TEXTS, mean_direction, resampled
from engine.errors import CheckpointError
from engine.laion_file import build_network, check_kind, read_weights, refuse
from engine.progress import OnPart, unheard
from engine.windows import window_starts

#: RoBERTa's tokenizer in the hub's cache, where somebody fetched it.
TOKENIZER_ID = "roberta-base"
#: What RoBERTa calls the start, padding and end of a text.
START, PADDING, END = 0, 1, 2
INT16_PEAK = 32767.0
#: A text tower is the checkpoint's own where its last weights are equal up to fp16's rounding.
SAME_ATOL = 1e-3


class LaionClap:
    """Texts and sounds as unit vectors, as a LAION checkpoint hears them. In fp32.

    The front end is LAION's: 48 kHz mono, rounded to 16 bits; a sound under ten seconds is repeated
    whole times, then padded with zeros ("repeatpad"); log-mel by torchlibrosa inside the network.
    Of a longer sound LAION hears ten seconds chosen by chance ("rand_trunc"); here it is heard in
    evenly spread windows and their embeddings are averaged, so that a sound always has the same
    embedding.

    Parameters
    ----------
    network : laion_clap.clap_module.model.CLAP
    tokenizer : RobertaTokenizer
    device : torch.device
    """

    hears = True

    def __init__(self, network: Any, tokenizer: Any, device: torch.device) -> None:
        self._network = network.to(device).eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self.rate = int(network.audio_cfg.sample_rate)
        self.window_samples = int(network.audio_cfg.clip_samples)
        self.texts = Cache(MAX_TEXT_BYTES, MAX_TEXTS)

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read; what is longer is cut off."""
        positions = int(self._network.text_branch.config.max_position_embeddings)
        return min(int(self._network.context_length), positions - 2)

    def text(self, text: str) -> Tensor:
        """Embedding of a text, shape = (width,), on the CPU, of length 1. Empty texts are fine."""
        return self.texts.get(text, lambda: self._embed_text(text), lambda answer: answer.nbytes)

    @torch.inference_mode()
    def _embed_text(self, text: str) -> Tensor:
        # LAION pads every text to 77 tokens; what the mask hides changes nothing.
        tokens = self._tokenizer(
            [text], truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        data = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        embedding: Tensor = self._network.get_text_embedding(data)[0].float().cpu()
        return embedding

    @torch.inference_mode()
    def audio(
        self, wave: npt.NDArray[np.floating[Any]], rate: int, on_part: OnPart = unheard
    ) -> Tensor:
        """Embedding of a sound, shape = (width,), on the CPU, of length 1.

        Silence has an embedding too. What is over full scale is clipped. NaN gives NaN.

        Parameters
        ----------
        wave : ndarray, shape = (n_samples,)
            At least one sample, at any rate.
        rate : int
        on_part : callable, optional
            As in `Clap.audio`.
        """
        samples = _as_16_bits(resampled(wave, rate, self.rate))
        window = self.window_samples
        starts = window_starts(len(samples), window, 0)
        heard = (self._embed_window(_repeated(samples[at : at + window], window)) for at in starts)
        return mean_direction(heard, len(starts), on_part)

    def _embed_window(self, samples: Tensor) -> Tensor:  # (window_samples,) -> (width,)
        data = {"waveform": samples, "longer": torch.tensor([False])}
        embedding: Tensor = self._network.get_audio_embedding([data])[0].float().cpu()
        return embedding

    def shares_space_with(self, text_encoder: nn.Module) -> bool:
        """Whether a ClapTextModelWithProjection is this checkpoint's own text half.

        Then its embeddings and these lie in one space, and one may stand for the other.
        """
        theirs = text_encoder.state_dict()
        for layer in (0, 2):
            own = self._network.text_projection[layer].weight.cpu()
            other = theirs[f"text_projection.linear{layer // 2 + 1}.weight"].cpu().float()
            if own.shape != other.shape or not torch.allclose(own, other, atol=SAME_ATOL):
                return False
        return True


def _as_16_bits(samples: Tensor) -> Tensor:
    return torch.trunc(samples.clamp(-1.0, 1.0) * INT16_PEAK) / INT16_PEAK


def _repeated(samples: Tensor, n_samples: int) -> Tensor:
    whole = samples.repeat(n_samples // len(samples))
    return nn.functional.pad(whole, (0, n_samples - len(whole)))


def load_laion(file: str | Path, tokenizer: Any, device: torch.device) -> LaionClap:
    """Load a LAION checkpoint.

    Parameters
    ----------
    file : str or Path
        Such as 630k-audioset-best.pt.
    tokenizer : Any
        The model's own: used if it is RoBERTa's and no folder `tokenizer` lies beside the file.
    device : torch.device

    Raises
    ------
    CheckpointError
        `unknown-model`: no such file. `model-unavailable`: it holds more than weights, is broken,
        is of another kind (fusion, PANN, BERT), or the package or a tokenizer is missing.
    """
    path = Path(file).expanduser()
    weights = read_weights(path)
    check_kind(weights, path.name)
    n_words = len(weights["text_branch.embeddings.word_embeddings.weight"])
    words = _find_tokenizer(path, tokenizer, n_words)
    return LaionClap(build_network(weights, path.name), words, device)


def _find_tokenizer(path: Path, own: Any, n_words: int) -> Any:
    """The tokenizer beside the file, else the model's, else the hub cache's.

    A tokenizer in the wrong place would rank by nonsense, so it must have as many words as the
    text branch, and RoBERTa's marks.
    """
    folder = path.parent / "tokenizer"
    if folder.is_dir():
        beside = _read_tokenizer(folder)
        if not _fits(beside, n_words):
            raise refuse(
                path.name,
                f"{folder} has {len(beside)} words and its text branch {n_words}; put "
                f"{TOKENIZER_ID}'s tokenizer there",
            )
        return beside
    if _fits(own, n_words):
        return own
    cached = _cached_tokenizer()
    if cached is not None and _fits(cached, n_words):
        return cached
    raise refuse(
        path.name,
        f"it needs RoBERTa's tokenizer, which this model has not; put {TOKENIZER_ID}'s into "
        f"{folder}, for instance the tokenizer/ of an AudioLDM folder",
    )


def _fits(tokenizer: Any, n_words: int) -> bool:
    marks = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    return len(tokenizer) == n_words and marks == (START, PADDING, END)


def _read_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the library raises whatever its parsers raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise refuse(str(folder), f"no tokenizer can be read there ({reason})") from error


def _cached_tokenizer() -> Any:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(TOKENIZER_ID, local_files_only=True)
        return _read_tokenizer(Path(folder))
    except (OSError, ValueError, CheckpointError):
        return None
