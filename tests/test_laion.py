"""LAION's checkpoints: the package's own network, against transformers' ClapModel.

What needs the package is skipped only where it is not installed; see docs/engine.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny as tiny_checkpoint
import torch
from torch import Tensor, nn
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from engine import Engine, Generate, Region, Vary
from engine import laion_file as laion_door
from engine.checkpoint import POCKET, load_checkpoint
from engine.clap import similarity
from engine.device import choose
from engine.errors import CheckpointError, RequestError
from engine.laion import LaionClap, _as_16_bits, _find_tokenizer, _read_tokenizer, load_laion
from engine.laion_file import HOME, build_network, check_kind, read_weights
from engine.networks import Networks
from engine.ranking import hear
from engine.takes import guidance, own_guidance, take_seeds
from server.cli import build_parser, serve_settings
from server.editing import edit_on_server
from server.executor_process import worker_environment
from server.supervisor import worker_command

PACKAGE = importlib.util.find_spec("laion_clap")
needs_package = pytest.mark.skipif(PACKAGE is None, reason="laion-clap is not installed")

RATE, WINDOW = 48000, 480000
N_WORDS, N_POSITIONS = tiny_checkpoint.TEXT["vocab_size"], 82
#: ClapFeatureExtractor as laion/clap-htsat-unfused has it.
FEATURES = {
    "feature_size": 64,
    "sampling_rate": RATE,
    "hop_length": 480,
    "max_length_s": 10,
    "fft_window_size": 1024,
    "frequency_min": 50,
    "frequency_max": 14000,
    "truncation": "rand_trunc",
    "padding": "repeatpad",
}
#: The text branch is RoBERTa of full width (the package's projection wants it), but of one layer.
TEXT = {
    "vocab_size": N_WORDS,
    "hidden_size": 768,
    "num_hidden_layers": 1,
    "num_attention_heads": 12,
    "intermediate_size": 64,
    "max_position_embeddings": N_POSITIONS,
    "layer_norm_eps": 1e-5,
    "projection_dim": 512,
}
#: The package's names in transformers' words.
RENAMED = (
    ("audio_branch.", "audio_model.audio_encoder."),
    ("text_branch.", "text_model."),
    (".bn0.", ".batch_norm."),
    (".attn.relative", ".attention.self.relative"),
    (".attn.proj.", ".attention.output.dense."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    ("_projection.0.", "_projection.linear1."),
    ("_projection.2.", "_projection.linear2."),
)
#: What transformers' model has no place for: the front end, the classifier, the loss's own layers.
LEFT_OUT = ("_extractor.", "tscam_conv.", ".head.", ".attn_mask", "_transform.")


def random_weights() -> dict[str, Tensor]:
    """A state of the package's smallest network in which every weight is at work."""
    assert PACKAGE is not None
    folder = laion_door._package_folder()
    config = json.loads((folder / "model_configs" / "HTSAT-tiny.json").read_text())
    start = "text_branch.embeddings."
    shapes = {
        f"{start}word_embeddings.weight": torch.empty(N_WORDS, 768),
        f"{start}position_embeddings.weight": torch.empty(N_POSITIONS, 768),
        "text_branch.encoder.layer.0.intermediate.dense.weight": torch.empty(64, 768),
    }
    with torch.random.fork_rng():
        torch.manual_seed(3)
        weights = laion_door._network(config, shapes, folder, "random").state_dict()
        for name, value in weights.items():
            if value.is_floating_point() and not any(part in name for part in LEFT_OUT):
                value += 0.05 * torch.randn_like(value)
        weights["audio_branch.bn0.running_mean"].uniform_(-40.0, -20.0)
        weights["audio_branch.bn0.running_var"].uniform_(100.0, 400.0)
    return weights


