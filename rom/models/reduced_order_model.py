"""The result of `rom.fit`: encode, forecast, decode, and say where a forecast can be trusted."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from rom.data.outputs import labelled_forecast
from rom.data.states import ArrayLike, StatesLike
from rom.dynamics.rollout import METHODS
from rom.models.arguments import forecast_times, initial_states, latent_states
from rom.models.base import LatentModel
from rom.models.file_format import MODEL_FILE
from rom.models.forecasting import Forecaster
from rom.models.input_scaling import InputScaling, scaled_inputs_at
from rom.models.modules import ModelState
from rom.networks.jvp import push_forward
from rom.utils.checks import require_choice
from rom.utils.errors import RomValueError

__all__ = ["ReducedOrderModel"]


class ReducedOrderModel(LatentModel[ModelState]):
    """A reduced-order model z = phi(x), dz/dt = h(z; mu, u, t), x = psi(z).

    `rom.fit` and `rom.load` return it. It is complete: forecasts need neither the system nor the data.

    Attributes
    ----------
    config : FitConfig
        Configuration of the fit.
    history : xarray.Dataset
        The record of the fit: losses and validation errors by step, facts as attributes.

    Examples
    --------
    >>> import numpy as np
    >>> import rom
    >>> t = np.linspace(0.0, 3.0, 31)
    >>> runs = np.stack([np.cos(t + k)[:, None] * [1.0, -0.5] + np.sin(t + k)[:, None] * [0.0, 2.0] for k in range(4)])
    >>> config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1)
    >>> model = rom.fit(None, trajectories=(t, runs), latent_dim=2, config=config)
    >>> forecast = model.forecast(runs[0, 0], t)
    >>> forecast["state"].dims, bool(forecast["valid"].all())
    (('time', 'component'), True)
    """

    _file_kind = MODEL_FILE

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters mu that forecasts need. Empty for a model that was fitted at fixed ones."""
        return self._layout.parameters

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs u(t) that forecasts need. Empty if nothing but time drives the model."""
        return self._layout.inputs

    def __repr__(self) -> str:
        """Return latent dimension, rank, lost energy and validation error on one line."""
        facts = self.history.attrs
        sizes = {d: n for one in self._layout.parts for d, n in zip(one.dims, one.shape, strict=True)}
        grid = "; ".join(filter(None, [", ".join(self.fields), ", ".join(f"{d}: {n}" for d, n in sizes.items())]))
        return (
            f"<ReducedOrderModel of {facts.get('system', 'data')} ({grid}): d = {self.latent_dim}, "
            f"POD rank {self.rank} (lost energy {facts.get('lost_energy', math.nan):.1e}), "
            f"validation error {facts.get('validation_error', math.nan):.2e} of the variance "
            f"(closed-form ROM {facts.get('closed_form_validation_error', math.nan):.2e}), "
            f"on {facts.get('validated_on', 'unknown data')}>"
        )

    # -- the dynamics -------------------------------------------------------------------------------------------------

    def latent_rhs(self, z: ArrayLike, mu: Any = None, t: float = 0.0, inputs: Any = None) -> Any:
        """Compute dz/dt = h(z; mu, u, t).

        Parameters
        ----------
        z : array, tensor or DataArray
            Latent states ``(..., d)``.
        mu : array or mapping, optional
            Parameters ``(p,)`` or ``(..., p)``, or a mapping from names.
        t : float
            Time, in the unit of the data.
        inputs : array or mapping, optional
            Inputs at the states, ``(m,)`` or ``(..., m)``, or a mapping from names.

        Returns
        -------
        array, tensor or DataArray
            Time derivatives ``(..., d)`` per unit of time of the data, in the kind of `z`.

        Raises
        ------
        RomTypeError, RomValueError
            For a last axis that is not d long, and for parameters or inputs that are missing, unknown or of another shape.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> t = np.linspace(0.0, 3.0, 31)
        >>> runs = np.stack([np.exp(-t)[:, None] * [k, 1.0] for k in range(4)])
        >>> config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1)
        >>> model = rom.fit(None, trajectories=(t, runs), latent_dim=2, config=config)
        >>> z = model.encode(runs[:, 0])
        >>> model.latent_rhs(z).shape
        (4, 2)
        """
        latent = latent_states(z, self.latent_dim, self.codec.like)
        rate = (
            self._rate(latent, scaled_inputs_at(mu, inputs, t, latent.shape[:-1], self._scaling))
            / self._state.time_scale
        )
        return self.codec.label(z, rate, ("latent",), (self.latent_dim,), ("latent",))

    def residual(
        self,
        x: StatesLike,
        time_derivative: StatesLike,
        mu: Any = None,
        t: float = 0.0,
        inputs: Any = None,
        at: Any = None,
    ) -> Any:
        """Compute the latent physics residual dphi/dx f(x) - h(phi(x); mu, u, t).

        Parameters
        ----------
        x : array, tensor, DataArray, Dataset or mapping
            States ``(..., *shape)``, or the fields of a model of fields.
        time_derivative : array, tensor, DataArray, Dataset or mapping
            f(x), of the same shape.
        mu : array or mapping, optional
            Parameters ``(p,)`` or ``(..., p)``, or a mapping from names.
        t : float
            Time, in the unit of the data.
        inputs : array or mapping, optional
            Inputs at the states, ``(m,)`` or ``(..., m)``, or a mapping from names.
        at : mapping, optional
            Positions, as in `encode`.

        Returns
        -------
        array, tensor or DataArray
            Residual ``(..., d)`` in units of its root mean square in training, by component, in the kind of `x`. It is
            about 1 where the model knows the physics as well as in training. Distrust states where it is much larger.

        Raises
        ------
        RomTypeError, RomValueError
            For states, derivatives, parameters or inputs that do not fit the model.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> t = np.linspace(0.0, 3.0, 31)
        >>> runs = np.stack([np.exp(-t)[:, None] * [k, 1.0] for k in range(4)])
        >>> config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1)
        >>> model = rom.fit(None, trajectories=(t, runs), latent_dim=2, config=config)
        >>> model.residual(runs[:, 0], -runs[:, 0]).shape
        (4, 2)
        """
        states, rates = self.codec.flatten("x", x, at), self.codec.flatten_rate("time_derivative", time_derivative, at)
        if states.flat.shape != rates.flat.shape:
            raise RomValueError(
                f"time_derivative has shape {tuple(rates.flat.shape)}, x has {tuple(states.flat.shape)} (flat)"
            )
        projection = self._state.projection
        latent, velocity = push_forward(
            self._state.networks.encoder,
            projection.project(states.flat),
            projection.project_derivative(rates.flat) * self._state.time_scale,
        )
        mismatch = velocity - self._rate(latent, scaled_inputs_at(mu, inputs, t, latent.shape[:-1], self._scaling))
        residual = mismatch / self._state.residual_spread
        return self.codec.label(x, residual, ("latent",), (self.latent_dim,), states.dims)

    # -- forecasts ----------------------------------------------------------------------------------------------------

    def forecast(
        self,
        x0: StatesLike,
        t: ArrayLike,
        mu: Any = None,
        *,
        inputs: Any = None,
        points: Mapping[str, Any] | None = None,
        at: Any = None,
        noise: float = 0.0,
        method: str = "rk4",
    ) -> xr.Dataset:
        """Forecast from the states `x0` at ``t[0]`` to all times `t`.

        The steps in time are as long as accuracy allows and do not depend on `t`: a forecast to ``[t0, T]`` costs the steps
        in between and the decoding of two states.

        Parameters
        ----------
        x0 : array, tensor, DataArray, Dataset or mapping
            One state ``(*shape)`` or many ``(trajectory, *shape)``. For a model of fields, a Dataset or a mapping of them, or
            flat states ``(..., n)``. For a model in a function space, labelled values on any grid or at any points, few
            points included (see `encode`).
        t : array
            Times ``(time,)``, strictly increasing, at least one, in the unit of time of the data. They need not be uniform.
        mu : array or mapping, optional
            Parameters, for a model that was fitted with some: ``(p,)``, ``(trajectory, p)``, or a mapping from names.
        inputs : mapping or DataArray, optional
            u(t), for a model with inputs: a mapping from names to values at the times t, ``(time,)`` or
            ``(trajectory, time)``, or to functions of a time; or a DataArray as `systems.signals` makes it, whose own times
            may be finer. In between they are linear or held, as the DataArray says, or else as in training.
        points : mapping, optional
            The part of a state to decode: indices by dimension as for xarray's ``isel``, as ``{"x": [0, 10, 20]}``. They are
            whole numbers, lists of them, or slices. Dimensions left out are decoded whole. By default everything is decoded.
        at : mapping, optional
            For a model in a function space, the positions to forecast, as in `decode`. By default those of `x0`.
        noise : float
            Standard deviation of the errors of `x0`, as in `encode`.
        method : {"rk4", "dopri5"}
            Equal steps as long as the fitted dynamics allow, or adaptive steps by torchdiffeq.

        Returns
        -------
        xarray.Dataset
            `state` ``(trajectory, time, *dims)``, or the fields of a model of fields, and `valid` ``(trajectory, time)``;
            without `trajectory` for one state. `valid` turns false when the latent state leaves the training region, and
            stays false. It also turns false when an input leaves its training range by more than 5 %. The same holds for
            the time, if h depends on time without a period. "dopri5" checks the region at the requested times only.
            From the first value that is not finite on, states are NaN and a warning is given.

        Raises
        ------
        RomTypeError, RomValueError
            For arguments that cannot be used.
        systems.SystemsError
            For inputs that are no signals, are not those of the model, or are shorter than t.

        Examples
        --------
        >>> import numpy as np
        >>> import rom
        >>> t = np.linspace(0.0, 3.0, 31)
        >>> runs = np.stack([np.cos(t + k)[:, None] * [1.0, -0.5, 0.2] + np.sin(t + k)[:, None] for k in range(4)])
        >>> config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1)
        >>> model = rom.fit(None, trajectories=(t, runs), latent_dim=2, config=config)
        >>> forecast = model.forecast(runs[:2, 0], [0.0, 1.5, 3.0], points={"component": [0]})
        >>> dict(forecast["state"].sizes)
        {'trajectory': 2, 'time': 3, 'component': 1}
        """
        require_choice("method", method, METHODS)
        times = forecast_times(t, x0, self._layout)
        given = self.codec.flatten("x0", x0, noise=noise)
        states, trajectory = initial_states(x0, given, self._layout)
        cells = self.codec.cells(given, at, points)
        forecast = self.forecaster.roll_out(states, times, mu, inputs, method)
        values, finite = self.forecaster.decode(forecast.latent, cells)
        if not finite.all():
            k = int(np.argmin(finite.all(axis=1)))
            first = times[int(np.argmin(finite[k]))]
            warnings.warn(
                f"the forecast of trajectory {k} is not finite from t = {first:g} on: states are NaN and valid is False "
                "from there; its initial state, mu or inputs may lie outside the region of training, see `valid`",
                RuntimeWarning,
                stacklevel=2,
            )
        return labelled_forecast(values, forecast.valid & finite, times, trajectory, cells.labels, self._layout)

    @functools.cached_property
    def forecaster(self) -> Forecaster:
        """Forecasts of flat states. For use inside the package."""
        return Forecaster(self._state, self._layout, self._scaling, self.config.dtype)

    # -- within -------------------------------------------------------------------------------------------------------

    def _rate(self, latent: Tensor, parameters: Tensor) -> Tensor:
        """Return h per scaled time, for latent states (..., d) and scaled parameters and forcing."""
        return self._state.networks.latent_dynamics(latent, parameters)

    @property
    def _scaling(self) -> InputScaling:
        """The scaling of parameters and inputs."""
        state = self._state
        return InputScaling(
            layout=self._layout,
            mean=state.parameter_mean,
            spread=state.parameter_spread,
            limits=state.parameter_range,
            like=self.codec.like,
        )
