"""Generated code of protos/band/v1; `make protos` writes it."""
