"""Classical reduction: POD, operator inference, quadratic manifolds, splines, Isomap."""
