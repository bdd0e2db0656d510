"""What follows from what was said: claims made by a language model, each checked by code."""
