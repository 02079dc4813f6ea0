"""The result of a fit: encode, forecast, decode, and say where the forecast can be trusted."""

from __future__ import annotations

import copy
import functools
import logging
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

import systems
from rom.architecture import Networks, build_networks, closed_form_config
from rom.arguments import (
    checked_device,
    forecast_times,
    initial_states,
    input_signals,
    input_values,
    latent_states,
    one_of,
    parameter_values,
    states_of,
    wanted_cells,
)
from rom.config import FitConfig
from rom.errors import RomValueError, nearest
from rom.field_correction import attach
from rom.fields import Field, unstacked
from rom.forcing import forcing_of_signals, point_forcing, time_features
from rom.integrators import adaptive_rollout
from rom.layout import Layout
from rom.own_modules import OwnModules
from rom.projection import Projection
from rom.push_forward import push_forward
from rom.region import Region
from rom.rollout import Forcing, roll_out

__all__ = ["ModelState", "ReducedOrderModel"]

log = logging.getLogger("rom")

METHODS = ("rk4", "dopri5")
DOUBLE = torch.float64
EXACT = ("parameter_mean", "parameter_spread", "parameter_range")  # numbers like 1e8 + 1 would be lost in float32
BEYOND = 0.05  # of the range of what drives a model, by which it may leave it and still count as seen
DECODED_AT_ONCE = 2**19  # numbers: two megabytes in float32, which stay in the cache


def positions_of(cells: xr.Dataset) -> np.ndarray:
    """The positions in the flat state that the variables of `cells` hold, one after the other."""
    return np.concatenate([variable.values.ravel() for variable in cells.data_vars.values()])


class ModelState(nn.Module):
    """All numbers of a model: what `save` stores and `to` moves.

    Buffers: `time_scale` (), the time in which the networks' h is written; `max_step` (), the longest Runge-Kutta step,
    in units of it; `residual_spread` (d,); `parameter_mean` and `parameter_spread` (p + q,), of parameters and of what drives
    the model (`rom/forcing.py`), and `parameter_range` (2, p + q), the least and the largest in training, all three in
    float64. The closed-form model that the
    networks started from stays beside them, with its own region.
    """

    time_scale: Tensor
    max_step: Tensor
    residual_spread: Tensor
    parameter_mean: Tensor
    parameter_spread: Tensor
    parameter_range: Tensor

    def __init__(
        self,
        projection: Projection,
        networks: Networks,
        closed_form: Networks,
        region: Region,
        closed_form_region: Region,
        **buffers: Tensor,
    ):
        super().__init__()
        self.projection = projection
        self.networks = networks
        self.closed_form = closed_form
        self.region = region
        self.closed_form_region = closed_form_region
        for name, value in buffers.items():
            self.register_buffer(name, value)

    @staticmethod
    def empty(
        config: FitConfig, layout: Layout, rank: int, latent_dim: int, own: OwnModules | None = None
    ) -> ModelState:
        """A state of the right shapes, to be filled from a file."""
        d, p = latent_dim, len(layout.parameters) + layout.n_forcing
        dtype = getattr(torch, config.dtype)
        shapes = {
            "time_scale": (), "max_step": (), "residual_spread": (d,),
            "parameter_mean": (p,), "parameter_spread": (p,), "parameter_range": (2, p),
        }  # fmt: skip
        projection = Projection.empty(layout.n_states, rank)
        return ModelState(
            projection.to(dtype),
            build_networks(config, rank, d, p, layout=layout, own=own),
            build_networks(closed_form_config(config), rank, d, p),
            Region.empty(d).to(dtype),
            Region.empty(d).to(dtype),
            **{name: torch.zeros(shape, dtype=DOUBLE if name in EXACT else dtype) for name, shape in shapes.items()},
        )

    def fill(self, tensors: dict[str, Tensor]) -> None:
        """Take all numbers from a file."""
        self.load_state_dict(tensors)
        attach(self.networks, self.projection.basis)

    def encode(self, states: Tensor) -> Tensor:
        return self.networks.encoder(self.projection.project(states))

    def decode(self, latent: Tensor) -> Tensor:
        return self.projection.lift(self.networks.decoder(latent))


