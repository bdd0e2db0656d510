"""Streams of frames: the newest win, and every answer says how old it is."""
