"""What the jobs room stands on."""
