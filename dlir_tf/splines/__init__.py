"""The mathematics of cubic B-splines and their lattices."""
