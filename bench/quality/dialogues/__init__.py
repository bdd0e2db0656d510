"""How well it is found out what follows from what was said: seeded dialogues with their truth."""
