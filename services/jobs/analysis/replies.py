"""Which requests were taken up, and by which promise: what two people say of one task is one task.
It asks no model.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.jobs.analysis.sentences import Sentence, repeats, says_nothing_new

_WITHIN: Final = 4
"""So many sentences after a request it may still be taken up."""


def taken_up(
    said: Sequence[Sentence], requests: Sequence[int], promises: Sequence[int]
) -> Mapping[int, int]:
    """The promise that takes up each request, by their places in what was said.

    One by another that says nothing new, such as "okay, I'll do that"; or one that says the request
    again, be it by who asked in vain.
    """
    taken: dict[int, int] = {}
    for request in sorted(requests):
        later = (it for it in sorted(promises) if request < it <= request + _WITHIN)
        for promise in later:
            if promise not in taken.values() and _takes_up(said[promise], said[request]):
                taken[request] = promise
                break
    return taken


def _takes_up(promise: Sentence, request: Sentence) -> bool:
    if repeats(promise.text, request.text):
        return True
    return promise.speaker != request.speaker and says_nothing_new(promise.text)
