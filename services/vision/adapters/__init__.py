"""The engine that the vision room asks, as its configuration names it."""
