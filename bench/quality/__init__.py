"""How well tasks are timed: seeded sequences with their truth, methods, scores, table and plot.

Run as `python -m bench.quality`; `--help` tells what can be scored.
"""
