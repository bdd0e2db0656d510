"""The rooms of the mesh and what they stand on."""
