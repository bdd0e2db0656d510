"""The room that reasons: words in, words or checked JSON out."""
