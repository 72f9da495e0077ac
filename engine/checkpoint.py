"""A checkpoint folder in AudioLDM's diffusers layout: found, checked, loaded.

    unet/  vae/  vocoder/  text_encoder/  tokenizer/  scheduler/     needed
    clap/                                 transformers' ClapModel    optional: the audio tower
    retake.json                           {"name", "window_frames", "n_fft"}      optional

A folder whose retake.json names a `base` holds only what was learned on top; see `adapter`.
Every number the engine works with comes from these configs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine import adapter
from engine.errors import CheckpointError
from engine.weights import build, fill, read_json, read_weights, refuse

POCKET = Path(__file__).parent / "pocket"
#: AudioLDM was trained on 10.24 s; its configs don't say so.
WINDOW_FRAMES = 1024
N_FFT = 1024
#: What the audio tower's front end is made from.
FEATURE_KEYS = (
    "sampling_rate",
    "max_length_s",
    "fft_window_size",
    "hop_length",
    "feature_size",
    "frequency_min",
    "frequency_max",
)
#: diffusers renamed these in 2023; AudioLDM's VAE files have the old names.
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True)
class Geometry:
    """The model domain's clocks and grids.

    Parameters
    ----------
    rate : int
        Samples a second.
    hop_samples, n_fft, n_mels : int
        The mel front end; `n_mels` bins from 0 Hz to `rate` / 2.
    stride : int
        Mel frames, and mel bins, a latent cell.
    latent_channels : int
    window_frames : int
        Mel frames the diffusion model sees at once.
    multiple_cells : int
        The UNet halves its grid so often: lengths are padded to multiples of this.
    """

    rate: int
    hop_samples: int
    n_fft: int
    n_mels: int
    stride: int
    latent_channels: int
    window_frames: int
    multiple_cells: int

    @property
    def cell_samples(self) -> int:
        """Samples a latent cell."""
        return self.hop_samples * self.stride

    @property
    def window_cells(self) -> int:
        """Latent cells the diffusion model sees at once."""
        return self.window_frames // self.stride

    @property
    def latent_bins(self) -> int:
        """Latent cells over the mel axis."""
        return self.n_mels // self.stride


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a folder holds, on the CPU in fp32, checked to fit together.

    `audio_tower` is None where the folder has no clap/; `audio_features` is its feature extractor's
    config. `scheduler` is the scheduler's config.
    """

    name: str
    folder: Path
    geometry: Geometry
    scaling_factor: float
    unet: nn.Module
    vae: nn.Module
    vocoder: nn.Module
    text_encoder: nn.Module
    tokenizer: Any
    scheduler: Mapping[str, Any]
    audio_tower: nn.Module | None
    audio_features: Mapping[str, Any] | None


def find(checkpoint: str | Path) -> Path:
    """The folder of a checkpoint: `pocket`, a path, or a hub id that is in the local cache.

    Raises
    ------
    CheckpointError
        `unknown-model`: nothing of that name here. Nothing is ever downloaded.
    """
    if str(checkpoint) == "pocket":
        return POCKET
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    cached = _cached(str(checkpoint))
    if cached is not None:
        return cached
    raise CheckpointError(
        "unknown-model",
        f"no checkpoint is called {str(checkpoint)!r}; give 'pocket', a folder in AudioLDM's "
        "layout, or a hub id fetched before with `hf download ID`",
    )


