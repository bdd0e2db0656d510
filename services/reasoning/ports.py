"""What the reasoning room needs of the world: an engine that reads and writes."""

from services.engine.ports import Engine

__all__ = ["Engine"]
