"""What bringing a job's media needs of the world: whoever opens an address, and a domain."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.chassis.errors import Unavailable
from services.jobs.content import DomainQuery
from services.media.fetch import Media
from services.media.spool import Spool


class SourceDown(Unavailable):
    """Where media comes from does not answer. It is none of the mesh, and may never come back."""

    reason = "SOURCE_DOWN"


class Opener(Protocol):
    """Opens what names media: an address, or a file that the operator has opened."""

    async def open(self, uri: str, *, field: str) -> Media:
        """Give the bytes that `uri` names.

        Raises `InvalidInput` about `field` for what will not change, `Unavailable` for what may.
        """
        ...

    async def bring(self, uri: str, spool: Spool, *, field: str) -> None:
        """Put them into a spool, as many as it has room for. Raises as `open` and the spool do."""
        ...


@dataclass(frozen=True)
class DomainItem:
    """A piece of data of a domain."""

    id: str
    name: str
    data_type: str
    size: int
    """In bytes, as the domain says."""
    create_time: datetime | None


class Domain(Protocol):
    """Domains of the posemesh network, by the account of whoever runs this mesh.

    Raises `SourceDown` for what may pass; `InvalidInput` for a domain that is unknown or closed,
    and `Denied` for an account that is, which will not.
    """

    async def list(self, query: DomainQuery) -> Sequence[DomainItem]:
        """Tell what a query finds, without its bytes."""
        ...

    def fetch(
        self, domain_id: str, ids: Sequence[str], *, most_bytes: int
    ) -> AsyncGenerator[tuple[str, bytes | None], None]:
        """Give ids and bytes as they come, in any order; None for what is larger than that.

        What a domain does not send is left out.
        """
        ...

    async def store(self, domain_id: str, *, name: str, data_type: str, data: bytes) -> None:
        """Put data of this name and type into a domain, in place of any that is there."""
        ...
