"""One file for each system that the mesh replaces: its calls, its shapes, its errors."""

from gateway.bridge.dialects import caption_queue, front, local_models, vlm_node, vlm_server
from gateway.bridge.exchange import Dialect


def dialects(*, queue_workers: int | None = None) -> tuple[Dialect, ...]:
    """All of them. `queue_workers`: how many captions are written at once; None: nobody says."""
    return (
        front.DIALECT,
        vlm_node.DIALECT,
        vlm_server.DIALECT,
        caption_queue.dialect(queue_workers),
        local_models.DIALECT,
    )
