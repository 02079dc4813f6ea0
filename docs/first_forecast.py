"""Fit a reduced-order model of Burgers' equation and forecast ten times as long as it was trained.

    python docs/first_forecast.py [PICTURE]

One call of `rom.fit` simulates trajectories, evaluates the equation at collocation points, and trains. The script then
forecasts from four initial states that were not used in training, prints the errors against the full-order model (FOM),
and draws truth, forecast and error.
"""

import sys
import time

import numpy as np

import rom
import systems
from rom.plotting import plot_forecast

picture = sys.argv[1] if len(sys.argv) > 1 else "burgers.png"
burgers = systems.Burgers(n=1024, viscosity=0.01)  # `rom.fit` simulates trajectories to t = 2

started = time.perf_counter()
model = rom.fit(burgers, n_collocation=16_384, n_trajectories=128, max_seconds=80)
print(f"fit: {time.perf_counter() - started:.0f} s, simulation included")
print(model)

x0 = burgers.sample_initial(4, seed=1)
times = np.linspace(0, 20, 201)
started = time.perf_counter()
forecast = model.forecast(x0, times)
print(f"forecast of 4 states to t = 20: {time.perf_counter() - started:.2f} s")

started = time.perf_counter()
truth = systems.simulate(burgers, t=times, initial=x0)
print(f"FOM (rtol 1e-9): {time.perf_counter() - started:.2f} s")

errors = rom.evaluate(model, truth)["relative_error"]
for t in (1, 2, 5, 10, 20):
    fitted, closed_form = errors.sel(time=t, method="nearest")
    print(f"relative error at t = {t:2d}: {float(fitted):.3f}   (POD + operator inference: {float(closed_form):.3f})")
print("forecast valid throughout:", bool(forecast["valid"].all()))

plot_forecast(truth, forecast, picture, training_horizon=2.0)
print("picture:", picture)
