"""Files of trajectories, and the folders that `simulate` fills.

The modules are private to `systems`, which exports `save_trajectories` and `open_trajectories`.
"""
