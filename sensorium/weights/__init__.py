"""The models of the local profile: which files they are, and the cache that holds them."""
