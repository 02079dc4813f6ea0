"""Encoders and decoders that users pass as torch modules, on states in the shape of the data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from rom.data.layout import Layout
from rom.networks.geometry import Geometry
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.random import torch_generator

__all__ = ["UserModules", "check_user_modules", "has_user_modules"]

# Size of the random changes of weights with which modules are tested, in shares of the usual size of weights.
WEIGHT_CHANGE = 0.3

# Largest relative difference between two evaluations in float32 that counts as rounding.
ROUNDING = 1e-4

# Rows of the batches on which modules are tested: fewer, but at least two, if states have very many values.
TEST_ROWS = 8
TEST_VALUES = 2**18


@dataclass(frozen=True)
class UserModules:
    """Modules of a user for the corrections of encoder and decoder.

    Attributes
    ----------
    encoder : torch.nn.Module
        Takes states (B, *shape) to latent states (B, d).
    decoder : torch.nn.Module
        Takes latent states (B, d) to states (B, *shape).
    geometry : Geometry
        Points of a state.
    """

    encoder: nn.Module
    decoder: nn.Module
    geometry: Geometry

    def modules(self) -> tuple[nn.Module, nn.Module]:
        """Return copies of both on fields with one channel, whose values are zero before training."""
        return Gated(copy.deepcopy(self.encoder), drop_channel=True), Gated(copy.deepcopy(self.decoder))


class Gated(nn.Module):
    """Module times a learned number that is zero before training.

    The model therefore starts as its closed form, whatever the module is (ReZero; Bachlechner et al. 2021, UAI).
    """

    def __init__(self, module: nn.Module, drop_channel: bool = False):
        super().__init__()
        self.module = module
        self.drop_channel = drop_channel
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the values of the module times the gate."""
        return self.gate * self.module(rows.squeeze(1) if self.drop_channel else rows)


def has_user_modules(networks: nn.Module) -> bool:
    """Return whether `networks` contain modules of the user."""
    return any(isinstance(module, Gated) for module in networks.modules())


def check_user_modules(modules: Any, layout: Layout, latent_dim: int) -> UserModules | None:
    """Check the modules that a user passed, by evaluating copies of them on a few states.

    Parameters
    ----------
    modules : pair of torch.nn.Module, or None
        Encoder and decoder.
    layout : Layout
        Shape and dimensions of a state.
    latent_dim : int
        Latent dimension d.

    Returns
    -------
    UserModules or None
        The modules; None if there are none.

    Raises
    ------
    RomTypeError
        If `modules` is not a pair of modules, or if values of one for a state depend on anything else than this state.
    RomValueError
        If a module fails, returns another shape than needed, or values that are not finite.
    """
    if modules is None:
        return None
    if not isinstance(modules, Sequence) or len(modules) != 2 or not all(isinstance(m, nn.Module) for m in modules):
        raise RomTypeError(f"modules must be a pair of torch modules (encoder, decoder), got {modules!r}")
    encoder, decoder = (copy.deepcopy(module) for module in modules)
    shape = layout.shape
    for name, module, n_in, n_out in (
        ("encoder", encoder, shape, (latent_dim,)),
        ("decoder", decoder, (latent_dim,), shape),
    ):
        with torch.random.fork_rng(devices=[]):  # random layers draw from torch's global generator
            torch.manual_seed(0)
            require_shapes(module, name, n_in, n_out)  # lazy layers of the copy get their shapes here
            require_independent_rows(module, name, n_in, n_out)
    return UserModules(encoder, decoder, Geometry(1, shape, layout.dims))


