"""What the jobs room needs of the world, a file for each of those it needs it of."""
