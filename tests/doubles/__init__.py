"""Doubles of ports and peers, shared by the tests. Each sits the same exam as the real thing."""
