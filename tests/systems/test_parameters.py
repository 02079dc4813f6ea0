"""Parameters of built-in systems: in f, for each trajectory of a block, in initial states and collocation."""

import numpy as np
import pytest

import systems


def test_trajectories_of_a_parametric_system_differ_by_their_parameters():
    for system in (systems.InviscidBurgers(n=100), systems.ForcedBurgers(n=64), systems.Euler1D(n=64)):
        runs = systems.simulate(system, 3, system.default_times[:3])
        assert runs["parameters"].shape == (3, 2)
        assert len(np.unique(runs["parameters"])) == 6
        again = systems.simulate(system, 2, system.default_times[:3], parameters=runs["parameters"].values[:2])
        np.testing.assert_allclose(again["state"].values, runs["state"].values[:2], rtol=1e-7, atol=1e-12)
        assert systems.collocate(system, 10)["parameters"].shape == (10, 2)


def test_initial_states_follow_the_parameters_given():
    system = systems.InviscidBurgers()
    x = system.sample_initial(2, mu=np.array([[0.7, 1.0], [0.9, 1.0]])).values
    np.testing.assert_allclose(x.max(axis=1), [0.7, 0.9])
    np.testing.assert_allclose(system.sample_initial(2, mu={"amplitude": 0.75}).values.max(axis=1), 0.75)
    with pytest.raises(systems.SystemsValueError, match=r"mu must have shape \(3, p\) or \(p,\) for 3 initial states"):
        system.sample_initial(3, mu=np.ones((2, 2)))


WITH_PARAMETERS = [
    systems.Duffing(), systems.VanDerPol(), systems.Pendulum(), systems.Rossler(), systems.Lorenz96(n=8), systems.Heat(n=9),
    systems.Advection(n=16), systems.Burgers(n=16), systems.Burgers2D(n=8), systems.AllenCahn(n=16), systems.Euler1D(n=16),
    systems.FitzHughNagumo(n=8), systems.LambdaOmega(n=8), systems.NavierStokes2D(n=20), systems.ForcedBurgers(n=16),
]  # fmt: skip


@pytest.mark.parametrize("system", WITH_PARAMETERS, ids=lambda s: s.name)
def test_each_trajectory_of_a_block_has_its_own_parameters(system):
    """As f is integrated one at a time by another solver."""
    mu = system.sample_parameters(3, seed=4)
    t = system.default_times[[0, 2, 4]]
    x0 = system.sample_initial(3, 1, mu).values
    runs = systems.simulate(system, t=t, initial=x0, parameters=mu)["state"].values
    for start, row, run in zip(x0, mu, runs, strict=True):
        alone = systems.simulate(system, t=t, initial=start, parameters=row[None], method="LSODA")["state"].values[0]
        np.testing.assert_allclose(run, alone, atol=1e-6 * np.abs(alone).max())


@pytest.mark.parametrize(
    "system", [systems.ForcedBurgers(n=16), systems.Euler1D(n=16), systems.Lorenz(), systems.Heat(n=9)]
)
def test_leading_axes_of_states_and_parameters_broadcast(system):
    x, mu = system.sample_initial(4).values, system.sample_parameters(6, seed=2).reshape(2, 3, -1)
    assert system.rhs(x[0], mu).shape == (2, 3, *system.shape)
    both = system.rhs(x[:, None, None], mu)
    assert both.shape == (4, 2, 3, *system.shape)
    np.testing.assert_allclose(both[1, 0, 2], system.rhs(x[1], mu[0, 2]), rtol=1e-12)
    with pytest.raises(systems.SystemsValueError, match=r"the leading axes \(4,\) of x and \(2, 3\) of mu do not fit"):
        system.rhs(x, mu)


def test_collocation_states_of_a_parametric_system_lie_on_flows_at_their_parameters():
    states = systems.collocate(systems.ForcedBurgers(n=32), 256)["state"].values
    assert len(np.unique(states.round(9), axis=0)) > 100
    assert states[:, 0].std() > 0.1  # the inflow differs


def test_states_that_are_given_have_the_default_parameters():
    system = systems.InviscidBurgers(n=50)
    runs = systems.simulate(system, t=[0.0, 0.1], initial=system.sample_initial(3, seed=1))
    assert "parameters" not in runs
