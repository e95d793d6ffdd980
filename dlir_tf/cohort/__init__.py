"""Many pairs: registered one after another, by several processes, on a cluster."""
