"""Everything between initial networks and trained ones.

- `loop` trains: `train` takes networks, an `objective` and a `run` (the settings of a fit), and returns a `record`.
- `forecast_objective`, `autoencoder_objective` and `isomap_objective` draw `batches` and compute `losses` and `regularisers`.
- `validation` and `score` decide which state is kept. `optimiser`, `checkpoint`, `fresh_flows`.
"""
