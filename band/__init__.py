"""Band for Python: run many TFLite models at once on one device with several processors."""

__version__ = "0.1.0"
