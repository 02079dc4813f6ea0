"""Encoders, decoders and latent dynamics, and their derivatives along tangents."""
