"""Engines that run on this machine, each a process of its own behind an OpenAI-compatible address."""
