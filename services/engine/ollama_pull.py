"""Fetching a model that an Ollama does not have: minutes, in the background, once at a time."""

import asyncio
import json
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Final

from services.chassis.errors import MeshError, Unavailable
from services.engine.http import Http

_PULL_SECONDS: Final = 6 * 60 * 60.0
_AGAIN_SECONDS: Final = 60.0
"""How long a failure stands before the next try."""
_SOON: Final = timedelta(seconds=10)

_log = logging.getLogger(__name__)


class Pull:
    """Has the Ollama at `url` fetch models that are missed."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url
        self._task: asyncio.Task[None] | None = None
        self._failed_at = float("-inf")

    def missing(self, model: str) -> Unavailable:
        """Begin to fetch a model unless it is being fetched; the error that says so meanwhile."""
        recently = asyncio.get_running_loop().time() - self._failed_at < _AGAIN_SECONDS
        if recently:
            return Unavailable(
                "the engine could not fetch the room's model",
                remedy="look into the engine's log; it is tried again every minute",
                retry_after=timedelta(seconds=_AGAIN_SECONDS),
            )
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._pull(model))
        return Unavailable("the engine is fetching the room's model", retry_after=_SOON)

    async def stop(self) -> None:
        """Fetch no more. The engine keeps what it has of the model."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _pull(self, model: str) -> None:
        _log.info("the engine fetches the model %s", model)
        body = json.dumps({"model": model, "stream": False}).encode()
        try:
            await self._http.call("POST", f"{self._url}/api/pull", body, _PULL_SECONDS)
        except MeshError as failed:
            self._failed_at = asyncio.get_running_loop().time()
            _log.warning("the engine could not fetch the model %s: %s", model, failed)
