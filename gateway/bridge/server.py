"""Carries dialects over HTTP: reads requests with bounds, asks the rooms as the tenant that the
edge names, and ends in good order. It knows no dialect.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web

from gateway.bridge import events, forms
from gateway.bridge.config import SOCKET_BYTES, BridgeConfig
from gateway.bridge.exchange import (
    Ask,
    Conversation,
    Dialect,
    Events,
    Request,
    Response,
    Route,
    too_large,
)
from gateway.bridge.presence import while_there
from gateway.bridge.session import Socket
from gateway.bridge.sockets import Sockets, is_refused
from services.chassis import call, client, errors, limits, names, telemetry
from services.chassis.config import ConfigError

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEALTH: Final = "/healthz"
_LISTED: Final = "GET /docs lists what is served"


def application(
    dialects: Sequence[Dialect],
    stubs: Mapping[str, Any],
    sockets: Iterable[Socket] = (),
    *,
    socket_bytes: int = SOCKET_BYTES,
) -> web.Application:
    """Serve the dialects; `stubs` holds the stub of each service by its name. `socket_bytes`: what
    sockets hold of pictures at most.
    """
    carrier = Sockets(sockets, stubs, most=limits.SOCKETS, most_bytes=socket_bytes)
    app = web.Application(client_max_size=limits.BODY_BYTES, middlewares=[_upgrading(carrier)])
    app.on_shutdown.append(carrier.close)
    app.router.add_get(HEALTH, _healthy)
    for dialect in dialects:
        for route in dialect.routes:
            app.router.add_route(route.verb, route.path, _handler(dialect, route, stubs))
    for dialect in dialects:
        for path in {it.path for it in dialect.routes}:
            app.router.add_route("*", path, _other_verb(dialect, path))
        if dialect.under:
            app.router.add_route("*", f"{dialect.under}{{path:.*}}", _nothing_of(dialect))
    app.router.add_route("*", "/{path:.*}", _nothing)
    return app


@asynccontextmanager
async def running(config: BridgeConfig, app: web.Application) -> AsyncIterator[str]:
    """Serve for a block, which is given the bound address; at its end let requests finish."""
    # Envoy writes the access log, without the query, and lets no packed body in.
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=config.drain_seconds, auto_decompress=False
    )
    await runner.setup()
    host, _, port = config.listen.rpartition(":")
    try:
        try:
            await web.TCPSite(runner, host, int(port)).start()
        except OSError:
            raise ConfigError(
                f"cannot listen on {config.listen}: the port is taken or the host is not ours"
            ) from None
        address = f"{host}:{runner.addresses[0][1]}"
        _log.info("serving", extra={"address": address})
        yield address
    finally:
        _log.info("draining", extra={"seconds": config.drain_seconds})
        await runner.cleanup()
        _log.info("stopped")


async def carry(
    conversation: Conversation,
    stubs: Mapping[str, Any],
    *,
    large: bool,
    lasts: timedelta = limits.UNARY_DEADLINE,
) -> Response | Events:
    """Ask the rooms what a conversation wants to know until it has its response.

    A large request is translated in a thread, so that others need not wait for it.
    """
    step: Callable[[], Ask] = partial(next, conversation)
    while True:
        outcome = await asyncio.to_thread(_advance, step) if large else _advance(step)
        if not isinstance(outcome, Ask):
            return outcome
        method = getattr(stubs[outcome.service], outcome.method)
        try:
            answer = await client.call(method, outcome.request, timeout=lasts.total_seconds())
        except errors.MeshError as failed:
            step = partial(conversation.throw, failed)
        else:
            step = partial(conversation.send, answer)


def _advance(step: Callable[[], Ask]) -> Ask | Response | Events:
    try:
        return step()
    except StopIteration as done:
        response: Response | Events = done.value
        return response


def _handler(dialect: Dialect, route: Route, stubs: Mapping[str, Any]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        where = {"http.request.method": route.verb, "http.route": route.path}
        with telemetry.receiving(f"{route.verb} {route.path}", request.headers, where) as span:
            try:
                if is_refused(request):
                    # It asked for a socket at the edge, and for none here.
                    raise errors.Unauthenticated("the key is missing or not accepted")
                with nullcontext() if route.changes else while_there(request):
                    response = await _answer(route, request, stubs)
            except errors.MeshError as error:
                response = _sent(dialect.refuse(error))
            except ConnectionError:
                # Whoever asked has left, and reads this no more.
                response = _sent(dialect.refuse(errors.InvalidInput("the request broke off")))
            except Exception:
                _log.exception("a dialect failed", extra={"route": route.path})
                told = errors.Internal("something failed inside the mesh")
                response = _sent(dialect.refuse(told))
            span.set_attribute("http.response.status_code", response.status)
        return response

    return handle


async def _answer(
    route: Route, request: web.Request, stubs: Mapping[str, Any]
) -> web.StreamResponse:
    body = b"" if route.form else await _body(request)
    form = await forms.read(request) if route.form else {}
    asked = Request(body, dict(request.match_info), dict(request.query), form)
    tenant = request.headers.get(names.TENANT_HEADER) or names.DEFAULT_TENANT
    priority = call.Priority.read(request.headers.get(names.PRIORITY_HEADER, ""))
    deadline = time.monotonic() + route.lasts.total_seconds()
    with call.use(call.Call(f"{route.verb} {route.path}", tenant, priority, deadline)):
        large = len(body) > limits.MEBIBYTE
        told = await carry(route.answer(asked), stubs, large=large, lasts=route.lasts)
        if isinstance(told, Response):
            return _sent(told)
        method = getattr(stubs[told.ask.service], told.ask.method)
        return await events.write(request, told, method, lasts=route.lasts)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large() from None


def _sent(response: Response) -> web.Response:
    return web.Response(
        body=response.body,
        status=response.status,
        headers={"content-type": response.content_type, **response.headers},
    )


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _upgrading(sockets: Sockets) -> Any:
    @web.middleware
    async def upgrade(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() != "websocket":
            return await handler(request)
        if served := sockets.at(request.path):
            return await sockets.carry(served, request)
        return web.Response(text=f"no WebSocket is served at {request.path}", status=404)

    return upgrade


def _other_verb(dialect: Dialect, path: str) -> Handler:
    verbs = ", ".join(sorted(it.verb for it in dialect.routes if it.path == path))

    async def refuse(request: web.Request) -> web.StreamResponse:
        refused = dialect.refuse(errors.InvalidInput(_unanswered(request), remedy=f"use {verbs}"))
        headers = {**refused.headers, "allow": verbs}
        return _sent(replace(refused, status=405, headers=headers))

    return refuse


def _nothing_of(dialect: Dialect) -> Handler:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return _sent(dialect.refuse(errors.NotFound(_unanswered(request), remedy=_LISTED)))

    return refuse


async def _nothing(request: web.Request) -> web.Response:
    return web.Response(text=f"{_unanswered(request)}; {_LISTED}", status=404)


def _unanswered(request: web.Request) -> str:
    return f"nothing answers {request.method} {request.path}"
