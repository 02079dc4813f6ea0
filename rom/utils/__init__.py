"""Errors, argument checks, settings as JSON, files, the time budget, random generators, devices."""
