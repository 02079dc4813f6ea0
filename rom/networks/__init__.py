"""Encoders, decoders and latent dynamics, and their derivatives along tangents.

- `encoder_decoder` and `latent_dynamics`: closed-form parts plus a neural correction, mostly an `mlp`.
- `field_network`: the base class of networks on fields: `convolution`, `graph`, `implicit`. `field_correction` puts them, and
  `user_modules`, between POD coordinates and latent states; `geometry` tells them where the points of a field lie.
- `jvp`: products with dphi/dx and dpsi/dz, without a Jacobian.
"""
