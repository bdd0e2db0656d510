"""A worker: claims jobs, keeps their leases alive, works on several at once, and when it is stopped
hands back what it has. It knows no type of job. Run it as `python -m services.jobs.worker`.
"""

import asyncio
import logging
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from services.chassis import names, process
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import MeshError
from services.chassis.server import Server
from services.jobs import peers, sweeper, verdict, wire
from services.jobs.adapters import objects, sources
from services.jobs.adapters.postgres import (
    Database,
    PostgresJobQueue,
    PostgresMediaIndex,
    PostgresOutbox,
    PostgresSessionStore,
)
from services.jobs.adapters.receiver import HttpReceiver
from services.jobs.attempt import UNDONE, Attempt, Outcome, Stop
from services.jobs.bells import Bell
from services.jobs.config import DomainConfig, PeersConfig, WebhookConfig, WorkerConfig
from services.jobs.content import JobType
from services.jobs.domain import Claim, JobState
from services.jobs.gathering import Gatherer
from services.jobs.media import MediaKeeper
from services.jobs.pipelines.work import Peers
from services.jobs.ports.queue import JobQueue
from services.jobs.throttle import Throttle
from services.jobs.webhooks.deliverer import Deliverer
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.signing import Signer
from services.media.guard import Guard
from services.media.spool import Shelf

_log = logging.getLogger(__name__)

_BEATS_PER_LEASE: Final = 3
# Where ends cannot be written fast enough, no more is claimed.
_HELD_PER_PLACE: Final = 2
_SWEPT_AT_ONCE: Final = 200


