"""What users pass becomes flat states, and flat states become labelled results.

- Reading for a fit: `readers` call `read_trajectories` and `read_collocation`, or `samples` for an autoencoder. All share
  `columns` (variables of a Dataset), `layout` (labels of a state) and `same_layout` (do two kinds of data agree).
- A model's own states: `codec` chooses between `grid_codec` and `spline_codec`, both a `state_codec`. `states` and `outputs`
  do the work on a grid; `at_positions`, `positions` and `gappy_pod` at any positions.
- What a fit needs besides: `split` (held-out data), `lazy` (data larger than memory), `noise`.
"""
