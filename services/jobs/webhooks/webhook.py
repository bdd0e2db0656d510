"""Who is told of a job's end, and in whose words. It knows no job."""

from dataclasses import dataclass, field
from enum import StrEnum


class WebhookFormat(StrEnum):
    """In whose words a webhook speaks."""

    MESH = "mesh"
    """The mesh's own."""
    VLM_NODE = "vlm_node"
    """Those of vlm-node."""
    CAPTION_QUEUE = "caption_queue"
    """Those of the caption queue."""


@dataclass(frozen=True)
class Webhook:
    """Who is told of a job's end."""

    url: str = field(repr=False)
    """It may hold a secret of its receiver's."""
    format: WebhookFormat = WebhookFormat.MESH
