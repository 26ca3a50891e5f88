"""Models: graph IR, reader, writer of slices, verifier, builder and zoo."""
