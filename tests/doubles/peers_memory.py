"""The other rooms as pipelines see them, in this process: they answer by the word, and count."""

from contextlib import aclosing

from services.chassis.errors import InvalidInput
from services.jobs.content import Segment, Transcript
from services.jobs.pipelines.prompts import ELSEWHERE, NEVER_SEEN
from services.jobs.pipelines.work import Peers, Work
from services.jobs.ports.rooms import Frame, Sampled, Sight, TokenCounts


class Eyes:
    """Describes a picture as the text that `texts` has for its bytes."""

    def __init__(self, texts=None, risks=None):
        self.texts = texts or {}
        self.risks = risks or {}
        """What the model sees in a picture; where there is none, it cannot tell."""
        self.asked = []

    async def describe(self, picture, prompt):
        self.asked.append((picture.data, prompt))
        if picture.data not in self.texts:
            raise InvalidInput("image: cannot be decoded", code="IMAGE_DAMAGED")
        return self.texts[picture.data]

    async def analyze(self, picture, prompt):
        return Sight(await self.describe(picture, prompt), self.risks.get(picture.data))


class Mind:
    """Judges a sentence by the words in it, and sums up by counting."""

    def __init__(self, *, refuted=(), severity="medium"):
        self.word = "stocking"
        self.hazards = {"spill": "spill", "ladder": "ladder"}
        """The hazard that is claimed of a sentence with the word in it."""
        self.refuted = refuted
        """Words of sentences that bear out no claim."""
        self.severity = severity
        self.agreed_with = ("answer",)
        """Words of sentences that it agrees with, whatever it is asked."""
        self.blind = "dark"
        """Of what a picture that cannot be made out is said to be."""
        self.asked = []
        """Sentences of which anything was asked, each time."""
        self.questions = []

        self.context = 0
        """The tokens of its context. Zero: it does not say."""
        self.counted = []
        """Texts whose tokens were counted, each time."""

    async def extract(self, turns, schema, *, most_tokens=0):
        question = turns[-1][1]
        observed = question.partition("Observation: ")[2]
        [field] = schema["properties"]
        if self.context:
            asked = sum(tokens(text) for _, text in turns) + most_tokens
            assert asked <= self.context, "the prompt is longer than the context"
        if field == "summary":
            self.questions.append(question)
            return {field: self.recap(lines_of(question))}
        self.questions.append(question)
        if field == "readable":
            return {field: self.blind not in question}
        self.asked.append(observed)
        answers = {
            "hazard": next((it for word, it in self.hazards.items() if word in observed), "none"),
            "there": not any(word in observed for word in self.refuted),
            "severity": self.severity,
        }
        return {field: answers[field]}

    def recap(self, lines):
        """Say how many lines there are, and what the last one says."""
        return f"{len(lines)} lines: {lines[-1]}"

    async def count_tokens(self, texts):
        self.counted.append(list(texts))
        return TokenCounts(tuple(map(tokens, texts)), self.context)

    async def choose(self, turns, answers):
        assert answers == ("yes", "no")
        question = turns[-1][1]
        statement, _, sentence = question.removeprefix("Statement: ").partition("\nSentence: ")
        if sentence == f"{statement}.":
            says = True
        elif sentence in ELSEWHERE:
            says = False
        elif statement == NEVER_SEEN:
            says = any(word in sentence for word in self.agreed_with)
        else:
            self.questions.append(question)
            self.asked.append(sentence)
            says = self.says(statement, sentence)
        return [0.4, 0.6] if says else [0.2, 0.8]

    def says(self, statement, sentence):
        """Whether a sentence makes a statement."""
        return self.word in sentence


def tokens(text):
    """Count a token for each four bytes, as models do with English."""
    return -(-len(text.encode()) // 4)


def lines_of(question):
    """The lines that a question asks to sum up."""
    return [it.removeprefix("- ") for it in question.splitlines() if it.startswith("- ")]


class Ears:
    """Hears the same in everything."""

    def __init__(self):
        self.asked = []

    async def transcribe(self, recording, language, tell):
        async with aclosing(recording):
            self.asked.append(b"".join([piece async for piece in recording]))
        await tell(1.0, 2.0)
        return Transcript("hello", (Segment(0.5, 1.5, "hello"),), language, 2.0)


class Reel:
    """A video of so many frames, one a second; the bytes of each are its number."""

    def __init__(self, count=3):
        self.count = count
        self.asked = []

    async def sample(self, video, *, frames_per_second, most_frames):
        self.asked.append((video.data, frames_per_second, most_frames))
        frames = [Frame(b"%d" % number, float(number)) for number in range(self.count)]
        return Sampled(frames, float(self.count))


def work(steps, memory, claim, *, eyes=None, mind=None, ears=None, reel=None):
    """What a pipeline is given of a job in a memory."""

    async def blob(key):
        return await memory.blob(claim, key)

    async def stream(key):
        yield (await memory.blob(claim, key)).data

    async def keep(blob):
        await memory.keep_blob(claim, blob)

    peers = Peers(eyes or Eyes(), mind or Mind(), ears or Ears(), reel or Reel())
    return Work(steps, peers, blob, stream, keep)
