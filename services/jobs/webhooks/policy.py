"""Which addresses a client may have told of a job's end. What can only be known once a name is
resolved is found out at each call, by the same guard.
"""

from dataclasses import replace

from services.chassis.errors import InvalidInput
from services.jobs.webhooks.webhook import Webhook
from services.media.guard import AddressRefused, Guard, parsed


class Policy:
    """Holds webhooks to what the operator allows: `https`, unless the host is one that is allowed
    by name or number, or `http` is allowed to all.
    """

    def __init__(self, guard: Guard, *, http: bool) -> None:
        self._guard = guard
        self._http = http

    def accept(self, webhook: Webhook) -> Webhook:
        """Return it with its address in the form in which it is called.

        Raises `InvalidInput` for an address that will not be called.
        """
        try:
            url = parsed(webhook.url)
            self._guard.check(url)
        except AddressRefused as refused:
            raise _refused(f"will not be called: {refused}", "name a public https:// one") from None
        if url.scheme != "https" and not self._http and not self._guard.trusts(url):
            raise _refused("is not encrypted", "use https://, or have the operator allow its host")
        return replace(webhook, url=str(url))


def _refused(problem: str, remedy: str) -> InvalidInput:
    return InvalidInput.field("webhook.url", problem, remedy=remedy, code="WEBHOOK_NOT_ALLOWED")
