"""Analysis: unit subgraphs, fallback, merged subgraphs, boundary tensors, why-not report."""
