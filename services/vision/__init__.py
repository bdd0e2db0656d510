"""The room that sees: pictures and words in, words out."""
