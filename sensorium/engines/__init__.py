"""Engines that run on this machine, each a process behind an OpenAI-compatible address."""
