from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Standard
from standardwebhooks import WebhookVerificationError

from services.jobs.webhooks.signing import Signer

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
BODY = '{"text": "é"}'.encode()


def signed(*keys):
    return Signer(keys).headers("acme", "msg_1", BODY, datetime.now(UTC))


def test_a_message_is_verified_by_the_standards_own_verifier():
    [secret] = Signer((NEW,)).secrets("acme")
    assert Standard(secret).verify(BODY, dict(signed(NEW))) == {"text": "é"}


def test_a_message_is_signed_by_every_key_the_newest_first():
    headers = signed(NEW, OLD)
    newest, oldest = headers["webhook-signature"].split(" ")
    assert newest == signed(NEW)["webhook-signature"]
    assert oldest == signed(OLD)["webhook-signature"]
    for secret in Signer((NEW, OLD)).secrets("acme"):
        Standard(secret).verify(BODY, dict(headers))


def test_each_tenant_has_secrets_of_its_own_that_stay():
    mine, theirs = Signer((NEW,)).secrets("acme"), Signer((NEW,)).secrets("other")
    assert mine != theirs
    assert mine == Signer((NEW, OLD)).secrets("acme")[:1]
    assert all(it.startswith("whsec_") for it in (*mine, *theirs))
    with pytest.raises(WebhookVerificationError):
        Standard(theirs[0]).verify(BODY, dict(signed(NEW)))


def test_a_secret_says_nothing_of_the_key():
    [secret] = Signer((NEW,)).secrets("")
    assert Standard(secret)._whsecret != NEW


def test_another_body_under_the_same_signature_is_refused():
    [secret] = Signer((NEW,)).secrets("acme")
    with pytest.raises(WebhookVerificationError):
        Standard(secret).verify(BODY + b" ", dict(signed(NEW)))
