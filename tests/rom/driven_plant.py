"""A linear plant that an input drives, twelve states on a plane: what tests of forcing and of driven models share."""

import numpy as np

import systems
from rom.data.layout import Layout

T = np.linspace(0.0, 4.0, 41)
BASIS = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 2)))[0]
A = np.array([[-0.3, 2.0], [-2.0, -0.3]])
B = np.array([0.0, 1.0])


def driven(x, u):
    return ((x @ BASIS) @ A.T + u[..., :1] * B) @ BASIS.T


def states(n, seed):
    return np.random.default_rng(seed).standard_normal((n, 2)) @ BASIS.T


def plant(**options):
    return systems.from_rhs(driven, 12, inputs={"u": (0.0, -2.0, 2.0)}, sampler=states, **options)


def layout(**options):
    return Layout(("x",), (12,), **options)
