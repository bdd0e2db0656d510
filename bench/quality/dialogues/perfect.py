"""A judge of what is said in a dialogue that cannot err: it knows what each sentence of the script
does, though some words of it were misheard.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.quality.dialogues.scripts import Script
from bench.quality.minds import Cost, Turns
from services.jobs.pipelines import session_prompts as prompts
from services.jobs.pipelines.prompts import line
from services.jobs.pipelines.session_prompts import Act

_ALIKE: Final = 0.7
"""Of the letters of a sentence that was misheard, so many at least are as they were said."""
_PLAIN: Final = {text: act for act, check in prompts.CHECKS.items() for text in check.plain}


class Perfect:
    """The ceiling of the method on a script."""

    def __init__(self, script: Script) -> None:
        self.cost = Cost()
        said = [it for turn in script.turns for it in turn.sentences]
        self._acts = {line(it.text): it.act for it in said}
        self._open = {line(it.text) for it in said if it.stays_open}
        self._points = script.points

    async def extract(self, turns: Turns, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tell what is to be done."""
        text = self._meant(turns[-1][1].rpartition("Line: ")[2])
        owner = next((it.owner for it in self._points if it.text in text), "")
        return {"title": text[:80], "owner": owner, "steps": []}

    async def choose(self, turns: Turns, answers: Sequence[str]) -> Sequence[float]:
        """Answer by the script, and by what is known of lines that are asked of beside it."""
        (_, system), (_, question) = turns[0], turns[-1]
        kind, _, text = question.partition("\n")[0].partition(": ")
        if kind == "Question":
            asked = self._meant(text)
            no = question in prompts.UNANSWERED or asked in self._open
            return [float(not no), float(no)]
        act = _PLAIN.get(text) or self._acts.get(self._meant(text), Act.OTHER)
        for claimed, check in prompts.CHECKS.items():
            if system == check.asked.system:
                return [float(act is claimed), float(act is not claimed)]
        likeliest = act if act in answers else answers[0]
        return [float(it == likeliest) for it in answers]

    def _meant(self, heard: str) -> str:
        if heard in self._acts:
            return heard
        return next(iter(difflib.get_close_matches(heard, self._acts, 1, _ALIKE)), heard)
