"""Rollouts of the latent dynamics: Runge-Kutta steps, dense output, inputs."""