class ReducedOrderModel:
    """A reduced-order model z = phi(x), dz/dt = h(z; mu), x = psi(z), as `rom.fit` and `rom.load` return it.

    Complete: forecasting needs neither the system nor the data. `history` (xarray.Dataset) tells how the
    model came about.
    """

    def __init__(self, state: ModelState, layout: Layout, config: FitConfig, history: xr.Dataset):
        self._state = state.requires_grad_(False).eval()
        self._layout = layout
        self.config = config
        self.history = history

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def latent_dim(self) -> int:
        """d, the number of latent states."""
        return len(self._state.region.centre)

    @property
    def rank(self) -> int:
        """r, the number of POD coordinates between the state and the networks."""
        return self._state.projection.rank

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions of a state."""
        return self._layout.dims

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return self._layout.shape

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the variables of a state, where it is not `state` alone."""
        return tuple(one.name for one in self._layout.fields)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters mu that forecasts need; empty where the model was fitted at fixed ones."""
        return self._layout.parameters

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs u(t) that forecasts need; empty where nothing drives the model but time itself."""
        return self._layout.inputs

    @property
    def device(self) -> torch.device:
        return self._kind.device

    @property
    def _kind(self) -> Tensor:
        """A tensor with the device and the dtype of the model."""
        return self._state.region.centre

    def __repr__(self) -> str:
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

    # -- the three maps -----------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """Latent states z = phi(x), (..., d), of states x (..., *shape), in the kind they were given.

        NumPy gives NumPy, torch gives torch with gradients, xarray gives xarray with a last dimension `latent`. Of a model of
        fields, x is a Dataset or a mapping of them, or flat (..., n).
        Raises `RomValueError` for a shape that does not end in `shape`, `RomTypeError` for complex or object arrays.
        """
        states = states_of("x", x, self._layout, self._kind)
        return self._like(x, self._state.encode(states), ("latent",), (self.latent_dim,), self.dims)

    def decode(self, z: Any) -> Any:
        """States x = psi(z), (..., *shape), of latent states z (..., d), in the kind they were given.

        Of a model of fields, a DataArray gives a Dataset of them; other kinds give flat states (..., n).
        """
        latent = latent_states(z, self.latent_dim, self._kind)
        return self._like(z, self._state.decode(latent), self.dims, self.shape, ("latent",))

    def latent_rhs(self, z: Any, mu: Any = None, t: float = 0.0, inputs: Any = None) -> Any:
        """dz/dt = h(z; mu, u, t), (..., d), per unit of the data's time, in the kind z was given.

        mu: parameters (p,) or (..., p). inputs: u at the states, (m,), (..., m), or a mapping from names.
        """
        latent = latent_states(z, self.latent_dim, self._kind)
        rate = self._rate(latent, self._at_states(mu, inputs, t, latent.shape[:-1])) / self._state.time_scale
        return self._like(z, rate, ("latent",), (self.latent_dim,), ("latent",))

    def residual(self, x: Any, time_derivative: Any, mu: Any = None, t: float = 0.0, inputs: Any = None) -> Any:
        """dphi/dx f(x) - h(phi(x); mu, u, t), (..., d), in units of its root mean square in training, by component.

        About 1 where the model knows the physics as well as in training; much more is a state to distrust. `x` and
        `time_derivative` = f(x) have shapes (..., *shape), or are Datasets or mappings of the fields of a model of fields; the
        kind of `x` is returned.
        """
        states = states_of("x", x, self._layout, self._kind)
        velocities = states_of("time_derivative", time_derivative, self._layout, self._kind, units=False)
        if states.shape != velocities.shape:
            raise RomValueError(
                f"time_derivative has shape {tuple(velocities.shape)}, x has {tuple(states.shape)} (flat)"
            )
        projection = self._state.projection
        latent, velocity = push_forward(
            self._state.networks.encoder,
            projection.project(states),
            projection.project_derivative(velocities) * self._state.time_scale,
        )
        mismatch = velocity - self._rate(latent, self._at_states(mu, inputs, t, latent.shape[:-1]))
        return self._like(x, mismatch / self._state.residual_spread, ("latent",), (self.latent_dim,), self.dims)

    # -- forecasts ----------------------------------------------------------------------------------------------------

    def forecast(
        self,
        x0: Any,
        t: Any,
        mu: Any = None,
        *,
        inputs: Any = None,
        points: Mapping[str, Any] | None = None,
        method: str = "rk4",
    ) -> xr.Dataset:
        """Forecast from the state(s) `x0` at t[0] to all times `t`.

        The steps in time are as long as accuracy allows and know nothing of `t`: [t0, T] costs the steps in between and
        the decoding of two states.

        x0: one state (*shape) or many (trajectory, *shape): xarray, NumPy or torch. Of a model of fields, a Dataset or a
            mapping of them, or flat (..., n).
        t: times (T,), strictly increasing, T >= 1, in the data's unit of time. They need not be uniform.
        mu: parameters, for a model fitted with some: (p,), (trajectory, p), or a mapping from names.
        inputs: u(t) of a model that is driven: a mapping from names to values at the times t, (time,) or
            (trajectory, time), or to functions of a time; or a DataArray as `systems.signals` makes it, whose own times may
            be finer. Linear between their times or held, as the DataArray says, or else as in training.
        points: the part of a state to decode, positions by dimension as for xarray's `isel`: {"x": [0, 10, 20]}; whole
            numbers, lists of them, or slices. Dimensions left out are decoded whole. Default: everything.
        method: "rk4", equal steps as long as the fitted dynamics allow, or "dopri5", adaptive steps by torchdiffeq.

        Returns a Dataset with `state` (trajectory, time, *dims), or the fields of a model of fields, and `valid`
        (trajectory, time), without `trajectory` for one state. `valid` turns false, and stays false, with the step in which
        the latent state leaves the region seen in training, whether a time asked for lies outside or not ("dopri5" looks
        at these times alone); from the first value on that is not finite, states are NaN and a warning is given.
        Raises `RomValueError` or `RomTypeError` for unusable arguments.
        """
        if method not in METHODS:
            raise RomValueError(f"method: unknown {method!r}; {nearest(method, METHODS)}")
        times = forecast_times(t, x0, self._layout)
        cells = self._all_cells if points is None else wanted_cells(points, self._all_cells)
        states, trajectory = initial_states(x0, self._layout, self._kind)
        parameters = self._parameters(mu, (len(states),))
        longest = float(self._state.max_step) * float(self._state.time_scale)
        signals = input_signals(inputs, self._layout, times, len(states), longest)
        forcing = self._forcing(signals, len(states))
        with torch.inference_mode():
            scaled = times / float(self._state.time_scale)
            latent, inside = self._roll_out(self._state.encode(states), scaled, parameters, forcing, method)
            rows = slice(None) if points is None else torch.as_tensor(positions_of(cells), device=self.device)
            decoded, finite = self._decode_rows(latent.transpose(0, 1), rows)
            valid = inside.T.cpu().numpy() & finite & self._seen(forcing, scaled)
        if not finite.all():
            k = int(np.argmin(finite.all(axis=1)))
            first = times[int(np.argmin(finite[k]))]
            warnings.warn(
                f"the forecast of trajectory {k} is not finite from t = {first:g} on: states are NaN and valid is False "
                "from there; its initial state, mu or inputs may lie outside the region of training, see `valid`",
                RuntimeWarning,
                stacklevel=2,
            )
        return self._labelled(decoded, valid, times, trajectory, cells)

    def _roll_out(
        self, z0: Tensor, times: np.ndarray, parameters: Tensor | None, forcing: Forcing | None, method: str
    ) -> tuple[Tensor, Tensor]:
        """Latent states (time, trajectory, d) at scaled `times`, and whether the region was never left, (time, trajectory)."""
        if method == "dopri5" and len(times) > 1:
            latent = self._roll_out_adaptively(z0, times, parameters, forcing)
            return latent, self._state.region.contains(latent).cumprod(dim=0).bool()
        return roll_out(
            self._state.networks.latent_dynamics,
            z0,
            times,
            parameters,
            float(self._state.max_step),
            self._state.region.contains,
            forcing,
        )

    def _roll_out_adaptively(
        self, z0: Tensor, times: np.ndarray, parameters: Tensor | None, forcing: Forcing | None
    ) -> Tensor:
        """The same with adaptive steps; NaN for a trajectory on which no step is small enough."""
        # Adaptive steps want double precision: their error estimate drowns in rounding otherwise.
        t = torch.as_tensor(times, dtype=torch.float64, device=z0.device)
        dynamics = copy.deepcopy(self._state.networks.latent_dynamics).double()
        rates = dynamics.merged(None if parameters is None else parameters.double())

        def rhs(time: Tensor, z: Tensor) -> Tensor:
            return rates(z) if forcing is None else rates(z, forcing.at(float(time)).to(z))

        knots = None
        if forcing is not None:
            within = forcing.knots[(forcing.knots > times[0]) & (forcing.knots < times[-1])]
            knots = torch.as_tensor(within, dtype=torch.float64, device=z0.device)
        try:
            return adaptive_rollout(rhs, z0.double(), t, knots=knots).to(z0.dtype)
        except AssertionError:  # how torchdiffeq says that its step underflows
            if len(z0) == 1:
                latent = torch.full((len(times), *z0.shape), torch.nan, dtype=z0.dtype, device=z0.device)
                latent[0] = z0
                return latent
        rows = range(len(z0))
        alone = [
            self._roll_out_adaptively(
                z0[k : k + 1],
                times,
                None if parameters is None else parameters[k : k + 1],
                None if forcing is None else forcing.of(k),
            )
            for k in rows
        ]
        return torch.cat(alone, dim=1)

    def _decode_rows(self, latent: Tensor, rows: slice | Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Components `rows` (m,) of the states of `latent` (trajectory, time, d), and where all of them are finite.

        States (trajectory, time, m) are NaN from the first that is not finite on; flags (trajectory, time). Only these
        rows of the POD basis are used. Some states at a time, in the array that is returned: temporary arrays as large as
        the result would cost more than the arithmetic.
        """
        projection, decoder = self._state.projection, self._state.networks.decoder
        mean, basis = projection.mean[rows], (projection.basis[rows] * projection.unit[rows, None]).T
        decoded = np.empty((*latent.shape[:2], len(mean)), self.config.dtype)
        finite = latent.isfinite().all(dim=-1).cpu().numpy()
        flat_latent, flat, flat_finite = latent.flatten(0, 1), decoded.reshape(-1, len(mean)), finite.reshape(-1)
        size = max(64, DECODED_AT_ONCE // max(len(mean), self.rank))
        for start in range(0, len(flat), size):
            some = slice(start, start + size)
            lifted = torch.addmm(mean, projection.scale * decoder(flat_latent[some]), basis)
            flat[some] = lifted.cpu().numpy()
            flat_finite[some] &= np.isfinite(flat[some]).all(axis=1)  # NumPy's is many times faster than torch's
        finite = np.logical_and.accumulate(finite, axis=1)
        decoded[~finite] = np.nan
        return decoded, finite

    def _labelled(
        self, states: np.ndarray, valid: np.ndarray, times: np.ndarray, trajectory: Any, cells: xr.Dataset
    ) -> xr.Dataset:
        lead, coords = ("trajectory",), {"trajectory": trajectory}
        if trajectory is None:
            states, valid, lead, coords = states[0], valid[0], (), {}
        chosen = [
            Field(str(n), tuple(map(str, c.dims)), c.shape, c.attrs)
            for n, c in cells.variables.items()
            if n in cells.data_vars
        ]
        values = unstacked(states, chosen)
        return xr.Dataset(
            {one.name: ((*lead, "time", *one.dims), values[one.name], one.attrs) for one in chosen}
            | {"valid": ((*lead, "time"), valid)},
            coords=coords
            | {"time": ("time", times, self._layout.time_attrs)}
            | {name: c.variable.copy() for name, c in cells.coords.items()},
        )

    # -- files and devices --------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Write the model to one safetensors file, from which `rom.load` makes the same forecasts, bit by bit."""
        from rom.model_file import save_model

        save_model(self, path)

    def to(self, device: str | torch.device) -> Self:
        """The same model on another device. Raises `RomValueError` for one that is not there."""
        return type(self)(
            copy.deepcopy(self._state).to(checked_device(device)), self._layout, self.config, self.history
        )

    # -- within -------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _all_cells(self) -> xr.Dataset:
        """The components of a state: their positions when flat, labelled. Making the labels takes longer than a short forecast."""
        return self._variables(np.arange(self._layout.n_states), (), self._layout.labels())

    def _variables(self, states: np.ndarray, lead: tuple[str, ...], coords: dict[Any, Any]) -> xr.Dataset:
        """Flat states (*lead, n) as the variables that they consist of."""
        parts = self._layout.parts
        values = unstacked(states, parts)
        return xr.Dataset({one.name: ((*lead, *one.dims), values[one.name], one.attrs) for one in parts}, coords)

    def _rate(self, latent: Tensor, parameters: Tensor | None) -> Tensor:
        return self._state.networks.latent_dynamics(latent, parameters)

    def _parameters(self, mu: Any, leading: tuple[int, ...]) -> Tensor | None:
        """mu (*leading, p) in units of its spread in training; None for a model without parameters."""
        mean, spread = self._state.parameter_mean, self._state.parameter_spread
        values = parameter_values(mu, self.parameters, leading, mean)
        if values is None:
            return None
        own = slice(len(self.parameters))
        return ((values - mean[own]) / spread[own]).to(self._kind).expand(*leading, len(self.parameters))

    def _scaled_forcing(self, forcing: np.ndarray | Tensor) -> Tensor:
        """What drives the model, (..., q), in units of its spread in training."""
        own = slice(len(self.parameters), None)
        mean, spread = self._state.parameter_mean[own], self._state.parameter_spread[own]
        return ((torch.as_tensor(forcing).to(mean) - mean) / spread).to(self._kind)

    def _forcing(self, signals: systems.Signals | None, n: int) -> Forcing | None:
        """What drives n forecasts, as a function of the scaled time; None for what nothing drives."""
        layout, unit = self._layout, float(self._state.time_scale)
        if not layout.is_driven or (signals is None and layout.inputs):
            return None
        if signals is None:  # time alone
            signals = systems.Signals((), np.zeros(1), np.zeros((n, 1, 0)), held=True)
        return Forcing(
            knots=signals.times / unit,
            between=lambda edges: self._scaled_forcing(forcing_of_signals(unit * edges, signals, layout)),
            at=lambda time: self._scaled_forcing(point_forcing(signals.at(unit * time), np.array(unit * time), layout)),
        )

    def _seen(self, forcing: Forcing | None, times: np.ndarray) -> np.ndarray:
        """Whether what drives the forecasts has been within its range in training up to each of the scaled times: (1 or N, T)."""
        if forcing is None:
            return np.ones((1, len(times)), dtype=bool)
        own = slice(len(self.parameters), None)
        low, high = self._scaled_forcing(self._state.parameter_range[:, own].cpu().numpy()).cpu()
        margin = BEYOND * (high - low)
        grid = np.union1d(times, forcing.knots[(forcing.knots > times[0]) & (forcing.knots < times[-1])])
        values = torch.stack([forcing.at(float(time)).cpu() for time in grid])  # (G, N, q)
        within = ((values >= low - margin) & (values <= high + margin)).all(dim=-1).numpy()
        return np.logical_and.accumulate(within, axis=0)[np.searchsorted(grid, times)].T

    def _at_states(self, mu: Any, inputs: Any, t: float, leading: tuple[int, ...]) -> Tensor | None:
        """What h is told at single states: parameters and forcing (*leading, p + q), None where that is nothing."""
        parameters = self._parameters(mu, leading)
        layout, kind = self._layout, self._state.parameter_mean
        values = input_values(inputs, self.inputs, leading, kind)
        if not layout.is_driven:
            return parameters
        features = torch.from_numpy(time_features(np.array(float(t)), layout)).to(kind).expand(*leading, -1)
        forcing = self._scaled_forcing(torch.cat([values, features], dim=-1))
        return forcing if parameters is None else torch.cat([parameters, forcing], dim=-1)

    def _like(
        self, given: Any, result: Tensor, dims: tuple[str, ...], shape: tuple[int, ...], replaced: tuple[str, ...]
    ) -> Any:
        """`result` (..., k) with its last axis as `shape`, in the kind of `given`, whose dimensions `replaced` became `dims`."""
        given, own = one_of(given, self._layout)
        replaced = own if replaced == self.dims else replaced
        result = result.reshape(*result.shape[:-1], *shape)
        if isinstance(given, Tensor):
            return result.to(dtype=given.dtype, device=given.device)
        values = result.detach().cpu().numpy()
        if not isinstance(given, xr.DataArray):
            return values
        lead = tuple(str(d) for d in given.dims if d not in replaced)
        coords = {name: c for name, c in given.coords.items() if set(c.dims) <= set(lead)}
        if dims == self.dims:
            coords |= self._layout.labels()
            if self._layout.fields:
                return self._variables(values, lead, coords)
        return xr.DataArray(values, dims=(*lead, *dims), coords=coords)
