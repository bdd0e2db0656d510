"""Asks the vision model about each picture, and nothing else.

Input: pictures, and what to ask of each. Output: an answer to each, in their order. Steps:
`describe/0`, `describe/1`, ...
"""

from services.jobs.content import VlmOnlyInput, VlmOnlyOutput
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.work import Work


async def run(given: VlmOnlyInput, work: Work) -> VlmOnlyOutput:
    """Ask about every picture."""
    return VlmOnlyOutput(await observe(given.images, given.prompt, work))
