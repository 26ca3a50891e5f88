"""XRBench: the public benchmark of real-time extended-reality workloads, played on cost tables."""
