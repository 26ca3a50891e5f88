"""Replay: drives a trace through the simulator, an engine or a daemon."""
