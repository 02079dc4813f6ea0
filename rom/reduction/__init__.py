"""Classical reduction, in NumPy: no networks, no training.

- `pod` and `streaming_pod`: proper orthogonal decomposition, in memory and block by block.
- `closed_form`: the classical model, of a `quadratic_manifold` and of `operator_inference`, both by `polynomial_regression`.
- `spline_space`, `spline_axis` and `least_squares`: functions at any positions as spline coefficients.
- `isomap`: coordinates along a curved sheet.
"""
