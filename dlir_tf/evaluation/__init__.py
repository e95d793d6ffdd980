"""How well a model registers pairs, measured with labels, landmarks, Jacobians."""
