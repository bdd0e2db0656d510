"""What the vision room needs of the world: an engine that sees."""

from services.engine.ports import Engine

__all__ = ["Engine"]
