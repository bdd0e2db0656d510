"""How a text of any language falls into sentences and into words, and which words are the same
however they are inflected. It asks no model, and is not told which language it is.
"""

import re
from typing import Final
from unicodedata import category, normalize

_UNSPACED: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"  # Kana, Han
)
_OPEN_SCRIPT: Final = re.compile(f"[{_UNSPACED}]")
_OPEN_SCRIPT_LETTERS: Final = 3
"""Letters of others that say as much as one of a script without spaces."""
_END: Final = "[。！？｡]"  # noqa: RUF001 - they end sentences, with no space after them
_CLOSING: Final = "[」』”’）]"  # noqa: RUF001 - they may stand after that end
_SPACED_END: Final = "[.!?…؟۔।]"  # noqa: RUF001 - as they are written
_BETWEEN_SENTENCES: Final = re.compile(
    rf"(?<={_SPACED_END})\s+|(?:(?<={_END})|(?<={_END}{_CLOSING}))(?!{_END}|{_CLOSING})\s*|\n+"
)
_UNFINISHED: Final = re.compile(
    r"(?<!\w)(?:(?:Dr|Prof|Mr|Mrs|Ms|Hr|Fr|Nr|St|Sr|Sra|bzw|ca|evtl|vgl)|[a-hj-z]|[a-z]\. ?[A-Z]"
    r"|(?:am|im|der|die|das|dem|den|zum|zur|vom|beim|bis|ab) \d{1,2})\.$"
)
"""What ends in a stop and does not end a sentence: a title, z. B., am 3. Mai."""
_WORDS: Final = re.compile(r"[^\W_]+")
_ARABIC_ARTICLE: Final = re.compile(r"^(?:[وفبك]?ال|لل)(?=\w\w)")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line."""
    found: list[str] = []
    for part in _BETWEEN_SENTENCES.split(text):
        sentence = " ".join(part.split())
        if found and _UNFINISHED.search(found[-1]):
            found[-1] += f" {sentence}"
        elif sentence:
            found.append(sentence)
    return found


def joined(sentences: list[str]) -> str:
    """Put sentences together again."""
    return re.sub(rf"(?<={_END}) ", "", " ".join(sentences))


def plain(text: str) -> str:
    """Leave out the marks on letters: accents, vowel signs, points."""
    bare = (it for it in normalize("NFKD", text) if not category(it).startswith("M"))
    return normalize("NFC", "".join(bare))


def words(text: str) -> list[str]:
    """The words of a text, small and plain. In a script without spaces they are clauses."""
    return _WORDS.findall(plain(text.casefold()))


def is_unspaced(text: str) -> bool:
    """Whether some of it is of a script that puts no spaces between words."""
    return bool(_OPEN_SCRIPT.search(text))


def weight(text: str) -> int:
    """How much a text says, in letters."""
    return sum(
        _OPEN_SCRIPT_LETTERS if is_unspaced(it) else 1 for it in text if category(it)[0] == "L"
    )


def stems(text: str, *, letters: int, least: int) -> set[str]:
    """The words of a text by so many first letters, for what follows is mostly grammar; numbers,
    and else what has at least so many. Of a clause without spaces, each pair of letters.
    """
    found: set[str] = set()
    for word in words(text):
        if is_unspaced(word):
            found |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}
        elif len(word) >= least or word.isdecimal():
            found.add(_ARABIC_ARTICLE.sub("", word)[:letters])
    return found
