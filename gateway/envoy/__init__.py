"""Envoy's configuration, rendered from one template, the contract and the table of limits."""
