"""The built-in systems, by kind."""
