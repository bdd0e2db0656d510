"""The room that hears: recordings in, words with their times out."""
