"""Says what is to be seen in each picture.

Input: pictures, and what to ask of each. Output: a text for each, in their order. Steps:
`describe/0`, `describe/1`, ...
"""

from services.jobs.content import CaptionInput, CaptionOutput
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.work import Work


async def run(given: CaptionInput, work: Work) -> CaptionOutput:
    """Describe every picture."""
    return CaptionOutput(await observe(given.images, given.prompt, work))
