"""One training step and the forecast of one model agree between CPU and CUDA to rounding."""

import copy

import numpy as np
import pytest
import torch

import rom
from rom.config import LossWeights
from rom.training.batches import CollocationTable, Windows
from rom.training.losses import LossScales, data_losses, physics_losses

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_a_training_step_agrees(random_networks, normal, optimizer):
    from rom.training.optimiser import make_optimiser

    start = random_networks(6, 2)

    def step(device):
        networks = copy.deepcopy(start).to(device)
        optimiser = make_optimiser(networks, optimizer, 1e-3)
        windows = Windows.without_parameters(
            normal(4, 8, 6).to(device), torch.full((3, 8, 1), 0.1, dtype=torch.float64).to(device)
        )
        points = CollocationTable.without_parameters(normal(16, 6, seed=1).to(device), normal(16, 6, seed=2).to(device))
        losses = data_losses(networks, windows, LossScales(1.0, 1.0), 2) | physics_losses(
            networks, points, LossScales(1.0, 1.0)
        )
        sum(losses.values()).backward()
        gradients = [p.grad.cpu() for p in networks.parameters()]
        optimiser.step()
        return (
            [loss.cpu().detach() for loss in losses.values()],
            gradients,
            [p.detach().cpu() for p in networks.parameters()],
        )

    for cpu, cuda in zip(step("cpu"), step("cuda"), strict=True):
        for a, b in zip(cpu, cuda, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("name", "tolerance"), [("model", 1e-4), ("double_model", 1e-11)])
def test_a_forecast_agrees(request, linear, name, tolerance):
    model = request.getfixturevalue(name)
    x0, t = linear.sample_initial(5, seed=1) / 3, np.linspace(0, 2, 21)
    moved = model.to("cuda")
    assert moved.device.type == "cuda"
    cpu, cuda = model.to("cpu").forecast(x0, t), moved.forecast(x0, t)
    np.testing.assert_allclose(cuda["state"], cpu["state"], rtol=0, atol=tolerance)
    np.testing.assert_array_equal(cuda["valid"], cpu["valid"])
    np.testing.assert_allclose(moved.encode(x0), model.encode(x0), rtol=0, atol=tolerance)


def test_fit_and_load_on_the_device(linear, runs, pairs, small, tmp_path):
    model = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, config=small, device="cuda")
    assert model.device.type == "cuda"
    reference = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, config=small, device="cpu")
    for name in ("closed_form_validation_error", "validation_error"):
        assert model.history.attrs[name] == pytest.approx(reference.history.attrs[name], rel=0.5, abs=1e-5)
    model.save(tmp_path / "m")
    loaded = rom.load(tmp_path / "m", device="cuda")
    x0 = linear.sample_initial(3)
    np.testing.assert_array_equal(loaded.forecast(x0, [0.0, 1.0])["state"], model.forecast(x0, [0.0, 1.0])["state"])


def test_a_checkpoint_resumes_on_the_device(runs, pairs, small, tmp_path):
    def stop(progress):
        return progress.step >= 20

    settings = {"trajectories": runs, "collocation": pairs, "latent_dim": 3, "config": small, "device": "cuda"}
    settings["weights"] = LossWeights()
    rom.fit(None, checkpoint=tmp_path / "c", callbacks=[stop], **settings)
    model = rom.fit(None, checkpoint=tmp_path / "c", **settings)
    assert model.history.attrs["steps"] >= 20
