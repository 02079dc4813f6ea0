"""A model whose encoder, decoder and latent dynamics are known exactly, and what tests ask of pictures."""

import numpy as np
import torch
import xarray as xr

from rom.data.layout import Layout

X, Y = np.linspace(0.0, 1.0, 30), np.linspace(0.0, 2.0, 12)
FIELD = ((30,), {"x": X})
PLANE = ((12, 30), {"y": Y, "x": X})


class RotatingModel:
    """The decoder x = z D over a field, with orthonormal D, and latent dynamics that rotate z.

    It has the methods and attributes of a `ReducedOrderModel` that pictures use.
    """

    def __init__(self, shape, d, coords=None, units="1", **layout):
        self.shape, self.d = shape, d
        dims = tuple(f"axis{k}" for k in range(len(shape))) if coords is None else tuple(coords)[: len(shape)]
        labels = {k: {"dims": [k], "data": list(v), "attrs": {"units": "m"}} for k, v in (coords or {}).items()}
        self._layout = Layout(dims, shape, labels, attrs={"units": units}, **layout)
        self.fields = ()
        self.directions = np.linalg.qr(np.random.default_rng(1).standard_normal((int(np.prod(shape)), d)))[0].T

    def encode(self, x):
        values = np.asarray(x).reshape(*np.shape(x)[: np.ndim(x) - len(self.shape)], -1) @ self.directions.T
        return (
            xr.DataArray(values, dims=(*x.dims[: values.ndim - 1], "latent")) if isinstance(x, xr.DataArray) else values
        )

    def decode(self, z):
        if isinstance(z, torch.Tensor):
            return (z @ torch.from_numpy(self.directions)).reshape(*z.shape[:-1], *self.shape)
        states = (np.asarray(z) @ self.directions).reshape(*z.shape[:-1], *self.shape)
        dims = self._layout.dims
        return (
            xr.DataArray(states, dims=("step", *dims), coords=self._layout.labels())
            if isinstance(z, xr.DataArray)
            else states
        )

    def latent_rhs(self, z, mu=None, t=0.0, inputs=None):  # noqa: ARG002
        speed = 1.0 if mu is None else float(mu)
        return -speed * z if self.d == 1 else speed * np.roll(z, 1, axis=-1) * np.resize([1.0, -1.0], self.d)

    def states(self, lead=(5, 20)):
        z = np.random.default_rng(0).standard_normal((*lead, self.d)) * np.linspace(2.0, 1.0, self.d)
        return (z @ self.directions).reshape(*lead, *self.shape)


def pixels(figure):
    """Return the pixels (height, width, 3) of a figure."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def panels(figure):
    """Return the axes of a figure without colour bars."""
    return [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]


def labels(figure):
    """Return the labels of all axes."""
    return {ax.get_xlabel() for ax in figure.axes} | {ax.get_ylabel() for ax in figure.axes}


def legend_texts(figure):
    """Return the texts of the legends of all axes."""
    return [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
