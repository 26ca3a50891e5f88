"""Memory: tensor lifetimes, arena and buffer planners."""
