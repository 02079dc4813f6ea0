"""From the arguments of `rom.fit` and `rom.fit_autoencoder` to a model.

Start at `fit_model`. Its steps are `arguments`, `given_data`, `collect` (with `generate` and `evaluate_rhs`), `prepare`,
`initial_model` (with `latent_dim_search`, `ridge_search` and `step_size`), `initial_networks`, `training_data`, the loop in
`rom.training`, and `assemble` (with `history`). `fit_autoencoder` has the same steps for samples.
"""
