"""Log-mel to latents and back, through the checkpoint's VAE, in windows.

A latent cell covers `stride` mel frames and `stride` mel bins. Windows overlap, and the outermost
part of each is discarded, so that no border is heard and memory stays flat however long the clip.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.device import Placement
from engine.kernels import prepared, turned_input, turned_output
from engine.windows import OnWindow, fitted_window, in_windows

#: Cells at a window's border that are context only, and the crossfade next to them.
DISCARD_CELLS = 4
OVERLAP_CELLS = 16


class Vae:
    """The VAE's door.

    Parameters
    ----------
    network : AutoencoderKL
        Changed for this door's use; see `kernels.prepared`.
    scaling_factor : float
        What the diffusion model's latents are multiplied by.
    stride : int
        Mel frames a cell.
    window_frames : int
        Mel frames encoded or decoded in one go, or up to a quarter more.
    placement : Placement
    """

    def __init__(
        self,
        network: Any,
        scaling_factor: float,
        stride: int,
        window_frames: int,
        placement: Placement,
    ) -> None:
        self._network = prepared(network, placement)
        self._scale, self._stride, self._placement = scaling_factor, stride, placement
        self._window = max(window_frames // stride, 2 * OVERLAP_CELLS)

    @torch.inference_mode()
    def encode(self, mel: Tensor, on_window: OnWindow | None = None) -> Tensor:
        """Latents of a log-mel: the mean of the VAE's posterior, scaled.

        Parameters
        ----------
        mel : Tensor, shape = (n_batch, n_frames, n_mels)
            Any number of frames from 1; the last one is repeated up to a whole cell. NaN gives NaN.
        on_window : callable, optional
            As in `in_windows`.

        Returns
        -------
        latents : Tensor, shape = (n_batch, n_channels, n_cells, n_bins), float32 on the CPU
            n_cells = ceil(n_frames / stride).
        """
        missing = -mel.shape[1] % self._stride
        mel = torch.cat((mel, mel[:, -1:].expand(-1, missing, -1)), dim=1)
        s = self._stride
        n_cells = mel.shape[1] // s
        cells = in_windows(
            self._encode_window,
            mel,
            window=fitted_window(n_cells, self._window, OVERLAP_CELLS) * s,
            overlap=OVERLAP_CELLS * s,
            discard=DISCARD_CELLS * s,
            ratio=1 / s,
            on_window=on_window,
        )
        return cells.transpose(1, 2).contiguous()

    @torch.inference_mode()
    def decode(self, latents: Tensor, on_window: OnWindow | None = None) -> Tensor:
        """Log-mel of latents.

        Parameters
        ----------
        latents : Tensor, shape = (n_batch, n_channels, n_cells, n_bins)
        on_window : callable, optional
            As in `in_windows`.

        Returns
        -------
        mel : Tensor, shape = (n_batch, n_cells * stride, n_bins * stride), float32 on the CPU
        """
        return in_windows(
            self._decode_window,
            latents.transpose(1, 2),
            window=fitted_window(latents.shape[2], self._window, OVERLAP_CELLS),
            overlap=OVERLAP_CELLS,
            discard=DISCARD_CELLS,
            ratio=self._stride,
            on_window=on_window,
        )

    def _encode_window(self, mel: Tensor) -> Tensor:  # (n_batch, t, f) -> (n_batch, cells, c, bins)
        posterior = self._network.encode(turned_input(mel[:, None], self._placement)).latent_dist
        return (turned_output(posterior.mean) * self._scale).transpose(1, 2)

    def _decode_window(self, cells: Tensor) -> Tensor:  # (n_batch, cells, c, bins) -> (b, t, f)
        latents = turned_input(cells.transpose(1, 2) / self._scale, self._placement)
        return turned_output(self._network.decode(latents).sample)[:, 0]
