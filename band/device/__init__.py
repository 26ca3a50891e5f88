"""Devices: processors, what they support and why not, links, cost coefficients."""
