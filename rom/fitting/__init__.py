"""`rom.fit` and `rom.fit_autoencoder`: from arguments to a model."""
