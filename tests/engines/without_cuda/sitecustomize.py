"""Lets the registry's torchvision, which is built for CUDA, be imported beside a torch for CPUs.

Its own extension cannot load there, which it tolerates, but for two operators that it describes
without having declared them: they are declared here, without anything that would run them. Python
imports this at its start from wherever `PYTHONPATH` leads; nothing heavy is imported before
torchvision is.
"""

import sys
from importlib.abc import MetaPathFinder
from typing import Any

_DECLARED: list[Any] = []
"""A library's declarations last as long as it does."""


class _Declare(MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare()


def _declare() -> None:
    import torch

    if torch.version.cuda is None:
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(library)


sys.meta_path.insert(0, _Declare())
