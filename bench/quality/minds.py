"""Language models as the pipelines ask them: through the reasoning room's own core on an engine,
each distinct question paid once in a run and counted each time.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.chassis.clock import SystemClock
from services.chassis.errors import Internal, Precondition
from services.engine.chat import Chat
from services.engine.domain import Role, Sampling, Turn
from services.engine.ports import Engine
from services.reasoning.config import ReasoningConfig
from services.reasoning.core import Reasoning

Turns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Told:
    """An answer and what it cost when it was paid."""

    value: dict[str, Any]
    """Empty: none that fits."""
    tokens: int
    seconds: float


@dataclass
class Cost:
    """What was asked in a while."""

    asked: int = 0
    fitting: int = 0
    """Answers that fit what was asked for."""
    tokens: int = 0
    """Read and written."""
    seconds: float = 0.0
    """Of the model."""
    too_long: int = 0
    """Prompts that did not fit the model's context."""

    def add(self, told: Told) -> None:
        """Count an answer that was to fit something."""
        self.asked += 1
        self.fitting += bool(told.value)
        self.pay(told)

    def pay(self, told: Told) -> None:
        """Count what an answer took."""
        self.tokens += told.tokens
        self.seconds += told.seconds


class Mind:
    """The reasoning room on an engine. Answers are kept in a file, where one is named."""

    def __init__(self, engine: Engine, model: str, kept: Path | None) -> None:
        config = ReasoningConfig(
            listen="127.0.0.1:0", engine_url="http://127.0.0.1:9", engine_seconds=600
        )
        self._room = Reasoning(Chat(engine, config), clock=SystemClock())
        self._model = model
        self._kept = kept
        self._told: dict[str, Told] = {}
        if kept is not None and kept.exists():
            for line in kept.read_text().splitlines():
                read = json.loads(line)
                key = read.pop("key")
                self._told[key] = Told(**read)
        self.cost = Cost()

    async def extract(self, turns: Turns, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer as the reasoning room does; raises `Internal` where no answer fits."""
        told = await self._once(turns, schema)
        self.cost.add(told)
        if not told.value:
            raise Internal("no answer fits")
        return told.value

    async def choose(self, turns: Turns, answers: Sequence[str]) -> Sequence[float]:
        """Weigh answers as the reasoning room does."""
        key = json.dumps([self._model, turns, answers])
        if key not in self._told:
            begun = time.perf_counter()
            said = await self._room.choose(_turns(turns), answers)
            tokens = said.input_tokens + said.output_tokens
            value = {"probabilities": said.probabilities}
            self._keep(key, Told(value, tokens, time.perf_counter() - begun))
        self.cost.add(self._told[key])
        return list(self._told[key].value["probabilities"])

    async def write(self, turns: Turns, *, most_tokens: int) -> str:
        """Answer in words."""
        key = json.dumps([self._model, turns, most_tokens])
        if key not in self._told:
            begun = time.perf_counter()
            sampling = Sampling(max_tokens=most_tokens, temperature=0.0)
            said = (await self._room.generate(_turns(turns), sampling)).answer
            tokens = said.input_tokens + said.output_tokens
            self._keep(key, Told({"text": said.text}, tokens, time.perf_counter() - begun))
        self.cost.pay(self._told[key])
        return str(self._told[key].value["text"])

    async def _once(self, turns: Turns, schema: Mapping[str, Any]) -> Told:
        key = json.dumps([self._model, turns, schema])
        if key not in self._told:
            begun = time.perf_counter()
            try:
                said = await self._room.extract(
                    _turns(turns), json.dumps(schema), Sampling(temperature=0.0)
                )
                value, tokens = dict(said.value), said.input_tokens + said.output_tokens
            except (Internal, Precondition):
                value, tokens = {}, 0
            self._keep(key, Told(value, tokens, time.perf_counter() - begun))
        return self._told[key]

    def _keep(self, key: str, told: Told) -> None:
        self._told[key] = told
        if self._kept is not None:
            with self._kept.open("a") as file:
                file.write(json.dumps({"key": key, **asdict(told)}) + "\n")


def _turns(turns: Turns) -> list[Turn]:
    return [Turn(Role(role), (text,)) for role, text in turns]
