"""What llama.cpp and vLLM serve beside OpenAI's protocol, for the engine double: who they are, how
busy they are, what they drop. The words are theirs.
"""

import json
from typing import Any

from aiohttp import web

OUR_VERSION = "0.32.0"


class Program:
    """The program that the double passes for."""

    def __init__(self) -> None:
        self.owner = "llamacpp"
        """What its list of models says: `llamacpp`, `vllm`, or another."""
        self.sees = True
        """Whether llama.cpp has the model's eyes."""
        self.most: dict[str, int] = {}
        """The most `image` and `video` parts that vLLM takes."""
        self.running = 0
        self.erases = True
        """Whether it drops caches when told to."""
        self.dropped: list[str] = []
        """What it was told to drop."""

    def routes(self) -> list[web.RouteDef]:
        """The paths below the server's root."""
        return [
            web.get("/version", self._version),
            web.get("/props", self._props),
            web.get("/metrics", self._metrics),
            web.post("/tokenize", self._tokenize),
            web.post("/{what:reset_[a-z]+_cache}", self._reset),
            web.post("/slots/{slot}", self._erase),
        ]

    def refusal(self, body: dict[str, Any]) -> web.Response | None:
        """What it has against a request's pictures and videos."""
        parts = [
            part["type"].removesuffix("_url")
            for message in body["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
        ]
        if self.owner == "llamacpp" and not self.sees and "image" in parts:
            said = "image input is not supported - hint: if this is unexpected, you may need ..."
            return web.json_response({"error": {"code": 500, "message": said}}, status=500)
        for kind, most in self.most.items():
            if parts.count(kind) > most:
                said = f"At most {most} {kind}(s) may be provided in one prompt. (parameter={kind})"
                error = {"message": said, "type": "BadRequestError", "param": kind, "code": 400}
                return web.json_response({"error": error}, status=400)
        return None

    async def _version(self, request: web.Request) -> web.Response:
        if self.owner != "vllm":
            raise web.HTTPNotFound
        return web.json_response({"version": OUR_VERSION})

    async def _props(self, request: web.Request) -> web.Response:
        if self.owner != "llamacpp":
            raise web.HTTPNotFound
        said = {
            "build_info": "b0-unknown",
            "total_slots": 2,
            # It says so of a model that knows video, whether or not it can decode one.
            "modalities": {"vision": self.sees, "video": self.sees, "audio": False},
        }
        return web.json_response(said)

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        match self.owner:
            case "llamacpp":
                return web.json_response({"tokens": [1] * len(body["content"].split())})
            case "vllm":
                tokens = [1] * len(body["prompt"].split())
                said = {"count": len(tokens), "max_model_len": 2048, "tokens": tokens}
                return web.json_response(said)
            case _:
                raise web.HTTPNotFound

    async def _metrics(self, request: web.Request) -> web.Response:
        match self.owner:
            case "vllm":
                labels = '{engine="0",model_name="double"}'
                lines = [
                    "# TYPE vllm:num_requests_running gauge",
                    f"vllm:num_requests_running{labels} {float(self.running)}",
                    f"vllm:num_requests_waiting{labels} 0.0",
                    f"vllm:kv_cache_usage_perc{labels} 0.25",
                ]
            case "llamacpp":
                lines = [
                    f"llamacpp:requests_processing {self.running}",
                    "llamacpp:requests_deferred 0",
                ]
            case _:
                raise web.HTTPNotFound
        return web.Response(text="\n".join(lines) + "\n")

    async def _reset(self, request: web.Request) -> web.Response:
        if self.owner != "vllm" or not self.erases:
            raise web.HTTPNotFound
        what = request.match_info["what"]
        self.dropped.append(what)
        if what == "reset_prefix_cache":
            return web.json_response({"success": not self.running})
        return web.Response()

    async def _erase(self, request: web.Request) -> web.Response:
        if self.owner != "llamacpp":
            raise web.HTTPNotFound
        if not self.erases:
            said = "This server does not support slots action. Start it with `--slot-save-path`"
            error = {"code": 501, "message": said, "type": "not_supported_error"}
            return web.json_response({"error": error}, status=501)
        assert request.query["action"] == "erase"
        self.dropped.append(request.match_info["slot"])
        return web.Response(text=json.dumps({"id_slot": 0, "n_erased": 15}))
