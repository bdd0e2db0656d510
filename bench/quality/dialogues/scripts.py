"""Dialogues with their truth: a function of their seed alone. What follows from one is known, since
it was written around that: who is to do what, what was decided, what stays open, what may do harm.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.quality.dialogues import phrases
from bench.quality.wordings import Wordings
from services.jobs.pipelines.session_prompts import Act

WORDS_A_MINUTE: Final = 150
MINUTES: Final = (1.0, 30.0)


class Kind(StrEnum):
    """What follows from a dialogue."""

    ACTION = "action items"
    DECISION = "decisions"
    QUESTION = "open questions"
    RISK = "risks"


@dataclass(frozen=True)
class Sentence:
    """What somebody says in a breath, and what it does."""

    text: str
    act: Act = Act.OTHER
    stays_open: bool = False
    """Whether it is a question that nobody answers."""


@dataclass(frozen=True)
class Turn:
    """What one says before another does."""

    speaker: str
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(it.text for it in self.sentences)


@dataclass(frozen=True)
class Point:
    """Something that follows."""

    kind: Kind
    text: str
    """In words that were said."""
    owner: str = ""
    """Who is to do it, by name."""


@dataclass(frozen=True)
class Script:
    """A dialogue and what follows from it."""

    seed: int
    speakers: tuple[str, ...]
    """By name, in the order in which they first speak."""
    turns: tuple[Turn, ...]
    points: tuple[Point, ...]

    def of(self, kind: Kind) -> tuple[Point, ...]:
        """What follows of one kind."""
        return tuple(it for it in self.points if it.kind is kind)


_Exchange = tuple[list[Turn], list[Point]]


class _Deck:
    """Deals each thing once before any comes again."""

    def __init__(self, rng: random.Random, cards: Sequence[str]) -> None:
        self._rng, self._cards = rng, cards
        self._left: list[str] = []

    def one(self) -> str:
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()


class _Writer:
    def __init__(self, rng: random.Random, *, held_out: bool) -> None:
        self._rng, self._held_out = rng, held_out
        names = self._all(phrases.NAMES)
        self.names = rng.sample(names, rng.randint(2, 4))
        self._absent = rng.choice([it for it in names if it not in self.names])
        self._tasks = self._deck(phrases.TASKS)
        self._decisions = self._deck(phrases.DECIDED_ON)
        self._questions = self._deck(phrases.QUESTIONS)
        self._unknown = self._deck(phrases.UNKNOWN)
        self._risks = self._deck(phrases.RISKS)
        back = phrases.TALK_KEPT_BACK if held_out else ()
        self._talk = _Deck(rng, (*phrases.TALK, *back))
        self._ideas = self._deck(phrases.IDEAS)

    def _all(self, of: Wordings) -> Sequence[str]:
        return of.all(held_out=self._held_out)

    def _deck(self, of: Wordings) -> _Deck:
        return _Deck(self._rng, self._all(of))

    def _say(
        self,
        speaker: str,
        wording: Wordings,
        act: Act = Act.OTHER,
        *,
        stays_open: bool = False,
        **given: str,
    ) -> Turn:
        """Put it into words, now and then with something said before it."""
        before = [Sentence(self._talk.one())] if self._rng.random() < 0.25 else []
        said = self._reply(speaker, wording, act, stays_open=stays_open, **given)
        return Turn(speaker, (*before, *said.sentences))

    def _reply(
        self,
        speaker: str,
        wording: Wordings,
        act: Act = Act.OTHER,
        *,
        stays_open: bool = False,
        **given: str,
    ) -> Turn:
        text = wording.one(self._rng, held_out=self._held_out)
        text = text.format(when=self._rng.choice(phrases.WHEN), **given)
        return Turn(speaker, (Sentence(text, act, stays_open),))

    def _two(self) -> tuple[str, str]:
        first, second = self._rng.sample(self.names, 2)
        return first, second

    def named_request(self) -> _Exchange:
        """Somebody is asked by name, and says yes."""
        task, (one, other) = self._tasks.one(), self._two()
        asked = self._say(one, phrases.NAMED_REQUEST, Act.REQUEST, name=other, task=task)
        return [asked, self._accept(other)], [Point(Kind.ACTION, task, other)]

    def request(self) -> _Exchange:
        """Somebody is asked without a name; who says yes does it."""
        task, (one, other) = self._tasks.one(), self._two()
        asked = self._say(one, phrases.REQUEST, Act.REQUEST, task=task)
        return [asked, self._accept(other)], [Point(Kind.ACTION, task, other)]

    def volunteering(self) -> _Exchange:
        """All are asked, and one offers."""
        task, (one, other) = self._tasks.one(), self._two()
        asked = self._say(one, phrases.CALL_FOR, Act.REQUEST, task=task)
        offered = self._reply(other, phrases.VOLUNTEERED, Act.PROMISE)
        return [asked, offered], [Point(Kind.ACTION, task, other)]

    def promise(self) -> _Exchange:
        """Somebody says what they will do."""
        task, (one, other) = self._tasks.one(), self._two()
        said = self._say(one, phrases.PROMISE, Act.PROMISE, task=task)
        return [said, self._nod(other)], [Point(Kind.ACTION, task, one)]

    def repeated(self) -> _Exchange:
        """Who is asked says again what they will do: it is one task."""
        task, (one, other) = self._tasks.one(), self._two()
        asked = self._say(one, phrases.NAMED_REQUEST, Act.REQUEST, name=other, task=task)
        said = self._reply(other, phrases.AGAIN, Act.PROMISE, task=task)
        return [asked, said], [Point(Kind.ACTION, task, other)]

    def refusal(self) -> _Exchange:
        """Who is asked does not want to, so who asked does it."""
        task, (one, other) = self._tasks.one(), self._two()
        asked = self._say(one, phrases.NAMED_REQUEST, Act.REQUEST, name=other, task=task)
        refused = self._reply(other, phrases.REFUSED)
        instead = self._reply(one, phrases.INSTEAD, Act.PROMISE, task=task)
        return [asked, refused, instead], [Point(Kind.ACTION, task, one)]

    def assigned(self) -> _Exchange:
        """Somebody who is not asked is to do it; sometimes they are not even there."""
        task, (one, other) = self._tasks.one(), self._two()
        others = [it for it in self.names if it != one]
        name = self._rng.choice([self._absent, *others])
        said = self._say(one, phrases.ASSIGNED, Act.PROMISE, name=name, task=task)
        return [said, self._nod(other)], [Point(Kind.ACTION, task, name)]

    def decision(self) -> _Exchange:
        """Something is decided, sometimes after it was proposed."""
        thing, (one, other) = self._decisions.one(), self._two()
        turns = []
        if self._rng.random() < 0.4:
            turns = [self._say(one, phrases.PROPOSED, thing=thing)]
            turns.append(self._reply(other, phrases.IN_FAVOUR))
        turns.append(self._say(one, phrases.DECISION, Act.DECISION, thing=thing))
        return [*turns, self._nod(other)], [Point(Kind.DECISION, thing)]

    def open_question(self) -> _Exchange:
        """Something is asked, and nobody knows it."""
        asked, (one, other) = self._questions.one(), self._two()
        question = Turn(one, (Sentence(asked, stays_open=True),))
        return [question, self._reply(other, phrases.NOT_KNOWN)], [Point(Kind.QUESTION, asked)]

    def unasked_question(self) -> _Exchange:
        """Something is not known, which is said and not asked."""
        thing, (one, other) = self._unknown.one(), self._two()
        said = self._say(one, phrases.UNASKED, stays_open=True, thing=thing)
        return [said, self._nod(other)], [Point(Kind.QUESTION, thing)]

    def risk(self) -> _Exchange:
        """Somebody warns."""
        warning, (one, other) = self._risks.one(), self._two()
        said = Turn(one, (Sentence(warning, Act.DANGER),))
        return [said, self._nod(other)], [Point(Kind.RISK, warning)]

    def talk(self) -> _Exchange:
        """Nothing follows from it."""
        one, other = self._two()
        said = [Sentence(self._talk.one()) for _ in range(self._rng.randint(1, 4))]
        reply = [Sentence(self._rng.choice(phrases.REPLIES)), Sentence(self._talk.one())]
        return [Turn(one, tuple(said)), Turn(other, tuple(reply))], []

    def answered(self) -> _Exchange:
        """A question with its answer."""
        (asked, answer), (one, other) = self._rng.choice(phrases.ANSWERED), self._two()
        return [Turn(one, (Sentence(asked),)), Turn(other, (Sentence(answer),))], []

    def idea(self) -> _Exchange:
        """What sounds like a plan and is none."""
        one, other = self._two()
        return [Turn(one, (Sentence(self._ideas.one()),)), self._reply(other, phrases.PUT_OFF)], []

    def greeting(self, wording: Wordings) -> _Exchange:
        """The beginning or the end."""
        text = wording.one(self._rng, held_out=self._held_out)
        return [Turn(self._rng.choice(self.names), (Sentence(text),))], []

    def _accept(self, who: str) -> Turn:
        text = phrases.ACCEPTED.one(self._rng, held_out=self._held_out)
        act = Act.PROMISE if "do" in text or "will" in text else Act.OTHER
        return Turn(who, (Sentence(text, act),))

    def _nod(self, who: str) -> Turn:
        return self._reply(who, phrases.NODDED)


_LEADING: Final[Sequence[tuple[Callable[[_Writer], _Exchange], int]]] = (
    (_Writer.named_request, 4),
    (_Writer.request, 2),
    (_Writer.volunteering, 2),
    (_Writer.promise, 4),
    (_Writer.repeated, 2),
    (_Writer.refusal, 1),
    (_Writer.assigned, 3),
    (_Writer.decision, 6),
    (_Writer.open_question, 5),
    (_Writer.unasked_question, 1),
    (_Writer.risk, 5),
)
"""What something follows from, and how often it comes."""
_IDLE: Final[Sequence[tuple[Callable[[_Writer], _Exchange], int]]] = (
    (_Writer.talk, 8),
    (_Writer.answered, 2),
    (_Writer.idea, 1),
)


def script(seed: int, *, held_out: bool, minutes: tuple[float, float] = MINUTES) -> Script:
    """Write the dialogue of a seed, about as long as drawn: short ones are more frequent."""
    rng = random.Random(f"dialogue {seed} {held_out}")
    writer = _Writer(rng, held_out=held_out)
    least, most = (math.log(it) for it in minutes)
    wanted = math.exp(rng.uniform(least, most))
    leading = [_drawn(_LEADING, rng)(writer) for _ in range(2 + round(wanted * 0.6))]
    words = sum(_words(it) for it in leading)
    idle: list[_Exchange] = []
    while words < wanted * WORDS_A_MINUTE:
        idle.append(_drawn(_IDLE, rng)(writer))
        words += _words(idle[-1])
    between = [*leading, *idle]
    rng.shuffle(between)
    exchanges = [writer.greeting(phrases.HELLO), *between, writer.greeting(phrases.BYE)]
    turns = tuple(_joined(turn for made, _ in exchanges for turn in made))
    speakers = tuple(dict.fromkeys(it.speaker for it in turns))
    return Script(seed, speakers, turns, tuple(it for _, points in exchanges for it in points))


def _drawn(
    of: Sequence[tuple[Callable[[_Writer], _Exchange], int]], rng: random.Random
) -> Callable[[_Writer], _Exchange]:
    return rng.choices([it for it, _ in of], [weight for _, weight in of])[0]


def _words(exchange: _Exchange) -> int:
    return sum(len(turn.text.split()) for turn in exchange[0])


def _joined(turns: Iterator[Turn]) -> list[Turn]:
    """Who goes on speaking does so in the same turn."""
    made: list[Turn] = []
    for turn in turns:
        if made and made[-1].speaker == turn.speaker:
            made[-1] = Turn(turn.speaker, (*made[-1].sentences, *turn.sentences))
        else:
            made.append(turn)
    return made
