"""The result of `rom.fit_autoencoder`: encode, decode, denoise, tell what is unlike the data, and make more of its kind."""

from __future__ import annotations

import functools
import json
import math
import warnings
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.config import FitConfig
from rom.data.at_positions import PositionedValues, values_where
from rom.data.layout import Layout
from rom.data.outputs import as_type_of
from rom.data.samples import USUAL
from rom.data.states import states_of
from rom.models.base import LatentModel, ModelModules, prior_shapes
from rom.models.build import build_encoder_decoder
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.user_modules import UserModules
from rom.reduction.pod import Projection
from rom.utils.checks import require_integer, require_number
from rom.utils.errors import RomValueError

__all__ = ["Autoencoder", "AutoencoderState"]

FEW_GROUPS = 20  # that calibrate, below which a rate of false alarms is a guess


class AutoencoderState(ModelModules):
    """All numbers of an autoencoder.

    Buffer: `calibration` (m,), mean square errors of reconstructed samples that took no part in training, in increasing order; in a
    function space, of their values.
    """

    calibration: Tensor

    @staticmethod
    def empty(
        config: FitConfig, layout: Layout, rank: int, latent_dim: int, own: UserModules | None = None
    ) -> AutoencoderState:
        """A state of the right shapes, to be filled from a file."""
        dtype = getattr(torch, config.dtype)
        parts = build_encoder_decoder(config, rank, latent_dim, torch.Generator(), layout, own)
        projection = Projection.empty(layout.n_states, rank)
        shapes = {"calibration": (0,)} | prior_shapes(layout, rank)
        buffers = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
        return AutoencoderState(projection.to(dtype), EncoderDecoder(*parts).to(dtype), **buffers)

    def fill(self, tensors: dict[str, Tensor]) -> None:
        """Take all numbers from a file, which alone knows how many samples calibrated."""
        self.calibration = tensors["calibration"].clone()
        super().fill(tensors)


