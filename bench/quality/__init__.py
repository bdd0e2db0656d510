"""How well tasks are timed, and what follows from dialogues is found: seeded generators with their
truth, methods, scores, table and plot.

Run as `python -m bench.quality`; `--help` tells what can be scored.
"""
