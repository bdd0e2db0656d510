"""The measure of a transcript: which share of the true words was changed, left out or added."""

import re


def word_error_rate(truth: str, heard: str) -> float:
    """Edits that make `heard` the truth, per word of the truth. Case and punctuation are free."""
    expected, found = _words(truth), _words(heard)
    row = list(range(len(found) + 1))
    for line, word in enumerate(expected, 1):
        diagonal, row[0] = row[0], line
        for column, other in enumerate(found, 1):
            swapped = diagonal + (word != other)
            diagonal = row[column]
            row[column] = min(swapped, row[column] + 1, row[column - 1] + 1)
    return row[-1] / len(expected)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())