def in_transformers_words(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The conversion: names, and query, key and value apart."""
    converted = {}
    for name, value in weights.items():
        if any(part in name for part in LEFT_OUT):
            continue
        for old, new in RENAMED:
            name = name.replace(old, new)
        if ".attn.qkv." in name:
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                converted[name.replace(".attn.qkv.", f".attention.self.{part}.")] = third
        else:
            converted[name] = value
    return converted


def save(path: Path, weights: dict[str, Tensor], **beside: Any) -> Path:
    """A checkpoint as LAION's training saves it: from several cards, with its state and figures."""
    state = {f"module.{name}": value for name, value in weights.items()}
    state["module.text_branch.embeddings.position_ids"] = torch.arange(N_POSITIONS)[None]
    figures = {"epoch": 3, "name": "model", "recall": np.float64(0.5), "loss": np.float32(2)}
    torch.save(figures | {"state_dict": state, "optimizer": {"state": {}}} | beside, path)
    return path


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return random_weights()


@pytest.fixture(scope="module")
def file(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("laion") / "630k-none-best.pt", weights)


@pytest.fixture(scope="module")
def laion(file: Path) -> LaionClap:
    def refuse(*_: object) -> None:
        raise AssertionError("loading asks the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return load_laion(file, tiny_checkpoint.tokenizer(), torch.device("cpu"))


@pytest.fixture(scope="module")
def theirs(weights: dict[str, Tensor]) -> ClapModel:
    model = ClapModel(ClapConfig(text_config=TEXT, audio_config={}, projection_dim=512)).eval()
    lacking = model.load_state_dict(in_transformers_words(weights), strict=False)
    assert lacking.unexpected_keys == []
    assert all(name.endswith(("position_ids", "token_type_ids")) for name in lacking.missing_keys)
    return model


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise under a moving envelope: no two stretches sound alike."""
    time = np.linspace(0, 1, n_samples)
    white = np.random.default_rng(seed).standard_normal(n_samples)
    return (0.2 * white * np.sin(2 + 5 * time) ** 2).astype(np.float32)


@needs_package
class TestEmbeddings:
    @pytest.mark.parametrize("n_samples", [WINDOW, 3 * RATE + 7, 1])
    def test_audio_equals_transformers(
        self, laion: LaionClap, theirs: ClapModel, n_samples: int
    ) -> None:
        wave = noise(n_samples)
        in_16_bits = (np.clip(wave, -1, 1) * 32767).astype(np.int16) / 32767
        inputs = ClapFeatureExtractor(**FEATURES)(
            in_16_bits, sampling_rate=RATE, return_tensors="pt"
        )
        with torch.inference_mode():
            wanted = theirs.get_audio_features(inputs["input_features"].float()).pooler_output[0]
        assert (laion.audio(wave, RATE) - wanted).abs().max() < 1e-4

    @pytest.mark.parametrize("text", ["heavy rain", "", "🎉 ünïcode", "a" * 500])
    def test_text_equals_transformers(self, laion: LaionClap, theirs: ClapModel, text: str) -> None:
        tokens = tiny_checkpoint.tokenizer()(
            [text], padding="max_length", truncation=True, max_length=77, return_tensors="pt"
        )
        with torch.inference_mode():
            wanted = theirs.get_text_features(
                tokens.input_ids, attention_mask=tokens.attention_mask
            ).pooler_output[0]
        assert (laion.text(text) - wanted).abs().max() < 1e-4

    def test_they_tell_sounds_and_texts_apart(self, laion: LaionClap) -> None:
        """So that the two tests above can fail."""
        tone = np.sin(np.arange(WINDOW) * 0.05).astype(np.float32)
        assert (laion.audio(tone, RATE) - laion.audio(noise(WINDOW), RATE)).abs().max() > 1e-2
        assert (laion.text("rain") - laion.text("a dog barks")).abs().max() > 1e-2

    def test_long_sounds_are_heard_whole_and_always_the_same(self, laion: LaionClap) -> None:
        parts = noise(WINDOW, 1), noise(WINDOW, 2)
        whole = laion.audio(np.concatenate(parts), RATE)
        wanted = sum(laion.audio(part, RATE) for part in parts)
        assert torch.allclose(whole, nn.functional.normalize(wanted, dim=-1), atol=1e-6)

    def test_other_rates_are_resampled(self, laion: LaionClap) -> None:
        tones = [np.sin(np.arange(3 * r) * 2 * np.pi * 440 / r) for r in (RATE, 16000)]
        first, second = (laion.audio(0.1 * t, len(t) // 3) for t in tones)
        assert similarity(first, second) > 0.999

    @pytest.mark.parametrize("wave", [np.zeros(100), 5 * noise(400), np.ones(1)])
    def test_odd_sounds_are_unit_vectors(self, laion: LaionClap, wave: np.ndarray) -> None:
        assert float(laion.audio(wave, RATE).norm()) == pytest.approx(1.0, abs=1e-5)

    def test_nan_stays_nan(self, laion: LaionClap) -> None:
        assert laion.audio(np.full(400, np.nan), RATE).isnan().all()


@needs_package
class TestRanking:
    def test_an_engine_ranks_by_it(self, file: Path, tiny_folder: Path, tiny: Engine) -> None:
        engine = Engine.load(tiny_folder, device="cpu", dtype="fp32", ranker=file)
        ranker = engine.networks.ranker
        assert isinstance(ranker, LaionClap)
        edit = Generate(prompt="heavy rain", seconds=0.5, steps=1, takes=3, seed=4, rate=RATE)
        takes, usual = engine.takes(None, edit), tiny.takes(None, edit)
        for take in takes:
            same = next(other for other in usual if other.seed == take.seed)
            assert np.array_equal(take.samples, same.samples)  # it judges; it changes nothing
            heard = hear(engine.networks, Region(take.samples, take.rate))
            assert len(heard) == 512
            assert take.score == pytest.approx(similarity(heard, ranker.text("heavy rain")))
        scores = [take.score for take in takes]
        assert scores == sorted(scores, reverse=True)
        assert {take.seed for take in takes} == set(take_seeds(edit))

    def test_it_hears_takes_at_its_own_rate(self, laion: LaionClap, tiny_folder: Path) -> None:
        """What a take has above the model's band counts."""
        networks = Networks(load_checkpoint(tiny_folder), choose("cpu", "fp32"))
        high = np.sin(np.arange(RATE) * 2 * np.pi * 11000 / RATE)[:, None].astype(np.float32)
        at_16_khz = hear(networks, Region(high, RATE))
        networks.rank_with(laion)
        assert len(at_16_khz) == tiny_checkpoint.EMBEDDING
        tone = laion.audio(0.1 * high[:, 0], RATE)
        assert similarity(hear(networks, Region(high, RATE)), tone) > 0.99
        assert similarity(hear(networks, Region(0 * high, RATE)), tone) < 0.99

    def test_another_space_steers_nothing(self, laion: LaionClap, tmp_path: Path) -> None:
        networks = self.without_ears(tmp_path)
        networks.rank_with(laion)
        assert not networks.clap.hears
        pull = guidance(networks, Vary(), noise(16000))
        assert torch.equal(pull.towards, networks.clap.text(""))

    def test_the_models_own_clap_gives_it_ears(
        self, laion: LaionClap, theirs: ClapModel, tmp_path: Path
    ) -> None:
        """An AudioLDM folder has CLAP's text half alone: with the whole of it `vary` hears."""
        networks = self.without_ears(tmp_path, theirs)
        networks.rank_with(laion)
        assert networks.clap.hears
        source = noise(16000)
        pull = own_guidance(networks, Vary(), source)
        assert torch.equal(pull.towards, laion.audio(source, networks.rate))

    @staticmethod
    def without_ears(folder: Path, clap: ClapModel | None = None) -> Networks:
        """A checkpoint with a text encoder alone: of the size of LAION's, or its very own."""
        tiny_checkpoint.build(
            folder, clap=False, text=TEXT, unet={"projection_class_embeddings_input_dim": 512}
        )
        parts = load_checkpoint(folder)
        if clap is not None:
            parts.text_encoder.text_model.load_state_dict(clap.text_model.state_dict())
            parts.text_encoder.text_projection.load_state_dict(clap.text_projection.state_dict())
        return Networks(parts, choose("cpu", "fp32"))


def test_16_bits_are_those_of_integers() -> None:
    wave = np.random.default_rng(0).uniform(-1.2, 1.2, 10000).astype(np.float32)
    wave[:4] = 0.0, 1.0, -1.0, 3e-5
    wanted = ((np.clip(wave, -1, 1) * 32767.0).astype(np.int16) / 32767.0).astype(np.float32)
    assert np.array_equal(_as_16_bits(torch.from_numpy(wave)).numpy(), wanted)


class _Made:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self._path),)


