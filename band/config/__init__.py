"""YAML: the loader with file and line of each mistake, and the schemas."""
