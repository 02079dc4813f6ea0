"""The result of a fit: encode, forecast, decode, and say where the forecast can be trusted."""

from __future__ import annotations

import functools
import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from rom.config import FitConfig
from rom.data.at_positions import cells_at, lifting_at
from rom.data.layout import Layout
from rom.data.outputs import all_cells, labelled, positions_of
from rom.data.positions import Place, place_asked_for
from rom.data.states import first_field
from rom.dynamics.forcing import Forcing
from rom.dynamics.rollout import roll_out, roll_out_adaptively
from rom.models.arguments import (
    forecast_times,
    initial_states,
    input_signals,
    latent_states,
    trajectories_of,
    wanted_cells,
)
from rom.models.base import LatentModel, ModelModules, prior_shapes
from rom.models.build import build_networks, closed_form_config
from rom.models.input_scaling import InputScaling, at_states, forcing_over_time, scaled_parameters, within_training
from rom.models.validity import TrainingRegion
from rom.networks.encoder_decoder import Networks
from rom.networks.jvp import push_forward
from rom.networks.user_modules import UserModules
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FUNCTION
from rom.utils.errors import RomTypeError, RomValueError, nearest

__all__ = ["ModelState", "ReducedOrderModel"]

log = logging.getLogger("rom")

METHODS = ("rk4", "dopri5")
DOUBLE = torch.float64
EXACT = (  # numbers like 1e8 + 1 would be lost in float32
    "parameter_mean", "parameter_spread", "parameter_range", "prior_variance", "prior_noise",
)  # fmt: skip

DECODED_AT_ONCE = 2**19  # numbers: two megabytes in float32, which stay in the cache


