"""The mesh on this one machine: which processes it is made of, and their life from start to end."""
