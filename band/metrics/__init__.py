"""Metrics: records of requests and tasks, and what is computed from them."""