class ModelState(ModelModules):
    """All numbers of a model.

    Buffers: `time_scale` (), the time in which the networks' h is written; `max_step` (), the longest Runge-Kutta step,
    in units of it; `residual_spread` (d,); `parameter_mean` and `parameter_spread` (p + q,), of parameters and of what drives
    the model (`rom/dynamics/forcing.py`), and `parameter_range` (2, p + q), the least and the largest in training, all three in
    float64. The closed-form model that the networks started from stays beside them, with its own region.
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
        region: TrainingRegion,
        closed_form_region: TrainingRegion,
        **buffers: Tensor,
    ):
        super().__init__(projection, networks, **buffers)
        self.closed_form = closed_form
        self.region = region
        self.closed_form_region = closed_form_region

    @staticmethod
    def empty(
        config: FitConfig, layout: Layout, rank: int, latent_dim: int, own: UserModules | None = None
    ) -> ModelState:
        """A state of the right shapes, to be filled from a file."""
        d, p = latent_dim, len(layout.parameters) + layout.n_forcing
        dtype = getattr(torch, config.dtype)
        shapes = {
            "time_scale": (), "max_step": (), "residual_spread": (d,),
            "parameter_mean": (p,), "parameter_spread": (p,), "parameter_range": (2, p),
        }  # fmt: skip
        shapes |= prior_shapes(layout, rank)
        projection = Projection.empty(layout.n_states, rank)
        return ModelState(
            projection.to(dtype),
            build_networks(config, rank, d, p, layout=layout, own=own),
            build_networks(closed_form_config(config), rank, d, p),
            TrainingRegion.empty(d).to(dtype),
            TrainingRegion.empty(d).to(dtype),
            **{name: torch.zeros(shape, dtype=DOUBLE if name in EXACT else dtype) for name, shape in shapes.items()},
        )


class ReducedOrderModel(LatentModel[ModelState]):
    """A reduced-order model z = phi(x), dz/dt = h(z; mu), x = psi(z), as `rom.fit` and `rom.load` return it.

    Complete: forecasting needs neither the system nor the data. `history` (xarray.Dataset) tells how the
    model came about.
    """

    file_kind = "model"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters mu that forecasts need; empty where the model was fitted at fixed ones."""
        return self._layout.parameters

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs u(t) that forecasts need; empty where nothing drives the model but time itself."""
        return self._layout.inputs

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

    # -- the dynamics -------------------------------------------------------------------------------------------------

    def latent_rhs(self, z: Any, mu: Any = None, t: float = 0.0, inputs: Any = None) -> Any:
        """dz/dt = h(z; mu, u, t), (..., d), per unit of the data's time, in the kind z was given.

        mu: parameters (p,) or (..., p). inputs: u at the states, (m,), (..., m), or a mapping from names.
        """
        latent = latent_states(z, self.latent_dim, self._kind)
        rate = self._rate(latent, at_states(mu, inputs, t, latent.shape[:-1], self._units)) / self._state.time_scale
        return self._like(z, rate, ("latent",), (self.latent_dim,), ("latent",))

    def residual(
        self, x: Any, time_derivative: Any, mu: Any = None, t: float = 0.0, inputs: Any = None, at: Any = None
    ) -> Any:
        """dphi/dx f(x) - h(phi(x); mu, u, t), (..., d), in units of its root mean square in training, by component.

        About 1 where the model knows the physics as well as in training; much more is a state to distrust. `x` and
        `time_derivative` = f(x) have shapes (..., *shape), or are Datasets or mappings of the fields of a model of fields; the
        kind of `x` is returned. `at` is that of `encode`.
        """
        states, dims = self._states_of("x", x, at)
        velocities, _ = self._states_of("time_derivative", time_derivative, at, is_rate=True)
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
        mismatch = velocity - self._rate(latent, at_states(mu, inputs, t, latent.shape[:-1], self._units))
        return self._like(x, mismatch / self._state.residual_spread, ("latent",), (self.latent_dim,), dims)

    # -- forecasts ----------------------------------------------------------------------------------------------------

    def forecast(
        self,
        x0: Any,
        t: Any,
        mu: Any = None,
        *,
        inputs: Any = None,
        points: Mapping[str, Any] | None = None,
        at: Any = None,
        noise: float = 0.0,
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
        at: of a model in a function space, the positions to forecast, by the names of its axes: {"x": numbers} or, of several
            axes, the grid that theirs span; DataArrays that share dimensions are points along these. Default: where x0 lies.
            There x0 is labelled, on any grid or at any points, few points included (see `encode`).
        noise: the standard deviation of the errors of x0, as in `encode`.
        method: "rk4", equal steps as long as the fitted dynamics allow, or "dopri5", adaptive steps by torchdiffeq.

        Returns a Dataset with `state` (trajectory, time, *dims), or the fields of a model of fields, and `valid`
        (trajectory, time), without `trajectory` for one state. `valid` turns false, and stays false, with the step in which
        the latent state leaves the region seen in training, whether a time asked for lies outside or not ("dopri5" looks
        at these times alone), and once inputs, or a time on which h depends without a period, leave their range in
        training by more than a twentieth of it; from the first value on that is not finite, states are NaN and a warning is given.
        Raises `RomValueError` or `RomTypeError` for unusable arguments; `systems.SystemsError` for inputs that are no
        signals, not those of the model, or shorter than t.
        """
        if method not in METHODS:
            raise RomValueError(f"method: unknown {method!r}; {nearest(method, METHODS)}")
        times = forecast_times(t, x0, self._layout)
        states, trajectory, places = self._initial(x0, at, noise)
        if places is not None:
            if points is not None:
                raise RomTypeError("points: a model in a function space has no grid of its own; pass positions, at=...")
            cells = cells_at(self._layout, places)
            lifting = lifting_at(self._layout, self._state.projection, [place.positions for place in places])
        else:
            cells = self._all_cells if points is None else wanted_cells(points, self._all_cells)
            lifting = self._lifting(None if points is None else positions_of(cells))
        units = self._units
        parameters = scaled_parameters(mu, (len(states),), units)
        longest = float(self._state.max_step) * units.time_scale
        signals = input_signals(inputs, self._layout, times, len(states), longest)
        forcing = forcing_over_time(signals, len(states), units)
        with torch.inference_mode():
            scaled = times / units.time_scale
            latent, inside = self._roll_out(self._state.encode(states), scaled, parameters, forcing, method)
            decoded, finite = self._decoded(latent.transpose(0, 1), *lifting)
            valid = inside.T.cpu().numpy() & finite & within_training(forcing, scaled, units)
        if not finite.all():
            k = int(np.argmin(finite.all(axis=1)))
            first = times[int(np.argmin(finite[k]))]
            warnings.warn(
                f"the forecast of trajectory {k} is not finite from t = {first:g} on: states are NaN and valid is False "
                "from there; its initial state, mu or inputs may lie outside the region of training, see `valid`",
                RuntimeWarning,
                stacklevel=2,
            )
        return labelled(decoded, valid, times, trajectory, cells, self._layout)

    def _roll_out(
        self, z0: Tensor, times: np.ndarray, parameters: Tensor | None, forcing: Forcing | None, method: str
    ) -> tuple[Tensor, Tensor]:
        """Latent states (time, trajectory, d) at scaled `times`, and whether the region was never left, (time, trajectory)."""
        if method == "dopri5" and len(times) > 1:
            latent = roll_out_adaptively(self._state.networks.latent_dynamics, z0, times, parameters, forcing)
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

    def _lifting(self, rows: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Components `rows` (m,) of a state are mean (m,) + modes (m, r) times scaled POD coordinates."""
        projection = self._state.projection
        chosen = slice(None) if rows is None else torch.as_tensor(rows, device=self.device)
        return projection.mean[chosen], projection.basis[chosen] * projection.unit[chosen, None]

    def _decoded(self, latent: Tensor, mean: Tensor, modes: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The values, by `mean` (m,) and `modes` (m, r), of `latent` (trajectory, time, d), and where all of these are finite.

        States (trajectory, time, m) are NaN from the first that is not finite on; flags (trajectory, time). Some states at a
        time, in the array that is returned: temporary arrays as large as the result would cost more than the arithmetic.
        """
        decoder, scale, modes = self._state.networks.decoder, self._state.projection.scale, modes.T
        decoded = np.empty((*latent.shape[:2], len(mean)), self.config.dtype)
        finite = latent.isfinite().all(dim=-1).cpu().numpy()
        flat_latent, flat, flat_finite = latent.flatten(0, 1), decoded.reshape(-1, len(mean)), finite.reshape(-1)
        size = max(64, DECODED_AT_ONCE // max(len(mean), self.rank))
        for start in range(0, len(flat), size):
            some = slice(start, start + size)
            lifted = torch.addmm(mean, scale * decoder(flat_latent[some]), modes)
            flat[some] = lifted.cpu().numpy()
            flat_finite[some] &= np.isfinite(flat[some]).all(axis=1)  # NumPy's is many times faster than torch's
        finite = np.logical_and.accumulate(finite, axis=1)
        decoded[~finite] = np.nan
        return decoded, finite

    # -- within -------------------------------------------------------------------------------------------------------

    def _initial(self, x0: Any, at: Any, noise: float = 0.0) -> tuple[Tensor, Any, list[Place] | None]:
        """States (trajectory, n) and the coordinate of `trajectory`, None for one state; where they are to be forecast.

        None of a model on its own grid, and of coefficients.
        """
        space = self._space(at)
        in_space = isinstance(x0, xr.DataArray | xr.Dataset) and FUNCTION in x0.dims
        is_flat = space is None or (in_space and at is None)
        noise = self._checked_noise(noise, not is_flat)
        if space is None or is_flat:
            return *initial_states(x0, self._layout, self._kind), None
        given = self._given("x0", x0, None)
        states = self._coefficients("x0", given, noise=noise)
        places = given.places if at is None else [place_asked_for(at, space)] * len(self._layout.parts)
        first, _ = first_field(x0, self._layout)
        return *trajectories_of(states, first, given.lead, "x0 has several dimensions beside positions"), places

    @functools.cached_property
    def _all_cells(self) -> xr.Dataset:
        return all_cells(self._layout)

    def _rate(self, latent: Tensor, parameters: Tensor | None) -> Tensor:
        return self._state.networks.latent_dynamics(latent, parameters)

    @property
    def _units(self) -> InputScaling:
        """How the model counts what it is told beside a state."""
        state = self._state
        return InputScaling(
            layout=self._layout,
            mean=state.parameter_mean,
            spread=state.parameter_spread,
            extremes=state.parameter_range,
            time_scale=float(state.time_scale),
            kind=self._kind,
        )
