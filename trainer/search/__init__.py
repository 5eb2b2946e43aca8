"""Searching hyperparameters under a board's limits; what a model needs is measured by whoever calls."""
