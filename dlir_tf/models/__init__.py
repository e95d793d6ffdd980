"""Models: networks, the chain that connects them, and the folders that keep them."""