def _cached(hub_id: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def load_checkpoint(checkpoint: str | Path) -> Checkpoint:
    """Load and check every part of a checkpoint.

    Raises
    ------
    CheckpointError
        `unknown-model`; `model-unavailable` naming the part that is missing, pickled, broken, of a
        wrong shape, or doesn't fit the others.
    """
    folder = find(checkpoint)
    about = read_json(folder / "retake.json", ".") if (folder / "retake.json").is_file() else {}
    base = adapter.base_of(folder, about)
    if base is not None:
        return _on_base(folder, about, base)
    unet, vae = _unet(folder / "unet"), _vae(folder / "vae")
    vocoder, text_encoder = _vocoder(folder / "vocoder"), _text_encoder(folder / "text_encoder")
    audio_tower, audio_features = _audio_tower(folder / "clap", text_encoder)
    _check_fit(unet, vae, vocoder, text_encoder)
    return Checkpoint(
        name=str(about.get("name", folder.name)),
        folder=folder,
        geometry=_geometry(unet, vae, vocoder, about),
        scaling_factor=float(vae.config.scaling_factor),
        unet=unet,
        vae=vae,
        vocoder=vocoder,
        text_encoder=text_encoder,
        tokenizer=_tokenizer(folder / "tokenizer"),
        scheduler=_scheduler(folder / "scheduler"),
        audio_tower=audio_tower,
        audio_features=audio_features,
    )


def _on_base(folder: Path, about: Mapping[str, Any], base: str | Path) -> Checkpoint:
    if Path(base).expanduser().resolve() == folder.resolve():
        raise CheckpointError("model-unavailable", f"{folder} names itself as its base")
    try:
        found = load_checkpoint(base)
    except RecursionError:
        raise CheckpointError(
            "model-unavailable", f"the bases of {folder} go in a circle"
        ) from None
    adapter.add(found.unet, folder, about)
    return replace(found, name=str(about.get("name", folder.name)), folder=folder)


def _unet(folder: Path) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = _config(folder, "UNet2DConditionModel")
    weights = read_weights(folder, "diffusion_pytorch_model", "unet")
    return fill(build("unet", lambda: UNet2DConditionModel.from_config(config)), weights, "unet")


def _vae(folder: Path) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    config = _config(folder, "AutoencoderKL")
    weights = read_weights(folder, "diffusion_pytorch_model", "vae")
    weights = {_new_name(name): value for name, value in weights.items()}
    return fill(build("vae", lambda: AutoencoderKL.from_config(config)), weights, "vae")


def _new_name(name: str) -> str:
    head, _, last = name.rpartition(".")
    stem, _, layer = head.rpartition(".")
    if ".attentions." in name and layer in OLD_ATTENTION:
        return f"{stem}.{OLD_ATTENTION[layer]}.{last}"
    return name


def _vocoder(folder: Path) -> Any:
    from engine.vocoder import load_vocoder

    return load_vocoder(folder)


def _text_encoder(folder: Path) -> Any:
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    config = read_json(folder / "config.json", "text_encoder")
    weights = read_weights(folder, "model", "text_encoder")
    network = build(
        "text_encoder", lambda: ClapTextModelWithProjection(ClapTextConfig.from_dict(config))
    )
    return fill(network, _with_positions(weights, network.config), "text_encoder")


def _with_positions(weights: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """Counters that some versions of transformers save and others don't."""
    positions = torch.arange(config.max_position_embeddings)[None]
    start = "text_model.embeddings."
    counters = {f"{start}position_ids": positions, f"{start}token_type_ids": 0 * positions}
    return counters | weights


def _audio_tower(folder: Path, text_encoder: Any) -> tuple[Any, Mapping[str, Any] | None]:
    from transformers import ClapAudioConfig, ClapAudioModelWithProjection

    if not folder.is_dir():
        return None, None
    config = read_json(folder / "config.json", "clap")
    features = read_json(folder / "preprocessor_config.json", "clap")
    missing = [key for key in FEATURE_KEYS if key not in features]
    if missing:
        raise refuse("clap", f"its preprocessor_config.json lacks {missing[0]}; copy it again")
    weights = read_weights(folder, "model", "clap")
    width = config.get("projection_dim", 512)
    _same("clap", "projection_dim", width, "text_encoder/", text_encoder.config.projection_dim)
    _check_text_half(weights, text_encoder)
    audio = dict(config.get("audio_config") or {}, projection_dim=width)
    network = build("clap", lambda: ClapAudioModelWithProjection(ClapAudioConfig.from_dict(audio)))
    heard = {name: value for name, value in weights.items() if name.startswith("audio_")}
    return fill(network, heard, "clap"), features


def _check_text_half(weights: Mapping[str, Tensor], text_encoder: Any) -> None:
    """Sounds and texts can only be compared by the two halves of one CLAP."""
    name = "text_projection.linear1.weight"
    own, other = text_encoder.state_dict()[name], weights.get(name)
    if other is not None and (
        other.shape != own.shape or not torch.allclose(other, own, atol=0.01)
    ):
        raise refuse(
            "clap", "its text half is not text_encoder/; put the CLAP there that it comes from"
        )


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise refuse("tokenizer", f"it is missing from {folder.parent}; copy the whole checkpoint")
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the library raises whatever its parsers raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise refuse("tokenizer", f"it can't be read ({reason})") from error


def _scheduler(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "scheduler_config.json", "scheduler")
    kind = config.get("prediction_type", "epsilon")
    if kind not in ("epsilon", "v_prediction"):
        raise refuse(
            "scheduler", f"its prediction_type is {kind!r}; 'epsilon' and 'v_prediction' can be run"
        )
    return config


def _config(folder: Path, class_name: str) -> dict[str, Any]:
    config = read_json(folder / "config.json", folder.name)
    found = config.get("_class_name", class_name)
    if found != class_name:
        raise refuse(folder.name, f"it is a {found}; AudioLDM's layout has a {class_name} here")
    return config


def _geometry(unet: Any, vae: Any, vocoder: Any, about: Mapping[str, Any]) -> Geometry:
    stride = 2 ** (len(vae.config.block_out_channels) - 1)
    multiple = 2 ** (len(unet.config.block_out_channels) - 1)
    hop = prod(vocoder.config.upsample_rates)
    window, n_fft = about.get("window_frames", WINDOW_FRAMES), about.get("n_fft", N_FFT)
    if not isinstance(window, int) or window < 1 or window % (stride * multiple):
        raise _bad_about("window_frames", window, f"a multiple of {stride * multiple}")
    if not isinstance(n_fft, int) or n_fft < hop or (n_fft - hop) % 2:
        raise _bad_about("n_fft", n_fft, f"an even number more than the vocoder's hop of {hop}")
    return Geometry(
        rate=int(vocoder.config.sampling_rate),
        hop_samples=hop,
        n_fft=n_fft,
        n_mels=int(vocoder.config.model_in_dim),
        stride=stride,
        latent_channels=int(vae.config.latent_channels),
        window_frames=window,
        multiple_cells=multiple,
    )


def _bad_about(key: str, value: object, want: str) -> CheckpointError:
    return CheckpointError(
        "model-unavailable", f"retake.json's {key} is {value!r}; it must be {want}"
    )


def _check_fit(unet: Any, vae: Any, vocoder: Any, text_encoder: Any) -> None:
    """Each pair of configs that must agree, and what the engine counts on."""
    u, v = unet.config, vae.config
    stride = 2 ** (len(v.block_out_channels) - 1)
    width = text_encoder.config.projection_dim
    _same("unet", "in_channels", u.in_channels, "vae/ latent_channels", v.latent_channels)
    _same("unet", "out_channels", u.out_channels, "vae/ latent_channels", v.latent_channels)
    _same("vae", "in_channels", v.in_channels, "a mel's", 1)
    _same("vae", "out_channels", v.out_channels, "a mel's", 1)
    _same("unet", "class_embed_type", u.class_embed_type, "AudioLDM's", "simple_projection")
    inputs = u.projection_class_embeddings_input_dim
    _same(
        "unet",
        "projection_class_embeddings_input_dim",
        inputs,
        "text_encoder/ projection_dim",
        width,
    )
    attended = u.cross_attention_dim
    attended = (
        [attended] * len(u.block_out_channels) if isinstance(attended, int) else list(attended)
    )
    _same("unet", "cross_attention_dim", attended, "block_out_channels", list(u.block_out_channels))
    bins = vocoder.config.model_in_dim
    _same("vocoder", "model_in_dim modulo the VAE's stride", bins % stride, "a whole grid's", 0)


def _same(part: str, key: str, found: Any, other: str, wanted: Any) -> None:
    if found != wanted:
        raise refuse(part, f"its {key} is {found}, {other} is {wanted}; they must agree")
