"""Classical reduction: POD, operator inference, manifolds, splines, Isomap."""
