"""Offline search for static plans: partition, mapping and priority of every model together."""
