"""Public test doubles, graph builders and hypothesis strategies."""
