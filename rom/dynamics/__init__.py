"""Rollouts of the latent dynamics.

- `runge_kutta`: steps and rollouts that can be differentiated, for training, and dense output.
- `rollout`: rollouts of forecasts; `step_grid` says where steps end, `numpy_stepper` or `torch_stepper` takes them.
- `forcing`: inputs and time along a rollout.
"""
