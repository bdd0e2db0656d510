"""What workers bring media from, as their environment says: addresses, files and domains."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.chassis.clock import Clock
from services.jobs.adapters import domain
from services.jobs.config import DomainConfig
from services.jobs.ports.gathering import Domain, Opener
from services.media.config import MediaConfig
from services.media.fetch import Fetcher
from services.media.guard import Guard
from services.media.sources import Sources


@asynccontextmanager
async def opened(
    config: MediaConfig, account: DomainConfig, clock: Clock
) -> AsyncIterator[tuple[Opener, Domain | None]]:
    """Open both for a block; there are no domains where no account is configured."""
    guard = Guard(config.fetch_allow)
    async with AsyncExitStack() as stack:
        fetcher = await stack.enter_async_context(Fetcher(guard, seconds=config.fetch_seconds))
        network = None
        if account.api_url is not None:
            network = await stack.enter_async_context(domain.opened(account, guard, clock))
        yield Sources(fetcher, root=config.media_root), network
