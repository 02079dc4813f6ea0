"""Derivatives of networks along tangents, by automatic differentiation in forward mode.

The physics losses compare the product of dphi/dx and f(x) with the latent dynamics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

__all__ = ["push_forward"]


@runtime_checkable
class HasPushForward(Protocol):
    """Network with a method of its own for derivatives along tangents, composed of those of its parts."""

    def push_forward(self, points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (B, m) and derivatives (B, m), as the function `push_forward`."""
        ...


def push_forward(function: Callable[[Tensor], Tensor], points: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Compute values of a function and its derivatives along tangents.

    All rows are computed in one pass, in about twice the time of an evaluation, and no Jacobian is formed. The result is
    that of `torch.func.jvp`, which takes several times as long for a whole network. Derivatives of affine maps and
    sigmoids are therefore written out, and those of networks are composed of those of their parts.

    Parameters
    ----------
    function : Callable
        Function of rows (B, k) to rows (B, m), each of which depends on its own row alone.
    points : torch.Tensor, shape (B, k)
        Points at which to evaluate.
    tangents : torch.Tensor, shape (B, k)
        Direction at each point.

    Returns
    -------
    values : torch.Tensor, shape (B, m)
        Values at the points.
    derivatives : torch.Tensor, shape (B, m)
        Derivatives at the points along the tangents.
    """
    if isinstance(function, HasPushForward):
        return function.push_forward(points, tangents)
    if isinstance(function, nn.Linear):
        return function(points), tangents @ function.weight.mT
    if function is torch.sigmoid:
        values = torch.sigmoid(points)
        slopes = values * tangents
        return values, torch.addcmul(slopes, slopes, values, value=-1.0)
    values, derivatives = torch.func.jvp(function, (points,), (tangents,))[:2]
    return values, derivatives
