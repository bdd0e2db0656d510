"""Plumbing that every room stands on. It knows no room and no contract."""
