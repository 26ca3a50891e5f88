"""Architectures that are generated with seeded random weights: same name, same bytes."""
