"""Forecasts of flat states: rollouts of the latent dynamics, the flags `valid`, and decoding in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rom.data.layout import Layout
from rom.data.state_codec import DecodedCells
from rom.dynamics.rollout import METHODS
from rom.models.arguments import input_signals
from rom.models.input_scaling import InputScaling, forcing_over_time, scaled_parameters
from rom.models.modules import ModelState
from rom.models.validity import within_training
from rom.utils.checks import require_choice

__all__ = ["Forecaster", "LatentForecast"]

DECODED_AT_ONCE = 2**19  # numbers: two megabytes in float32, which stay in the cache


@dataclass(frozen=True)
class LatentForecast:
    """Forecasts in latent space.

    Attributes
    ----------
    latent : torch.Tensor
        Latent states ``(trajectory, time, d)``.
    valid : numpy.ndarray
        Flags ``(trajectory, time)``: true as long as latent states and inputs stayed in their training range.
    """

    latent: Tensor
    valid: np.ndarray


@dataclass(frozen=True)
class Forecaster:
    """Rolls out the latent dynamics of a model, and decodes the result.

    Attributes
    ----------
    state : ModelState
        Networks, projection and training region.
    layout : Layout
        Names of parameters and inputs.
    scaling : InputScaling
        Scaling of parameters and inputs.
    dtype : str
        Type of the decoded values.
    """

    state: ModelState
    layout: Layout
    scaling: InputScaling
    dtype: str

    @torch.inference_mode()
    def roll_out(
        self, states: Tensor, times: np.ndarray, mu: Any = None, inputs: Any = None, method: str = "rk4"
    ) -> LatentForecast:
        """Forecast in latent space.

        Parameters
        ----------
        states : torch.Tensor
            Flat states ``(trajectory, n)`` at ``times[0]``.
        times : numpy.ndarray
            Strictly increasing times ``(time,)``, in the unit of the data.
        mu : array or mapping, optional
            Parameters, as in `ReducedOrderModel.forecast`.
        inputs : mapping or DataArray, optional
            Inputs over time, as in `ReducedOrderModel.forecast`.
        method : {"rk4", "dopri5"}
            Time integration.

        Returns
        -------
        LatentForecast
            Latent states and flags.

        Raises
        ------
        RomTypeError, RomValueError, systems.SystemsError
            For parameters or inputs that cannot be used, or an unknown method.
        """
        require_choice("method", method, METHODS)
        scaling, count, time_scale = self.scaling, len(states), float(self.state.time_scale)
        parameters = scaled_parameters(mu, (count,), scaling)
        longest_step = float(self.state.max_step) * time_scale
        signals = input_signals(inputs, self.layout, times, count, longest_step)
        forcing = forcing_over_time(signals, count, scaling, time_scale)
        scaled_times = times / time_scale
        dynamics, contains = self.state.networks.latent_dynamics, self.state.region.contains
        z0, max_step = self.state.encode(states), float(self.state.max_step)
        latent, inside = METHODS[method](dynamics, z0, scaled_times, parameters, max_step, contains, forcing)
        valid = inside.T.cpu().numpy() & within_training(forcing, scaled_times, scaling)
        return LatentForecast(latent.transpose(0, 1), valid)

    @torch.inference_mode()
    def decode(
        self, latent: Tensor, cells: DecodedCells, finite_before: np.ndarray | bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode latent states at consecutive times.

        Some states are decoded at a time, into the array that is returned: temporary arrays as large as the result
        would cost more than the arithmetic.

        Parameters
        ----------
        latent : torch.Tensor
            Latent states ``(trajectory, time, d)``.
        cells : DecodedCells
            What to decode of each state.
        finite_before : numpy.ndarray or bool
            Whether all earlier states of each trajectory ``(trajectory,)`` were finite.

        Returns
        -------
        values : numpy.ndarray
            Shape ``(trajectory, time, m)``, NaN from the first state on that is not finite.
        finite : numpy.ndarray
            Flags ``(trajectory, time)``: whether this and all earlier states are finite.
        """
        decoder, scale, modes = self.state.networks.decoder, self.state.projection.scale, cells.modes.T
        n_cells = len(cells.mean)
        values = np.empty((*latent.shape[:2], n_cells), self.dtype)
        finite = latent.isfinite().all(dim=-1).cpu().numpy()
        flat_latent, flat_values, flat_finite = latent.flatten(0, 1), values.reshape(-1, n_cells), finite.reshape(-1)
        size = max(64, DECODED_AT_ONCE // max(n_cells, self.state.projection.rank))
        for start in range(0, len(flat_values), size):
            part = slice(start, start + size)
            decoded = torch.addmm(cells.mean, scale * decoder(flat_latent[part]), modes)
            flat_values[part] = decoded.cpu().numpy()
            flat_finite[part] &= np.isfinite(flat_values[part]).all(axis=1)  # NumPy's is many times faster than torch's
        finite[:, 0] &= finite_before
        finite = np.logical_and.accumulate(finite, axis=1)
        values[~finite] = np.nan
        return values, finite
