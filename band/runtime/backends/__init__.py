"""One file a backend: the code that executes slices on a processor."""