#: As little as tells which model a checkpoint is of.
KIND = {
    "audio_branch.patch_embed.proj.weight": torch.zeros(96, 1, 4, 4),
    "audio_branch.norm.weight": torch.zeros(768),
    "text_branch.embeddings.word_embeddings.weight": torch.zeros(N_WORDS, 768),
    "text_branch.embeddings.token_type_embeddings.weight": torch.zeros(1, 768),
}


class TestFiles:
    def test_weights_are_read_from_among_other_things(self, tmp_path: Path) -> None:
        halves = {name: value.half() for name, value in KIND.items()}
        found = read_weights(save(tmp_path / "laion.pt", halves))
        assert list(found) == list(KIND)
        assert {value.dtype for value in found.values()} == {torch.float32}

    def test_weights_alone_are_read_too(self, tmp_path: Path) -> None:
        torch.save(KIND, tmp_path / "laion.pt")
        assert list(read_weights(tmp_path / "laion.pt")) == list(KIND)

    def test_no_code_of_a_file_runs(self, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        save(tmp_path / "laion.pt", KIND, more=_Made(mark))
        with pytest.raises(CheckpointError, match=r"holds a \w+\.mkdir, and reading that"):
            read_weights(tmp_path / "laion.pt")
        assert not mark.exists()

    def test_pickled_objects_are_refused(self, tmp_path: Path) -> None:
        save(tmp_path / "laion.pt", KIND, args=argparse.Namespace(lr=1))
        with pytest.raises(CheckpointError, match=r"holds a argparse\.Namespace.*state_dict"):
            read_weights(tmp_path / "laion.pt")

    def test_other_pickles_are_refused(self, tmp_path: Path) -> None:
        torch.save(KIND, tmp_path / "laion.pt", pickle_protocol=4)
        with pytest.raises(CheckpointError, match="save its weights alone"):
            read_weights(tmp_path / "laion.pt")

    def test_what_is_no_checkpoint_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "laion.pt"
        with pytest.raises(CheckpointError, match="there is no file") as caught:
            read_weights(path)
        assert caught.value.code == "unknown-model"
        for content in (b"", b"not a checkpoint", pickle.dumps({})):
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match="no whole file"):
                read_weights(path)
        save(path, KIND)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(CheckpointError, match="no whole file"):
            read_weights(path)

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            ([1, 2], "holds list"),
            ({}, "holds dict"),
            ({"state_dict": {"audio_branch.a": 3}}, "'audio_branch.a' in it is no tensor"),
        ],
    )
    def test_what_holds_no_weights_is_said(self, tmp_path: Path, content: Any, word: str) -> None:
        torch.save(content, tmp_path / "laion.pt")
        with pytest.raises(CheckpointError, match=word):
            read_weights(tmp_path / "laion.pt")

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({}, ""),
            ({"audio_branch.patch_embed.mel_conv2d.weight": torch.zeros(1)}, "fusion"),
            ({"audio_branch.patch_embed.proj.weight": torch.zeros(96, 4, 4, 4)}, "fusion"),
            ({"audio_branch.patch_embed.proj.weight": None}, "no HTSAT"),
            (dict.fromkeys([k for k in KIND if "audio" in k]), "no audio_branch"),
            (dict.fromkeys(KIND), "it has nothing"),
            ({"text_branch.embeddings.word_embeddings.weight": None}, "not RoBERTa"),
            (
                {"text_branch.embeddings.token_type_embeddings.weight": torch.zeros(2, 768)},
                "not RoBERTa",
            ),
        ],
    )
    def test_other_kinds_are_said(self, change: dict[str, Tensor | None], word: str) -> None:
        weights = {name: w for name, w in (KIND | change).items() if w is not None}
        if not word:
            check_kind(weights, "laion.pt")
            return
        with pytest.raises(CheckpointError, match=word):
            check_kind(weights, "laion.pt")

    def test_weights_fit_or_are_refused(self) -> None:
        layer = nn.Linear(2, 1)
        good = {name: torch.ones_like(value) for name, value in layer.state_dict().items()}
        laion_door._filled(layer, good, "laion.pt")
        assert layer(torch.ones(2)).detach().tolist() == [3.0]
        for bad, word in (
            ({"weight": good["weight"]}, "lacks bias"),
            (good | {"bias": torch.ones(2)}, r"bias is \(2,\); the package's is \(1,\)"),
            (good | {"more": torch.ones(2)}, "holds more"),
        ):
            with pytest.raises(CheckpointError, match=word):
                laion_door._filled(layer, bad, "laion.pt")


