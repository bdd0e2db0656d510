"""Measurements: what the mesh promises in figures, each with the command that shows it."""
