"""The result of `rom.fit_autoencoder`: encode, decode, denoise, detect anomalies, and make new samples."""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.data.states import StatesLike
from rom.models.base import LatentModel
from rom.models.file_format import AUTOENCODER_FILE
from rom.models.modules import AutoencoderState
from rom.utils.checks import require_integer, require_number
from rom.utils.errors import RomValueError

__all__ = ["Autoencoder"]

FEW_GROUPS = 20  # calibrating groups below which a false-positive rate is only a guess


class Autoencoder(LatentModel[AutoencoderState]):
    """An encoder z = phi(x) and a decoder x = psi(z).

    `rom.fit_autoencoder` and `rom.load_autoencoder` return it.

    Attributes
    ----------
    config : FitConfig
        Configuration of the fit.
    history : xarray.Dataset
        The record of the fit: losses by step, and how well it reconstructs as attributes.

    Examples
    --------
    >>> import numpy as np
    >>> import rom
    >>> angle = np.linspace(0.0, 6.0, 60)
    >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
    >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
    >>> autoencoder.compression_ratio
    1.5
    >>> bool(np.allclose(autoencoder.reconstruct(data), data, atol=1e-5))
    True
    """

    _file_kind = AUTOENCODER_FILE

    @property
    def compression_ratio(self) -> float:
        """Components of a sample over latent coordinates, n / d."""
        return self._layout.n_states / self.latent_dim

    @property
    def is_variational(self) -> bool:
        """Whether its latent coordinates were trained towards a standard normal distribution."""
        return bool(self.history.attrs["variational"])

    def __repr__(self) -> str:
        """Return latent dimension, compression, reconstruction error and rank on one line."""
        grid = ", ".join(f"{dim}: {size}" for dim, size in zip(self.dims, self.shape, strict=True))
        facts = self.history.attrs
        kind = "variational autoencoder" if self.is_variational else "autoencoder"
        return (
            f"<Autoencoder ({grid}): {kind}, d = {self.latent_dim}, compression {self.compression_ratio:.3g} : 1, "
            f"reconstruction error {facts['reconstruction_error']:.2e} of the variance (closed form "
            f"{facts['closed_form_reconstruction_error']:.2e}), POD rank {self.rank}>"
        )

    # -- reconstructions and anomalies --------------------------------------------------------------------------------

    def reconstruct(self, x: StatesLike, at: Any = None, *, noise: float = 0.0) -> Any:
        """Compute psi(phi(x)): what the latent coordinates hold of x.

        Parameters
        ----------
        x : array, tensor or DataArray
            Samples ``(..., *shape)``. In a function space, labelled values on any grid or at any points.
        at : mapping, optional
            Only in a function space: positions of the result, as in `decode`. By default those of `x`.
        noise : float
            Standard deviation of the errors of `x`, as in `encode`.

        Returns
        -------
        array, tensor or DataArray
            Shape and kind of `x`, or values at the positions `at`.

        Raises
        ------
        RomTypeError, RomValueError
            As `encode`, and as `decode` for positions outside of the domain.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 60)
        >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
        >>> autoencoder.reconstruct(data).shape
        (60, 3)
        """
        if at is not None:
            return self.decode(self.encode(x, noise=noise), at=at)
        states = self.codec.flatten("x", x, noise=noise)
        values = self.codec.values_where(states, self._coordinates(states.flat))
        return self.codec.label_values(x, states, values)

    def denoise(self, x: StatesLike, at: Any = None, *, noise: float = 0.0) -> Any:
        """Remove the noise that the autoencoder was trained to remove (`FitConfig.noise`).

        Parameters
        ----------
        x, at, noise
            As in `reconstruct`.

        Returns
        -------
        array, tensor or DataArray
            As `reconstruct`.

        Raises
        ------
        RomValueError
            If the autoencoder was fitted without a weight for `denoising`.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 60)
        >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
        >>> config = rom.FitConfig(hidden=(), quadratic_decoder=False, steps=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, weights=rom.LossWeights(denoising=1.0), config=config)
        >>> autoencoder.denoise(data).shape
        (60, 3)
        """
        if not self.history.attrs["denoising"]:
            raise RomValueError(
                "this autoencoder was not trained to remove noise: fit it with LossWeights(denoising=1.0), "
                "or use reconstruct for the nearest state that it knows"
            )
        return self.reconstruct(x, at, noise=noise)

    def anomaly_score(self, x: StatesLike, at: Any = None) -> Any:
        """Compute how much worse samples are reconstructed than data that took no part in the training.

        Parameters
        ----------
        x : array, tensor or DataArray
            Samples ``(..., *shape)``.
        at : mapping, optional
            Positions of arrays, as in `encode`.

        Returns
        -------
        array, tensor or DataArray
            Scores ``(...)`` in the kind of `x`, torch with gradients: mean square error over its median on the calibrating
            data. About 1 for data of the same kind, infinite for samples with values that are not finite. Compare with
            `anomaly_threshold`. In a function space errors are those of the values. Their mean over fewer values than in
            training varies more, so a threshold holds for samples of about as many.

        Raises
        ------
        RomTypeError, RomValueError
            As `encode`.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 60)
        >>> data = np.stack([np.cos(angle), np.sin(angle), 0.01 * np.cos(7 * angle)], axis=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
        >>> bool(autoencoder.anomaly_score(np.array([[1.0, 0.0, 1.0]])) > 100)
        True
        """
        errors, dims = self.squared_errors(x, at)
        scores = (errors / self._typical_error).nan_to_num(nan=math.inf, posinf=math.inf)
        return self.codec.label(x, scores[..., None], (), (), dims)

    def anomaly_threshold(self, false_alarm_rate: float = 0.01) -> float:
        """Compute the score that data of the same kind exceed with at most a given probability.

        By split conformal prediction: the ceil((m + 1)(1 - rate))-th of m scores on data that were set aside before the
        training. It holds for any distribution, for new samples that are exchangeable with these, on average over such
        sets. Where whole trajectories were set aside, these are what is exchangeable. With few of them the rate on
        another one may be several times the requested one, and a warning says so; more so where there were fewer than
        ten, of which stretches of time were set aside.

        Parameters
        ----------
        false_alarm_rate : float
            False-positive rate, above 0 and at most 1.

        Returns
        -------
        float
            Threshold for `anomaly_score`.

        Raises
        ------
        RomTypeError, RomValueError
            If the rate is not a number, or too small for the number of calibrating samples.

        References
        ----------
        Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World, sec. 2.2.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 60)
        >>> data = np.stack([np.cos(angle), np.sin(angle), 0.01 * np.cos(7 * angle)], axis=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
        >>> autoencoder.anomaly_threshold(0.2) >= 1.0
        True
        """
        rate = require_number("false_alarm_rate", false_alarm_rate, low=0.0, high=1.0, exclusive=True)
        m = len(self._state.calibration)
        k = math.ceil((m + 1) * (1.0 - rate) - 1e-9)  # a rate is seldom exact in binary
        if k > m:
            raise RomValueError(
                f"false_alarm_rate is {rate:g}, but {m} calibrating samples tell rates of {1 / (m + 1):.2g} and more; "
                "ask for a larger one, or fit with more data"
            )
        groups = int(self.history.attrs["calibrating_groups"])
        if groups < min(m, FEW_GROUPS):
            warnings.warn(
                f"{groups} trajectories or stretches of time calibrate, within which states are alike: on others, false alarms may "
                f"be several times {rate:g}; fit with more trajectories, or choose a threshold on ones of your own",
                RuntimeWarning,
                stacklevel=2,
            )
        return float(self._state.calibration[max(k, 1) - 1]) / self._typical_error

    def squared_errors(self, x: StatesLike, at: Any = None) -> tuple[Tensor, tuple[str, ...]]:
        """Return mean square errors (...) of the reconstruction, and the dimensions of `x` that belong to a state.

        For use inside the package.
        """
        states = self.codec.flatten("x", x, at)
        values = self.codec.values_where(states, self._coordinates(states.flat))
        errors = values - self.codec.given_values(states)
        return errors.double().square().mean(dim=-1), states.dims

    # -- new samples --------------------------------------------------------------------------------------------------

    def sample(self, n: int, seed: int = 0, at: Any = None) -> xr.DataArray:
        """Decode standard normal latent coordinates of a variational autoencoder.

        Parameters
        ----------
        n : int
            Number of samples.
        seed : int
            Seed of the random numbers.
        at : mapping, optional
            Positions, as in `decode`.

        Returns
        -------
        xarray.DataArray
            New samples ``(sample, *dims)``.

        Raises
        ------
        RomValueError
            If the autoencoder is not variational: its latent coordinates have no known distribution.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 60)
        >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
        >>> config = rom.FitConfig(hidden=(4,), steps=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, weights=rom.LossWeights(variational=0.01), config=config)
        >>> autoencoder.sample(5).dims
        ('sample', 'component')
        """
        count = require_integer("n", n, low=1)
        if not self.is_variational:
            raise RomValueError(
                "only a variational autoencoder can be sampled: fit it with LossWeights(variational=...), for instance 0.01"
            )
        z = np.random.default_rng(require_integer("seed", seed, low=0)).standard_normal((count, self.latent_dim))
        return self.decode(xr.DataArray(z, dims=("sample", "latent")), at)

    def interpolate(self, a: StatesLike, b: StatesLike, n: int, at: Any = None) -> xr.DataArray:
        """Decode latent states on the line between those of two states.

        Between samples of a variational autoencoder such a line passes where there are data; of others it need not.

        Parameters
        ----------
        a, b : array, tensor or DataArray
            Two states ``(*shape)``. In a function space, labelled.
        n : int
            Number of states, at least 2. The first and the last are the reconstructions of `a` and `b`.
        at : mapping, optional
            Positions, as in `decode`. By default those of `a`.

        Returns
        -------
        xarray.DataArray
            States ``(step, *dims)``. The coordinate `step` runs from 0 to 1.

        Raises
        ------
        RomTypeError, RomValueError
            If `a` or `b` is not one state, or `n` is below 2.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> angle = np.linspace(0.0, 6.0, 60)
        >>> data = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
        >>> autoencoder = rom.fit_autoencoder(data, 2, config=rom.FitConfig(hidden=(), quadratic_decoder=False))
        >>> autoencoder.interpolate(data[0], data[30], 3).shape
        (3, 3)
        """
        count = require_integer("n", n, low=2)
        ends = [self.codec.flatten(name, x).flat for name, x in (("a", a), ("b", b))]
        for name, end in zip("ab", ends, strict=True):
            if end.ndim != 1:
                raise RomValueError(
                    f"{name} must be one state, but has the leading shape {tuple(end.shape[:-1])}; choose one, as {name}[0]"
                )
        first, last = (self._state.encode(end).detach().cpu().numpy() for end in ends)
        share = np.linspace(0.0, 1.0, count)
        z = (1.0 - share[:, None]) * first + share[:, None] * last
        at = self.codec.positions_of(a) if at is None else at
        return self.decode(xr.DataArray(z, dims=("step", "latent"), coords={"step": share}), at)

    # -- within -------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _typical_error(self) -> float:
        """The median of the calibrating errors."""
        return max(float(self._state.calibration.median()), float(torch.finfo(torch.float32).tiny))

    def _coordinates(self, flat: Tensor) -> Tensor:
        """Return POD coordinates (..., r) of the reconstructions of flat states (..., n)."""
        return self._state.networks.decoder(self._state.encode(flat))
