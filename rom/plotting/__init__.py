"""Pictures of forecasts, latent spaces, decoders and histories."""

from rom.plotting.decoder import plot_manifold, plot_traversal
from rom.plotting.forecasts import plot_forecast
from rom.plotting.history import plot_history
from rom.plotting.latent_space import plot_latent, plot_vector_field

__all__ = ["plot_forecast", "plot_history", "plot_latent", "plot_manifold", "plot_traversal", "plot_vector_field"]
