"""A pair of images on its way: from a manifest's line to the grid that a model sees."""
