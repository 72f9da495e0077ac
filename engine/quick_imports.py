"""diffusers and transformers without what they load on the side, for processes that only edit.

Importing them is most of what a worker does before its first job, and a good part of that goes to
what no edit uses: adapters and launchers for training where these are installed, every transformer
diffusers knows, and a list of the files of every installed package.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

log = logging.getLogger("retake.engine")

#: Loaded by the two wherever they are installed.
NOT_NEEDED = ("accelerate", "peft", "sklearn")
#: Its __init__ loads all of its files; the UNet needs two.
ALL_TRANSFORMERS = "diffusers.models.transformers"
NEEDED = (
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.schedulers.scheduling_dpmsolver_multistep",
    "diffusers.schedulers.scheduling_ddim",
    "transformers.models.clap.modeling_clap",
)


def import_networks() -> None:
    """Import the networks' classes, if nobody has yet.

    Afterwards everything can be imported as ever; only that the two libraries take NOT_NEEDED for
    not installed in this process. Other versions of them may be laid out in another way: then
    whoever needs them imports them the long way.
    """
    if "diffusers" in sys.modules or "transformers" in sys.modules:
        return
    try:
        with _hidden(NOT_NEEDED), _without_package_list(), _bare(ALL_TRANSFORMERS):
            for name in NEEDED:
                importlib.import_module(name)
    except Exception as error:  # libraries wrap what went wrong in whatever they like
        log.info("the networks' libraries are imported the long way: %s", error)


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Modules that can't be found meanwhile."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: it can't be found
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _without_package_list() -> Iterator[None]:
    """No list of which installed package holds which module: diffusers asks for it, which looks at
    every file of every package, and needs it for what has another name than its package."""
    whole = importlib.metadata.packages_distributions
    importlib.metadata.packages_distributions = dict
    try:
        yield
    finally:
        importlib.metadata.packages_distributions = whole


@contextmanager
def _bare(name: str) -> Iterator[None]:
    """A package whose files can be imported meanwhile without its __init__."""
    parent_name, _, own = name.rpartition(".")
    parent = importlib.import_module(parent_name)
    bare = ModuleType(name)
    bare.__path__ = [str(Path(path) / own) for path in parent.__path__]
    sys.modules[name] = bare
    try:
        yield
    finally:
        del sys.modules[name]
        with suppress(AttributeError):
            delattr(parent, own)
