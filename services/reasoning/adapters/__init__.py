"""The engine that the reasoning room asks, as its configuration names it."""