class Autoencoder(LatentModel[AutoencoderState]):
    """An encoder z = phi(x) and a decoder x = psi(z), as `rom.fit_autoencoder` and `rom.load_autoencoder` return them.

    `history` (xarray.Dataset) tells how it came about, and how well it reconstructs.
    """

    file_kind = "autoencoder"

    @property
    def compression_ratio(self) -> float:
        """Components of a sample over latent coordinates, n / d."""
        return self._layout.n_states / self.latent_dim

    @property
    def is_variational(self) -> bool:
        """Whether its latent coordinates were trained towards a standard normal distribution."""
        return bool(self.history.attrs["variational"])

    def __repr__(self) -> str:
        grid = ", ".join(f"{dim}: {size}" for dim, size in zip(self.dims, self.shape, strict=True))
        facts = self.history.attrs
        kind = "variational autoencoder" if self.is_variational else "autoencoder"
        return (
            f"<Autoencoder ({grid}): {kind}, d = {self.latent_dim}, compression {self.compression_ratio:.3g} : 1, "
            f"reconstruction error {facts['reconstruction_error']:.2e} of the variance (closed form "
            f"{facts['closed_form_reconstruction_error']:.2e}), POD rank {self.rank}>"
        )

    # -- what it is for -----------------------------------------------------------------------------------------------

    def reconstruct(self, x: Any, at: Any = None, *, noise: float = 0.0) -> Any:
        """psi(phi(x)), (..., *shape): what the latent coordinates hold of x, in the kind it was given.

        Of one in a function space, x is labelled, on any grid or at any points, and the result lies there too, or `at` other
        positions as in `decode`. `noise` is that of `encode`.
        Raises as `encode` does, and `decode` for positions outside of the domain.
        """
        space = self._space(at)
        if space is None:
            self._checked_noise(noise, in_space=False)
            return as_type_of(x, self._reconstructed(x)[1], self._layout, self.dims, self.shape, self.dims)
        if at is not None:
            return self.decode(self.encode(x, noise=noise), at=at)
        given = self._given("x", x, None)
        values = self._values_where(given, self._checked_noise(noise, in_space=True))
        shape = values.shape[:-1] + tuple(x.sizes[dim] for dim in given.dims)
        return x.transpose(*given.lead, *given.dims).copy(data=values.reshape(shape).cpu().numpy()).transpose(*x.dims)

    def denoise(self, x: Any, at: Any = None, *, noise: float = 0.0) -> Any:
        """Samples (..., *shape) with the noise removed that this autoencoder was trained to remove (`FitConfig.noise`).

        Arguments are those of `reconstruct`. Raises `RomValueError` for one that was fitted without a weight for `denoising`.
        """
        if not self.history.attrs["denoising"]:
            raise RomValueError(
                "this autoencoder was not trained to remove noise: fit it with LossWeights(denoising=1.0), "
                "or use reconstruct for the nearest state that it knows"
            )
        return self.reconstruct(x, at, noise=noise)

    def anomaly_score(self, x: Any, at: Any = None) -> Any:
        """The mean square error of the reconstruction, (...), over its median on data that took no part in the training.

        About 1 for data of the same kind, infinite for samples with values that are not finite. Compare it with
        `anomaly_threshold`. In the kind that x was given, torch with gradients. Of one in a function space, x and `at` are those of
        `encode`, and errors those of the values: the mean over fewer of them than in training varies more, so a threshold holds
        for samples of about as many.
        """
        errors, dims = self._squared_errors(x, at)
        scores = (errors / self._typical).nan_to_num(nan=math.inf, posinf=math.inf)
        return as_type_of(x, scores[..., None], self._layout, (), (), dims)

    def anomaly_threshold(self, false_alarm_rate: float = 0.01) -> float:
        """The score that data of the same kind exceed with a probability of at most `false_alarm_rate`.

        By split conformal prediction: the ceil((m + 1)(1 - rate))-th of m scores on data that were set aside before the
        training, so it holds for any distribution, for new samples that are exchangeable with these, on average over
        such sets (Vovk, Gammerman & Shafer 2005, sec. 2.2). Where whole trajectories were set aside, these are what is
        exchangeable, so with few of them the rate on another one may be several times the one asked for, and a warning says so;
        more so where there were fewer than ten, of which stretches of time were set aside.
        Raises `RomValueError` for a rate that m scores cannot tell.
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
        return float(self._state.calibration[max(k, 1) - 1]) / self._typical

    def sample(self, n: int, seed: int = 0, at: Any = None) -> xr.DataArray:
        """New samples (sample, *dims): decoded standard normal latent coordinates of a variational autoencoder.

        Of one in a function space, `at` positions as in `decode`. Raises `RomValueError` for one that is not variational, whose
        latent coordinates have no known distribution.
        """
        count = require_integer("n", n, low=1)
        if not self.is_variational:
            raise RomValueError(
                "only a variational autoencoder can be sampled: fit it with LossWeights(variational=...), for instance 0.01"
            )
        z = np.random.default_rng(require_integer("seed", seed, low=0)).standard_normal((count, self.latent_dim))
        return self.decode(xr.DataArray(z, dims=("sample", "latent")), at)

    def interpolate(self, a: Any, b: Any, n: int, at: Any = None) -> xr.DataArray:
        """n states (step, *dims) on the way from a to b, each (*shape): decoded latent states on the line between theirs.

        The first and the last are the reconstructions of a and b. Between samples of a variational autoencoder such a line
        passes where there are data; of others it need not. Of one in a function space, a and b are labelled, and states lie where
        a does, or `at` positions as in `decode`. Raises `RomValueError` for what is not one state, or n below 2.
        """
        count = require_integer("n", n, low=2)
        space = self._space(at)
        ends = [self._states_of(name, x, None)[0] for name, x in (("a", a), ("b", b))]
        for name, end in zip("ab", ends, strict=True):
            if end.ndim != 1:
                raise RomValueError(f"{name} must be one state" + ("" if space else f" of shape {self.shape}"))
        first, last = (self._state.encode(end).detach().cpu().numpy() for end in ends)
        share = np.linspace(0.0, 1.0, count)
        z = (1.0 - share[:, None]) * first + share[:, None] * last
        if space is not None and at is None:
            at = {axis: a[axis] for axis in space.names}
        return self.decode(xr.DataArray(z, dims=("step", "latent"), coords={"step": share}), at)

    # -- within -------------------------------------------------------------------------------------------------------

    @property
    def _moving(self) -> tuple[str, ...]:
        """Those of the training, and the usual ones: a list of samples may have had none."""
        axes = () if self._layout.space is None else self._layout.space.names
        return tuple(dim for dim in (*json.loads(self.history.attrs["sample_dims"]), *USUAL) if dim not in axes)

    def _given(self, name: str, x: Any, at: Any, is_rate: bool = False) -> PositionedValues:
        given = super()._given(name, x, at, is_rate)
        (place,) = given.places
        known = int(self.history.attrs["n_position_dims"])
        if not place.is_grid and len(place.dims) > known:
            remedy = (
                f"{name}.rename({{{place.dims[0]!r}: 'sample'}})"
                if at is None
                else "pass a DataArray with its positions"
            )
            raise RomValueError(
                f"{name}: its points lie along {', '.join(place.dims)}, those of a sample in training along {known}; call the dimension "
                f"that tells samples apart 'sample': {remedy}"
            )
        return given

    @functools.cached_property
    def _typical(self) -> float:
        return max(float(self._state.calibration.median()), float(torch.finfo(torch.float32).tiny))

    def _reconstructed(self, x: Any) -> tuple[Tensor, Tensor]:
        """Flat states (..., n) of x, and those that the autoencoder makes of them."""
        states = states_of("x", x, self._layout, self._kind)
        return states, self._state.decode(self._state.encode(states))

    def _values_where(self, given: PositionedValues, noise: float = 0.0) -> Tensor:
        """Decoded values (*lead, m) where others were given, of one in a function space."""
        latent = self._state.encode(self._coefficients("x", given, noise=noise))
        return values_where(given, self._layout, self._state.projection, self._scaled_coordinates(latent))

    def _squared_errors(self, x: Any, at: Any = None) -> tuple[Tensor, tuple[str, ...]]:
        """Mean square errors (...) of the reconstruction, and the dimensions that are a state's in what was given."""
        if self._space(at) is None:
            states, reconstructed = self._reconstructed(x)
            return (reconstructed - states).double().square().mean(dim=-1), self.dims
        given = self._given("x", x, at)
        values = torch.cat([one.flatten(-2) for one in given.values], dim=-1)
        return (self._values_where(given) - values).double().square().mean(dim=-1), given.dims