@torch.no_grad()
def require_shapes(module: nn.Module, name: str, n_in: tuple[int, ...], n_out: tuple[int, ...]) -> None:
    """Raise an error for a module that does not take two states (2, *n_in) to finite values (2, *n_out)."""
    rows = standard_normal(module, (2, *n_in), seed=0)
    try:
        values = module(rows)
    except Exception as error:
        raise RomValueError(f"modules: the {name} fails on two states of shape {tuple(rows.shape)}: {error}") from error
    if not isinstance(values, Tensor):
        raise RomTypeError(f"modules: the {name} must give one tensor, got {type(values).__name__}")
    if tuple(values.shape) != (2, *n_out):
        raise RomValueError(
            f"modules: the {name} takes {tuple(rows.shape)} to {tuple(values.shape)}; {(2, *n_out)} is needed, with one "
            "row per state"
        )
    if not values.isfinite().all():
        raise RomValueError(
            f"modules: the {name} gives values that are not finite for standard normal numbers; it must be finite there, "
            "since states are standardised"
        )


@torch.no_grad()
def require_independent_rows(module: nn.Module, name: str, n_in: tuple[int, ...], n_out: tuple[int, ...]) -> None:
    """Raise `RomTypeError` for a module whose values for a state do not depend on this state alone.

    The physics losses take derivatives of a whole batch along one tangent, which are the derivatives row by row only if
    rows do not mix. They also compare a value and a derivative, which must be of one function. Values are therefore
    compared in training mode and in evaluation mode, beside different states. Unlike a list of layer types, this finds
    statistics of a batch, random layers, and any other operation that mixes rows. A last layer of zeros would hide what
    comes before it, so a copy with changed weights is tested too.
    """
    n_values = max(torch.Size(n_in).numel(), torch.Size(n_out).numel(), 1)
    n_rows = max(2, min(TEST_ROWS, TEST_VALUES // n_values))
    suspects = [
        f"{path} is a {type(layer).__name__}"
        for path, layer in module.named_modules(prefix=name)
        if isinstance(layer, _BatchNorm) or (isinstance(layer, _DropoutNd) and layer.p > 0)
    ]
    for candidate in (copy.deepcopy(module), with_changed_weights(module)):
        try:
            # Rare or small randomness may change none of the few values, so the usual layers are refused by type as well.
            independent = not suspects and has_independent_rows(candidate, n_in, n_rows)
        except Exception:  # changed weights may break a constraint, which tells nothing
            independent = True
        if not independent:
            raise RomTypeError(
                f"modules: the {name} gives other values for the same states beside other states, or in evaluation mode"
                + (f" ({', '.join(suspects)})" if suspects else "")
                + ". Each row may depend on its own state alone, and on nothing random: use LayerNorm or GroupNorm in "
                "place of BatchNorm, and leave out Dropout"
            )


def has_independent_rows(module: nn.Module, n_in: tuple[int, ...], n_rows: int) -> bool:
    """Return whether values of some states agree in both modes and beside different states.

    Also true if they are not finite, as can happen with changed weights.
    """
    states, beside, beside_others = (standard_normal(module, (n_rows, *n_in), seed) for seed in (0, 1, 2))
    training = module.train()(torch.cat([states, beside]))[:n_rows]
    evaluation = module.eval()(torch.cat([states, beside_others]))[:n_rows]
    if not (training.isfinite().all() and evaluation.isfinite().all()):
        return True
    return torch.allclose(training, evaluation, rtol=ROUNDING, atol=ROUNDING * float(training.abs().max()))


def with_changed_weights(module: nn.Module) -> nn.Module:
    """Return a copy with random changes of its weights, so that none is zero."""
    copied = copy.deepcopy(module)
    generator = torch_generator(1)
    for parameter in copied.parameters():
        n_in = parameter.numel() // max(len(parameter), 1) if parameter.ndim > 1 else 1
        change = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter += WEIGHT_CHANGE / max(n_in, 1) ** 0.5 * change
    return copied


def standard_normal(module: nn.Module, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal numbers in the dtype and on the device of the parameters of `module`."""
    like = next(module.parameters(), torch.zeros(()))
    return torch.randn(shape, generator=torch_generator(seed)).to(like)
