"""Loops over voxels, compiled to machine code by Numba, for refinement on a CPU."""
