"""What the audio room stands on: the speech engines."""
