"""Settings of a fit.

`LossWeights` says what training minimises, `FitConfig` how a model is built and trained. Both are frozen dataclasses
that refuse unknown names. They are stored as JSON in the model file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from rom.networks.field_network import FieldNetwork, field_network_from_dict, field_network_to_dict
from rom.networks.mlp import ACTIVATIONS
from rom.reduction.spline_space import Coordinate
from rom.utils.checks import require_choice, require_flag, require_integer, require_number, require_widths
from rom.utils.errors import RomTypeError, RomValueError
from rom.utils.json_dataclass import JsonSettings

__all__ = ["LATENT_TERMS", "OPTIMIZERS", "FitConfig", "LossWeights"]

# Valid values of settings
LATENT_TERMS = ("linear", "quadratic", "neural")
OPTIMIZERS = ("soap", "adam")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class LossWeights(JsonSettings):
    """Weights of the losses that training adds up.

    Each weight is a finite number of at least 0, and 0 leaves a loss out. The first five losses are divided by a
    variance, so that a weight of 1 suits each of them. The others are regularisers, which are off by default and can be
    used with `rom.fit` and `rom.fit_autoencoder`.

    In the formulas, x is a state of a trajectory, x~ one of a collocation point, phi the encoder, psi the decoder, h the
    latent dynamics, z a latent state and d the latent dimension.

    Parameters
    ----------
    reconstruction : float, default 1.0
        Weight of ``|psi(phi(x)) - x|^2``: encoding and decoding return the state.
    prediction : float, default 1.0
        Weight of ``|psi(z(t)) - x(t)|^2`` with ``dz/dt = h(z)`` and ``z(0) = phi(x(0))``: rollouts follow the
        trajectories.
    latent_physics : float, default 1.0
        Weight of ``|dphi/dx f(x~) - h(phi(x~))|^2``: h is the image of f in the latent space. Lower it if f is noisy or
        only approximately known.
    decoded_physics : float, default 1.0
        Weight of ``|dpsi/dz h(phi(x~)) - f(x~)|^2``: decoded latent velocities agree with f. Lower it together with
        `latent_physics`.
    collocation_reconstruction : float, default 1.0
        Weight of ``|psi(phi(x~)) - x~|^2``: the reconstruction of collocation points.
    denoising : float, default 0.0
        Weight of ``|psi(phi(x + noise)) - x|^2``, with noise of the size `FitConfig.noise`. Use about 1 to remove
        noise from data, or for images in few latent coordinates.
    contractive : float, default 0.0
        Weight of ``|dphi/dx|_F^2`` relative to the variance of z. Use 0.01 to 0.1 for an encoder that changes little
        under small changes of the state.
    sparse : float, default 0.0
        Weight of the mean of ``|z|`` relative to its root mean square. Use 0.001 to 0.1 for few active latent
        coordinates at each state. With `sparse` or `sparse_kl`, d may exceed the number of components of a state.
    sparse_kl : float, default 0.0
        Weight of the Kullback-Leibler divergence between the mean activation of each latent coordinate and
        `FitConfig.active_share`. Use 0.001 to 0.1; the alternative to `sparse` that sets how often a coordinate is
        active.
    variational : float, default 0.0
        Weight (often called beta) of the Kullback-Leibler divergence between a Gaussian encoder and the standard normal
        distribution. Use it to draw samples from an autoencoder. A sensible value is ``2 R d / r``, for an expected
        reconstruction error R, as a share of the variance, and r POD coordinates. Latent dynamics and physics use the
        mean of the encoder.
    smoothness : float, default 0.0
        Weight of the mean square of the second derivative of psi along random latent directions. Use 0.001 to 0.1 for a
        decoder without sharp bends.

    Raises
    ------
    RomTypeError
        If a weight is not a number, or if a name is unknown.
    RomValueError
        If a weight is negative or not finite.

    Notes
    -----
    The losses are computed in `rom/training/losses.py`, the regularisers in `rom/training/regularisers.py`, which cite
    their sources. With latent dynamics, the weights of regularisers do not change how the best training step is
    selected: by the errors of forecasts of held-out data.

    Examples
    --------
    Training that relies less on the physics:

    >>> import rom
    >>> rom.LossWeights(latent_physics=0.1, decoded_physics=0.1).prediction
    1.0

    An autoencoder that removes noise:

    >>> rom.LossWeights(denoising=1.0).regularised
    True

    A misspelt name is refused:

    >>> rom.LossWeights(denoise=1.0)
    Traceback (most recent call last):
    ...
    rom.utils.errors.RomTypeError: LossWeights: unknown setting 'denoise'; did you mean 'denoising'?
    """

    reconstruction: float = 1.0
    prediction: float = 1.0
    latent_physics: float = 1.0
    decoded_physics: float = 1.0
    collocation_reconstruction: float = 1.0
    denoising: float = 0.0
    contractive: float = 0.0
    sparse: float = 0.0
    sparse_kl: float = 0.0
    variational: float = 0.0
    smoothness: float = 0.0

    def of(self, loss: str) -> float:
        """Return the weight of a loss by its name.

        Raises
        ------
        KeyError
            If no weight has this name.
        """
        if loss not in {field.name for field in dataclasses.fields(self)}:
            raise KeyError(f"the loss {loss!r} has no weight: add a field of this name to LossWeights")
        return getattr(self, loss)

    @property
    def of_trajectories(self) -> float:
        """Sum of the weights of the losses of trajectories."""
        return self.reconstruction + self.prediction

    @property
    def of_collocation(self) -> float:
        """Sum of the weights of the losses of collocation points."""
        return self.latent_physics + self.decoded_physics + self.collocation_reconstruction

    @property
    def of_latent_states(self) -> float:
        """Sum of the weights of the regularisers that act on latent states."""
        return self.contractive + self.sparse + self.sparse_kl + self.variational + self.smoothness

    @property
    def over_complete(self) -> bool:
        """Whether d may exceed the number of components of a state.

        A weight for sparsity keeps such a latent space from copying the state.
        """
        return self.sparse + self.sparse_kl > 0.0

    @property
    def regularised(self) -> bool:
        """Whether any regulariser has a positive weight."""
        return self.denoising + self.of_latent_states > 0.0

    def __post_init__(self) -> None:
        """Check all weights."""
        super().__post_init__()
        for field in dataclasses.fields(self):
            require_number(f"LossWeights.{field.name}", getattr(self, field.name), low=0.0)


@dataclass(frozen=True)
class FitConfig(JsonSettings):
    """How `rom.fit` and `rom.fit_autoencoder` build and train a model.

    The defaults suit most problems, and were chosen on other data than the benchmarks. The settings come in four groups,
    in this order: reduction (`energy_tolerance` to `space`), networks (`hidden` to `latent_terms`), regularisers
    (`noise` to `warm_up`) and training (`optimizer` to `dtype`).

    Parameters
    ----------
    energy_tolerance : float, default 1e-6
        Share of the variance of the states that the POD coordinates may lose, from 0 to 1. Raise it for fewer POD
        coordinates and faster steps; lower it if the lost energy that ``print(model)`` shows limits the accuracy.
    max_rank : int, default 256
        Largest number of POD coordinates, at least 1. Lower it for noisy data whose singular values level off, because
        noise lies beyond. Raise it if a warning says that more coordinates carry energy.
    space : Coordinate or None, default None
        `rom.Coordinate(...)` for data on different grids, or at scattered or moving positions. The positions are the
        coordinates of labelled data, and forecasts can then be made at any position. Data are read into memory. A given
        system is simulated and collocated on its own grid, and `evaluate_system` is taken as False. It cannot be
        combined with `network`.
    hidden : tuple of int, default (128, 128, 128)
        Widths of the hidden layers of the networks that correct encoder and decoder. Use fewer or narrower layers for
        few samples; ``()`` leaves the closed-form maps, POD and a quadratic manifold.
    latent_hidden : tuple of int, default (128, 128)
        Widths of the hidden layers of the neural part of h.
    activation : str, default "tanh"
        Activation function: "tanh", "silu", "gelu", "relu", "elu", "softplus" or "sin".
    layer_norm : bool, default False
        Whether the hidden layers of encoder and decoder are normalised (Ba et al. 2016). Try it with many layers.
    residual : bool, default False
        Whether a hidden layer of encoder or decoder is added to its input, if both have the same width (He et al.
        2016). Try it with many layers.
    network : network on fields or None, default None
        Networks that act on fields, in place of those on POD coordinates, such as `rom.Convolutional(...)` on grids,
        `rom.Graph(...)` on meshes, `rom.Implicit(...)` on one set of points. Their training steps take several times as
        long or more. Networks of your own are passed to `rom.fit` as ``modules=(encoder, decoder)``.
    multiscale : bool, default True
        Whether the first layer of the encoder starts with features at many length scales, down to 1/50 of the spread
        of the data. False is better for an autoencoder with ``start="isomap"``.
    quadratic_decoder : bool, default True
        Whether the decoder contains a quadratic manifold. False, with ``hidden=()``, leaves principal components.
    latent_terms : tuple of str, default ("linear", "quadratic", "neural")
        The terms of h: at least one of "linear", "quadratic" and "neural". Without "neural", the latent dynamics are
        those of operator inference, refined by training.
    noise : float, default 0.1
        Standard deviation of the noise of the loss `LossWeights.denoising`, above 0. The noise is equal in all
        components of a state. The unit is the root mean square of the standard deviations of the components.
    active_share : float, default 0.05
        Share of the states at which a latent coordinate should be active, above 0 and at most 0.5. It is used by
        `LossWeights.sparse_kl`.
    warm_up : float, default 0.3
        Share of the training, from 0 to 1, in which the weight `LossWeights.variational` rises from zero. Raise it if a
        warning says that latent coordinates are not used.
    optimizer : str, default "soap"
        "soap" (Vyas et al. 2024) or "adam". Adam takes cheaper steps but usually needs more of them.
    learning_rate : float, default 2e-2
        Peak learning rate of the neural corrections, above 0. The closed-form parts are trained at a tenth of it. The
        rate rises briefly at the start and then decays to zero along a cosine (`rom/training/optimiser.py`). The peak is
        lower if the closed-form model is already accurate. With ``optimizer="adam"``, 1e-3 is usual.
    steps : int or None, default None
        Number of optimiser steps, at least 1. None means 2,000 steps, or as many as `max_seconds` of `rom.fit` allows.
    collocation_batch : int, default 512
        Collocation points in each step. Lower it for large networks on fields.
    window_batch : int, default 32
        Windows, pieces of trajectories, in each step, and as many from newly simulated flows if there are any. Lower it
        for large networks on fields.
    window : int, default 20
        Largest length of a window: the number of snapshots after its first. Training starts with a quarter of it. If
        the dynamics allow long Runge-Kutta steps, some snapshots are skipped. Longer windows train longer rollouts and cost more.
    gradient_clip : float, default 1.0
        Largest norm of the gradient, above 0; larger gradients are scaled down to it.
    validations : int, default 25
        Number of times that training is validated on held-out data, at equal distances. The best state of them is kept.
    patience : int or None, default None
        Number of validations without an improvement after which training stops. None trains to the end.
    evaluate_system : bool, default True
        Whether training may evaluate f of the system at further states: those of the trajectories, and states along
        newly simulated flows, which are used as windows as well. Use False if f is expensive.
    dtype : str, default "float32"
        "float32" or "float64": the precision of networks and training data. Use "float64" if rounding limits the
        accuracy.

    Raises
    ------
    RomTypeError
        If a setting has the wrong type, or if a name is unknown.
    RomValueError
        If a setting is out of its range, or if `space` and `network` are both given.

    References
    ----------
    - Ba, J. L., Kiros, J. R., Hinton, G. E. (2016). Layer normalization. arXiv:1607.06450.
    - He, K., Zhang, X., Ren, S., Sun, J. (2016). Deep residual learning for image recognition. CVPR.
    - Vyas, N. et al. (2024). SOAP: Improving and stabilizing Shampoo using Adam. arXiv:2409.11321.

    Examples
    --------
    A quick trial with small networks:

    >>> import rom
    >>> config = rom.FitConfig(steps=200, hidden=(32, 32), latent_hidden=(32,))

    Principal components and linear latent dynamics, without networks:

    >>> linear = rom.FitConfig(hidden=(), quadratic_decoder=False, latent_terms=("linear",))

    Convolutions on a grid that repeats, with smaller batches:

    >>> config = rom.FitConfig(network=rom.Convolutional(padding="periodic"), collocation_batch=64, window_batch=8)

    Settings are immutable; change a copy. They can be written as JSON:

    >>> import dataclasses
    >>> longer = dataclasses.replace(config, steps=5000)
    >>> rom.FitConfig.from_dict(longer.to_dict()) == longer
    True
    """

    energy_tolerance: float = 1e-6
    max_rank: int = 256
    space: Coordinate | None = None
    hidden: tuple[int, ...] = (128, 128, 128)
    latent_hidden: tuple[int, ...] = (128, 128)
    activation: str = "tanh"
    layer_norm: bool = False
    residual: bool = False
    network: FieldNetwork | None = None
    multiscale: bool = True
    quadratic_decoder: bool = True
    latent_terms: tuple[str, ...] = LATENT_TERMS
    noise: float = 0.1
    active_share: float = 0.05
    warm_up: float = 0.3
    optimizer: str = "soap"
    learning_rate: float = 2e-2
    steps: int | None = None
    collocation_batch: int = 512
    window_batch: int = 32
    window: int = 20
    gradient_clip: float = 1.0
    validations: int = 25
    patience: int | None = None
    evaluate_system: bool = True
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Check all settings."""
        super().__post_init__()
        require_number("FitConfig.energy_tolerance", self.energy_tolerance, low=0.0, high=1.0)
        for name in ("max_rank", "collocation_batch", "window_batch", "window", "validations"):
            require_integer(f"FitConfig.{name}", getattr(self, name), low=1)
        for name in ("steps", "patience"):
            if getattr(self, name) is not None:
                require_integer(f"FitConfig.{name}", getattr(self, name), low=1)
        for name in ("hidden", "latent_hidden"):
            require_widths(f"FitConfig.{name}", getattr(self, name))
        for name in ("multiscale", "layer_norm", "residual", "quadratic_decoder", "evaluate_system"):
            require_flag(f"FitConfig.{name}", getattr(self, name))
        for name in ("learning_rate", "gradient_clip", "noise"):
            require_number(f"FitConfig.{name}", getattr(self, name), low=0.0, exclusive=True)
        require_number("FitConfig.active_share", self.active_share, low=0.0, high=0.5, exclusive=True)
        require_number("FitConfig.warm_up", self.warm_up, low=0.0, high=1.0)
        if self.network is not None and not isinstance(self.network, FieldNetwork):
            raise RomTypeError(
                f"FitConfig.network must be one of {', '.join(n + '(...)' for n in FieldNetwork.kinds)} or None, got {self.network!r}; "
                "modules of your own are passed as modules=(encoder, decoder)"
            )
        if self.space is not None and not isinstance(self.space, Coordinate):
            raise RomTypeError(f"FitConfig.space must be rom.Coordinate(...) or None, got {self.space!r}")
        if self.space is not None and self.network is not None:
            raise RomValueError(
                "FitConfig: space and network cannot be combined, because spline coefficients lie on no grid that a network "
                "on fields could use; leave one of them out"
            )
        require_choice("FitConfig.activation", self.activation, ACTIVATIONS)
        require_choice("FitConfig.optimizer", self.optimizer, OPTIMIZERS)
        require_choice("FitConfig.dtype", self.dtype, DTYPES)
        if not isinstance(self.latent_terms, tuple) or not self.latent_terms:
            raise RomValueError(
                f"FitConfig.latent_terms must be a tuple of some of {LATENT_TERMS}, got {self.latent_terms!r}"
            )
        for term in self.latent_terms:
            require_choice("FitConfig.latent_terms", term, LATENT_TERMS)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON types.

        Returns
        -------
        dict
            All settings by name. The entry "network" holds the class of the network as its "kind".

        Examples
        --------
        >>> import rom
        >>> rom.FitConfig(network=rom.Implicit()).to_dict()["network"]["kind"]
        'Implicit'
        """
        return super().to_dict() | {"network": self.network and field_network_to_dict(self.network)}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return the settings that `to_dict` wrote.

        Parameters
        ----------
        settings : dict
            Settings by name; missing ones take their defaults.

        Returns
        -------
        FitConfig

        Raises
        ------
        RomValueError
            If a name or the kind of a network is unknown; the message contains the nearest valid name.
        RomTypeError
            If the entry "network" is not a dictionary.

        Examples
        --------
        >>> import rom
        >>> rom.FitConfig.from_dict({"hidden": [64, 64]}).hidden
        (64, 64)
        """
        if settings.get("network") is not None:
            settings = settings | {"network": field_network_from_dict(settings["network"])}
        if settings.get("space") is not None:
            settings = settings | {"space": Coordinate.from_dict(settings["space"])}
        return super().from_dict(settings)
