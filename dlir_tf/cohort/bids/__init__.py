"""A cohort's results as a BIDS derivative: names, sidecars, what the dataset says."""
