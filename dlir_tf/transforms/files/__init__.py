"""The files that transforms are kept in: ours, ITK's, ANTs', and fields."""
