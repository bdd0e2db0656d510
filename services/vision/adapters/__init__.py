"""What the vision room stands on besides its engine: the machine under it."""
