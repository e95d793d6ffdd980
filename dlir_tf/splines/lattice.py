"""How large the control points of a cubic B-spline may be without folding."""

# Largest |control point| / spacing that keeps a cubic B-spline one-to-one, by rank.
# Choi and Lee (2000), "Injectivity conditions of 2D and 3D uniform cubic B-spline
# functions", Graphical Models 62(6). https://doi.org/10.1006/gmod.2000.0531
INJECTIVITY_LIMIT = {2: 1 / 2.0464, 3: 1 / 2.4795}
