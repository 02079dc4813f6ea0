"""What the user passed to a fit: read and checked, before anything is simulated or evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import systems
from rom.config import FitConfig
from rom.data.layout import Layout, plain_labels
from rom.data.readers import Reader, reader_for
from rom.data.trajectories import Collocation, Trajectories
from rom.fitting.common_layout import common_layout, driven_as, fill_in_names

__all__ = ["GivenData", "read_given_data"]


@dataclass(frozen=True)
class GivenData:
    """Data that were passed to a fit.

    Attributes
    ----------
    system : systems.System or None
        The system, with those of its parameters as inputs that are inputs of the trajectories.
    reader : Reader
        Reads states as they are, or as coefficients in a function space.
    trajectories : list of Trajectories or None
        Groups of trajectories with equal times; None if none were passed.
    trajectory_layout : Layout or None
        Labels of the states of the trajectories.
    pairs : Collocation or None
        Collocation pairs; None if none were passed.
    pair_layout : Layout or None
        Labels of the states of the pairs.
    """

    system: systems.System | None
    reader: Reader
    trajectories: list[Trajectories] | None = None
    trajectory_layout: Layout | None = None
    pairs: Collocation | None = None
    pair_layout: Layout | None = None

    @property
    def nothing(self) -> bool:
        """Whether no data of either kind were passed."""
        return self.trajectories is None and self.pairs is None

    @property
    def layouts(self) -> list[tuple[str, Layout]]:
        """The name and the labels of each kind of data that was passed."""
        kinds = (("trajectories", self.trajectory_layout), ("collocation", self.pair_layout))
        return [(name, layout) for name, layout in kinds if layout is not None]

    @property
    def labelling_system(self) -> systems.System | None:
        """The system if it labels the states; None in a function space, whose states are coefficients."""
        return self.reader.labelling_system(self.system)

    @property
    def layout(self) -> Layout | None:
        """The labels of states, as far as they are known before anything is simulated."""
        if self.layouts:
            return common_layout(self.labelling_system, self.layouts)
        return None if self.labelling_system is None else layout_of_system(self.labelling_system)


def read_given_data(system: systems.System | None, trajectories: Any, collocation: Any, config: FitConfig) -> GivenData:
    """Read trajectories and collocation pairs that were passed to `rom.fit`.

    Raises
    ------
    RomValueError, RomTypeError
        If the data cannot be used, or do not fit the system.
    """
    reader = reader_for(config.space, system, trajectories, collocation)
    groups = trajectory_layout = pairs = pair_layout = None
    if trajectories is not None:
        groups, layout = reader.read_trajectories(trajectories)
        trajectory_layout = fill_in_names(layout, system)
        system = driven_as(system, trajectory_layout)
    if collocation is not None:
        pairs, layout = reader.read_collocation(collocation)
        pair_layout = fill_in_names(layout, system)
    return GivenData(system, reader, groups, trajectory_layout, pairs, pair_layout)


def layout_of_system(system: systems.System) -> Layout:
    """Return the labels of a system's states, as far as it states them itself."""
    coords = {dim: {"dims": [dim], **plain_labels(np.asarray(c)), "attrs": {}} for dim, c in system.coords.items()}
    return Layout(tuple(system.dims), tuple(system.shape), coords)
