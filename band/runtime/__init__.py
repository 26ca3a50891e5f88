"""The live runtime: engine, dispatcher, registration, workers, buffers, backends."""
