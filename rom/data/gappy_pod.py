"""Latent states from values at some positions: gappy POD with a Gaussian prior (Everson & Sirovich 1995)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rom.data.fields import Field
from rom.data.layout import Layout
from rom.reduction.least_squares import along_axes
from rom.reduction.pod import Projection
from rom.reduction.spline_space import FunctionSpace, Positions

__all__ = ["LEAST_NOISE", "GappyPOD", "Prior", "affine", "prior_noise", "values_of_modes"]

LEAST_NOISE = 1e-12  # of the variance: values in float32 are as exact as this


@dataclass(frozen=True)
class Prior:
    """What is known of coefficients before values are seen: c = mean + factor w, with w of zero mean.

    Attributes
    ----------
    mean : numpy.ndarray
        Shape ``(n,)``.
    factor : numpy.ndarray
        The POD modes, ``(n, r)``.
    variance : numpy.ndarray
        Variance of w, ``(r,)``.
    noise : numpy.ndarray
        Variance of the values of each field about such c, ``(n_fields,)``: their errors in training, and what space and POD
        do not hold.
    """

    mean: np.ndarray
    factor: np.ndarray
    variance: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, projection: Projection, variance: Tensor, noise: Tensor) -> Prior:
        """Return the prior of a model, from its POD and the stored variances."""
        mean, modes = affine(projection)
        return cls(mean, float(projection.scale) * modes, variance.cpu().numpy(), noise.cpu().numpy())


def affine(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n,) and modes (n, r) in float64: coefficients are mean + modes times scaled POD coordinates."""
    mean, unit, basis = (
        value.cpu().numpy().astype(np.float64) for value in (projection.mean, projection.unit, projection.basis)
    )
    return mean, unit[:, None] * basis


def prior_noise(layout: Layout, projection: Projection, variance: np.ndarray, misfit: Sequence[float]) -> np.ndarray:
    """Return `Prior.noise`: the misfit of the space, and the energy that the POD has lost, spread over the domain.

    Parameters
    ----------
    layout : Layout
        Labels of a state, with the function space.
    projection : Projection
        POD of the coefficients.
    variance : numpy.ndarray
        Mean squares of the POD coordinates of the training data, ``(r,)``.
    misfit : sequence of float
        Variance of the errors of the values of each field.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_fields,)``.
    """
    assert layout.space is not None
    channels = sum(part.size for part in layout.parts) / layout.space.n_functions
    held = float(variance.sum()) * float(projection.scale) ** 2 / (channels * layout.space.volume)
    lost = held * projection.lost_energy / (1.0 - min(projection.lost_energy, 0.5))
    unit = np.array([float(projection.unit[where.start]) for where in layout.field_slices])
    return np.asarray(misfit) + unit**2 * (lost + LEAST_NOISE * held)


class GappyPOD:
    """The affine map from the values of all fields at given positions to coefficients.

    It is the mean of the posterior, which is also its most probable point: w = L A^T (A L A^T + S)^-1 (y - A mean), with A the
    modes at the positions, L the variances of w and S those of the values. Its limit for many exact values is least squares.
    These are taken if there is no noise and the positions of each field determine its coefficients well: they also see what
    the POD has cut off. Just above as many values as functions they would amplify errors.

    Parameters
    ----------
    layout : Layout
        Labels of a state, with the function space.
    positions : sequence of Positions
        Positions of each field.
    prior : Prior
        Mean, modes and variances of the training data.
    noise : float
        Standard deviation of the errors of the values. At least that of the training data is assumed.

    References
    ----------
    Everson & Sirovich 1995, J. Opt. Soc. Am. A 12, 1657.
    """

    def __init__(self, layout: Layout, positions: Sequence[Positions], prior: Prior, noise: float = 0.0):
        space = layout.space
        assert space is not None
        self.inverses: list[list[Tensor]] | None = None
        inverses = [space.inverses_if_well_determined(where) for where in positions]
        determined = [maps for maps in inverses if maps is not None]
        if noise == 0.0 and len(determined) == len(inverses):
            self.inverses = [[torch.from_numpy(matrix) for matrix in maps] for maps in determined]
            return
        modes = np.concatenate([prior.mean[:, None], prior.factor], axis=1)
        rows = [
            values_of_modes(space, part, modes[where], at)
            for part, where, at in zip(layout.parts, layout.field_slices, positions, strict=True)
        ]
        deviation = np.repeat(np.sqrt(np.maximum(prior.noise, noise**2)), [len(values) for values in rows])
        expected, modes_there = np.split(np.concatenate(rows), [1], axis=1)
        spread = np.sqrt(prior.variance)
        u, s, vt = np.linalg.svd(modes_there * spread / deviation[:, None], full_matrices=False)
        gain = prior.factor @ (spread[:, None] * vt.T * (s / (s**2 + 1.0))) @ (u.T / deviation)
        self.mean, self.expected, self.gain = (torch.from_numpy(a) for a in (prior.mean, expected[:, 0], gain))

    def __call__(self, values: Sequence[Tensor], is_rate: bool = False) -> Tensor:
        """Estimate coefficients.

        Parameters
        ----------
        values : sequence of torch.Tensor
            Values ``(..., components, positions)`` of each field, float64.
        is_rate : bool
            Whether the values are time derivatives, which are mapped without the mean.

        Returns
        -------
        torch.Tensor
            Coefficients, or their time derivatives, ``(..., n)``.
        """
        device = values[0].device
        if self.inverses is not None:
            coefficients = [
                along_axes([matrix.to(device) for matrix in inverse], one).flatten(-2)
                for inverse, one in zip(self.inverses, values, strict=True)
            ]
            return torch.cat(coefficients, dim=-1)
        y = torch.cat([one.flatten(-2) for one in values], dim=-1)
        gain = self.gain.T.to(device)
        return y @ gain if is_rate else self.mean.to(device) + (y - self.expected.to(device)) @ gain


def values_of_modes(space: FunctionSpace, part: Field, modes: np.ndarray, positions: Positions) -> np.ndarray:
    """Return the values (C P, m) at `positions` of m modes of a field, given by coefficients (C M, m)."""
    channels = part.size // space.n_functions
    coefficients = modes.reshape(channels, space.n_functions, -1).transpose(0, 2, 1)
    return space.values(coefficients, positions).transpose(0, 2, 1).reshape(-1, modes.shape[1])
