"""One file for each system that the mesh replaces: its calls, its shapes, its errors."""

from typing import Final

from gateway.bridge.dialects import vlm_node
from gateway.bridge.exchange import Dialect

DIALECTS: Final[tuple[Dialect, ...]] = (vlm_node.DIALECT,)