class TestTokenizer:
    def test_the_models_own_is_taken_where_it_fits(self, tmp_path: Path) -> None:
        own = tiny_checkpoint.tokenizer()
        assert _find_tokenizer(tmp_path / "laion.pt", own, N_WORDS) is own

    def test_a_folder_beside_the_file_comes_first(self, tmp_path: Path) -> None:
        own = tiny_checkpoint.tokenizer()
        own.save_pretrained(tmp_path / "tokenizer")
        found = _find_tokenizer(tmp_path / "laion.pt", own, N_WORDS)
        assert found is not own
        assert found("rain").input_ids == own("rain").input_ids
        with pytest.raises(CheckpointError, match="tokenizer has 261 words and its text branch 9;"):
            _find_tokenizer(tmp_path / "laion.pt", own, 9)
        (tmp_path / "tokenizer" / "tokenizer.json").write_text("{")
        with pytest.raises(CheckpointError, match="no tokenizer can be read there"):
            _find_tokenizer(tmp_path / "laion.pt", own, N_WORDS)

    def test_without_one_it_is_said_what_to_put_where(self, tmp_path: Path) -> None:
        pocket = _read_tokenizer(POCKET / "tokenizer")
        with pytest.raises(CheckpointError, match=r"put roberta-base's into .*tokenizer, for"):
            _find_tokenizer(tmp_path / "laion.pt", pocket, N_WORDS)


