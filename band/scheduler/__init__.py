"""The sans-I/O scheduler core: ``handle(event, now_us) -> commands``, and what policies see."""