class Worker:
    """Works on the jobs of a queue with the help of the other rooms. May be run once."""

    def __init__(
        self,
        queue: JobQueue,
        peers: Peers,
        gatherer: Gatherer,
        config: WorkerConfig,
        *,
        name: str,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._peers = peers
        self._gatherer = gatherer
        self._config = config
        self._name = name
        self._lease = timedelta(seconds=config.lease_seconds)
        self._beat_seconds = config.lease_seconds / _BEATS_PER_LEASE
        # Never all places in one go: while some are begun, others are claimed.
        self._at_once = max(1, config.concurrency // 2)
        # All jobs that it holds, and how many of them are worked on; of the others the ends are
        # written.
        self._attempts: dict[Attempt, asyncio.Task[None]] = {}
        self._working = 0
        self._throttle = Throttle(config.concurrency, clock)
        self._judge = verdict.Judge(config, clock, random.random, self._throttle.refused)
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for a block; at its end hand back what is under way, within the drain time."""
        with self._queue.work() as bell:
            async with asyncio.TaskGroup() as group:
                claiming = group.create_task(self._claim(group, bell))
                keeping = [
                    group.create_task(self._keep_leases()),
                    group.create_task(self._reclaim()),
                ]
                try:
                    yield
                finally:
                    await self._drain(claiming, bell)
                    for task in (*keeping, *self._attempts.values()):
                        task.cancel()

    async def _claim(self, group: asyncio.TaskGroup, bell: Bell) -> None:
        while not self._stopping:
            free, most = min(self._places(), self._at_once), self._throttle.bounds()
            claims = await self._claimed(free, most) if free else ()
            for claim in claims:
                attempt = Attempt(
                    self._queue,
                    claim,
                    self._peers,
                    self._gatherer,
                    lease=self._lease,
                    judge=self._judge,
                )
                self._working += 1
                self._throttle.began(claim.type)
                self._attempts[attempt] = group.create_task(self._attempt(attempt, bell))
            # Fewer than there are places may be all, or all that the bounds of one type left.
            bounded = most or self._config.type_limits
            if not free or not claims or (len(claims) < free and not bounded):
                await bell.wait(self._config.poll_seconds)

    def _places(self) -> int:
        most = self._config.concurrency
        return min(most - self._working, _HELD_PER_PLACE * most - len(self._attempts))

    async def _claimed(self, free: int, most: Mapping[JobType, int]) -> Sequence[Claim]:
        try:
            return await self._queue.claim(self._name, limit=free, lease=self._lease, most=most)
        except MeshError as error:
            _log.warning("cannot claim jobs", extra={"reason": error.code})
            return ()

    async def _attempt(self, attempt: Attempt, bell: Bell) -> None:
        outcome: Outcome = Stop.LOST
        try:
            try:
                outcome = await attempt.work()
            finally:
                self._working -= 1
                done = not isinstance(outcome, UNDONE)
                self._throttle.ended(attempt.claim.type, done=done)
                # A place is free: who waits for it need not wait for the end to be written.
                bell.ring()
            await attempt.end(outcome)
        finally:
            del self._attempts[attempt]
            bell.ring()

    async def _keep_leases(self) -> None:
        with self._queue.cancels() as bell:
            while True:
                await bell.wait(self._beat_seconds)
                attempts = tuple(self._attempts)
                if not attempts:
                    continue
                try:
                    states = await self._queue.heartbeat(
                        [attempt.claim for attempt in attempts], lease=self._lease
                    )
                except MeshError as error:
                    _log.warning("cannot renew leases", extra={"reason": error.code})
                    continue
                for attempt in attempts:
                    state = states.get(attempt.claim.id)
                    if state is None:
                        attempt.stop(Stop.LOST)
                    elif state is JobState.CANCELLING:
                        attempt.stop(Stop.LET_GO)

    async def _reclaim(self) -> None:
        while True:
            await asyncio.sleep(self._beat_seconds)
            try:
                count = await self._queue.reclaim()
            except MeshError as error:
                _log.warning("cannot reclaim jobs", extra={"reason": error.code})
                continue
            if count:
                _log.warning("took jobs from workers that gave no sign", extra={"count": count})

    async def _drain(self, claiming: asyncio.Task[None], bell: Bell) -> None:
        self._stopping = True
        bell.ring()
        try:
            async with asyncio.timeout(self._config.drain_seconds):
                # Not cancelled: a claim that the store has granted would be held by nobody.
                await asyncio.wait([claiming])
                for attempt in tuple(self._attempts):
                    attempt.stop(Stop.LET_GO)
                while self._attempts:
                    await bell.wait(self._config.drain_seconds)
        except TimeoutError:
            _log.warning("jobs are left to their leases", extra={"count": len(self._attempts)})
            claiming.cancel()


async def main() -> None:
    """Work until told to stop."""
    config, peers_config, told = WorkerConfig.load(), PeersConfig.load(), WebhookConfig.load()
    stop, clock = asyncio.Event(), SystemClock()
    for received in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(received, stop.set)
    async with (
        Database(peers_config.database_url.get_secret_value()) as database,
        peers.connected(peers_config) as rooms,
        HttpReceiver(
            Guard(told.webhook_allow),
            seconds=config.webhook_timeout_seconds,
            connections=config.webhook_concurrency,
        ) as receiver,
        sources.opened(peers_config, DomainConfig.load(), clock) as (opener, network),
        Server(config).running() as address,
    ):
        name = f"{socket.gethostname()}/{os.getpid()}"
        queue = PostgresJobQueue(database, type_limits=config.type_limits)
        blobs = objects.store_at(peers_config.media_url)
        media = MediaKeeper(PostgresMediaIndex(database), blobs, peers_config.media_rules)
        gatherer = Gatherer(media, opener, Shelf(peers_config.spooled_bytes), network)
        worker = Worker(queue, rooms, gatherer, config, name=name, clock=clock)
        sender = Sender(receiver, Signer(told.keys), clock)
        deliverer = Deliverer(PostgresOutbox(database), sender, wire.message_of, config)
        sessions = PostgresSessionStore(database)
        sweeps: dict[str, sweeper.Sweep] = {
            "media": media.sweep,
            "sums": queue.add_up,
            "sessions": partial(sessions.forget, _SWEPT_AT_ONCE),
        }
        if config.retention_days:
            sweeps["jobs"] = partial(queue.forget, timedelta(days=config.retention_days))
        sweeping = sweeper.running(sweeps, seconds=config.sweep_seconds)
        # Each in a task of its own, so that all drain at the same time.
        async with asyncio.TaskGroup() as group:
            for block in (worker.running(), deliverer.running(), sweeping):
                group.create_task(_until(stop, block))
            _log.info("working", extra={"worker": name, "address": address})
            await stop.wait()
            _log.info("draining", extra={"seconds": config.drain_seconds})


async def _until(stop: asyncio.Event, block: AbstractAsyncContextManager[None]) -> None:
    async with block:
        await stop.wait()


if __name__ == "__main__":
    process.run(names.WORKER, main)
