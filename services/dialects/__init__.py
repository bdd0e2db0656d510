"""What the contract's jobs look like in the words of the systems that the mesh replaces, and
transcripts in those of players.

One module for each, used by whoever answers their clients and by whoever sends their webhooks, so
that both say the same. Total, without I/O; no module knows a room or the gateway.
"""
