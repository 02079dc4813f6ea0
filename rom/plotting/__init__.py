"""Pictures of forecasts, of trainings, and of latent spaces and their decoders.

All functions return a matplotlib Figure. They need no display and leave pyplot and the settings of matplotlib alone.
"""

from rom.plotting.forecasts import plot_forecast
from rom.plotting.history import plot_history
from rom.plotting.latent_space import plot_latent
from rom.plotting.manifold import plot_manifold
from rom.plotting.traversal import plot_traversal
from rom.plotting.vector_field import plot_vector_field

__all__ = ["plot_forecast", "plot_history", "plot_latent", "plot_manifold", "plot_traversal", "plot_vector_field"]
