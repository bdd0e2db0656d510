"""How well tasks are timed: seeded aisle sequences with their truth."""
