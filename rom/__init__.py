"""Reduced-order models."""