class TestPackage:
    def test_without_it_the_error_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "laion_clap", None)
        with pytest.raises(CheckpointError, match="pip install --no-deps laion-clap"):
            build_network(KIND, "laion.pt")

    @needs_package
    def test_its_hub_door_is_never_opened(self, laion: LaionClap) -> None:
        """Importing the package itself would fetch three tokenizers."""
        assert "laion_clap" not in sys.modules
        assert not hasattr(sys.modules[f"{HOME}.utils"], "FrozenBatchNorm2d")  # torchvision's

    @needs_package
    def test_a_size_it_does_not_know_is_said(self) -> None:
        with pytest.raises(CheckpointError, match="no HTSAT of width 768 that hears 0 samples"):
            build_network(KIND, "laion.pt")

    @needs_package
    @pytest.mark.parametrize(
        ("line", "word"),
        [
            ("import torchvision", "needs torchvision; install the build that goes with your"),
            ("import torchlibrosa.no_such", "needs torchlibrosa; .* -m pip install torchlibrosa"),
            ("from torchlibrosa import no_such", "can't be imported"),
        ],
    )
    def test_what_it_lacks_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, word: str
    ) -> None:
        """Of another version, whose model asks for more."""
        folder = shutil.copytree(laion_door._package_folder(), tmp_path / "clap_module")
        htsat = folder / "htsat.py"
        htsat.write_text(f"{line}\n{htsat.read_text()}")
        for name in [name for name in sys.modules if name.split(".")[0] == HOME]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "torchvision", None)
        with pytest.raises(CheckpointError, match=word):
            laion_door._definition(folder)
        assert HOME not in sys.modules


class TestCommandLine:
    def test_the_worker_gets_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        settings = serve_settings(build_parser().parse_args(["serve", "--ranker", "laion.pt"]))
        assert settings.ranker == str(tmp_path / "laion.pt")
        command = worker_command("pocket", "cpu", settings.ranker)
        assert command[-2:] == ["--ranker", settings.ranker]
        assert "--ranker" not in worker_command("pocket", "cpu")

    def test_the_worker_loads_it(self, tiny_folder: Path, tmp_path: Path) -> None:
        command = worker_command(str(tiny_folder), "cpu", str(tmp_path / "laion.pt"))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, env=worker_environment(), **pipes) as worker:
            assert worker.stdout is not None
            events = map(json.loads, worker.stdout)
            ready = next(event for event in events if event["event"] == "ready")
            worker.kill()
        assert ready["code"] == "unknown-model"
        assert "laion.pt" in ready["message"]

    def test_a_server_has_its_own(self) -> None:
        options = build_parser().parse_args(
            ["vary", "a.wav", "-o", "b.wav", "--server", "--ranker", "laion.pt"]
        )
        with pytest.raises(RequestError, match="--ranker is the server's to choose"):
            edit_on_server(options, None, lambda *_: None)  # type: ignore[arg-type]

    @pytest.mark.parametrize("option", ["--ranker laion.pt", "--threads 2", "--compile"])
    def test_a_cluster_has_none(self, option: str) -> None:
        options = ["serve", "--executor", "ray", *option.split()]
        with pytest.raises(RequestError, match=f"{option.split()[0]} needs --executor local"):
            serve_settings(build_parser().parse_args(options))
