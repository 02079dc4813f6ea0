"""Models and autoencoders from files. No code runs on load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rom.models.autoencoder import Autoencoder
from rom.models.file_format import AUTOENCODER_FILE, MODEL_FILE, read_model
from rom.models.reduced_order_model import ReducedOrderModel

__all__ = ["load", "load_autoencoder"]

if TYPE_CHECKING:
    import torch
    from torch import nn


def load(
    path: str | os.PathLike,
    device: str | torch.device = "cpu",
    *,
    modules: tuple[nn.Module, nn.Module] | None = None,
) -> ReducedOrderModel:
    """Load a model from the file that `ReducedOrderModel.save` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    device : str or torch.device
        Where the model computes: "cpu", "cuda", "auto", or a torch device.
    modules : tuple of torch.nn.Module, optional
        Encoder and decoder of the same classes, for a model that was fitted with modules of your own. Their weights
        come from the file.

    Returns
    -------
    ReducedOrderModel
        On the same device its forecasts are bitwise those of the model that was saved.

    Raises
    ------
    RomFileNotFoundError
        If there is no such file.
    RomFileError
        If the file is truncated, altered, foreign or of another schema, or `modules` do not fit it.
    RomValueError
        If the device does not exist.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import rom
    >>> t = np.linspace(0.0, 3.0, 31)
    >>> runs = np.stack([np.cos(t + k)[:, None] * [1.0, -0.5, 0.2] for k in range(4)])
    >>> config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1)
    >>> model = rom.fit(None, trajectories=(t, runs), latent_dim=1, config=config)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     model.save(path)
    ...     loaded = rom.load(path)
    >>> bool((loaded.encode(runs) == model.encode(runs)).all())
    True
    """
    stored = read_model(path, MODEL_FILE, device, modules)
    return ReducedOrderModel(stored.state, stored.layout, stored.config, stored.history)


def load_autoencoder(
    path: str | os.PathLike,
    device: str | torch.device = "cpu",
    *,
    modules: tuple[nn.Module, nn.Module] | None = None,
) -> Autoencoder:
    """Load an autoencoder from the file that `Autoencoder.save` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    device : str or torch.device
        Where the autoencoder computes: "cpu", "cuda", "auto", or a torch device.
    modules : tuple of torch.nn.Module, optional
        Encoder and decoder of the same classes, for one that was fitted with modules of your own.

    Returns
    -------
    Autoencoder
        On the same device its results are bitwise those of the one that was saved.

    Raises
    ------
    RomFileNotFoundError
        If there is no such file.
    RomFileError
        If the file is truncated, altered, foreign or of another schema, or `modules` do not fit it.
    RomValueError
        If the device does not exist.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import rom
    >>> angle = np.linspace(0.0, 6.0, 50)
    >>> data = np.stack([np.cos(angle), np.sin(angle), np.cos(angle) ** 2], axis=1)
    >>> config = rom.FitConfig(hidden=(), quadratic_decoder=False)
    >>> autoencoder = rom.fit_autoencoder(data, 2, config=config)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "autoencoder.safetensors")
    ...     autoencoder.save(path)
    ...     loaded = rom.load_autoencoder(path)
    >>> bool((loaded.encode(data) == autoencoder.encode(data)).all())
    True
    """
    stored = read_model(path, AUTOENCODER_FILE, device, modules)
    return Autoencoder(stored.state, stored.layout, stored.config, stored.history)
