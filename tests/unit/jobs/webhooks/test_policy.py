import pytest

from services.chassis.errors import InvalidInput
from services.jobs.webhooks.policy import Policy
from services.jobs.webhooks.webhook import Webhook, WebhookFormat
from services.media.guard import Guard

ALLOWED = ("hooks.example.com", ".lan.example", "10.1.0.0/16")


def accepted(url, *, allowed=(), http=False):
    return Policy(Guard(allowed), http=http).accept(Webhook(url, WebhookFormat.VLM_NODE)).url


@pytest.mark.parametrize(
    "url",
    [
        "https://client.example",
        "https://client.example/a?b=%2F&c=d%20e",
        "https://client.example:8443/hook",
        "https://93.184.215.14/hook",
    ],
)
def test_a_public_encrypted_address_is_kept_to_the_letter(url):
    assert accepted(url) == url


def test_an_address_of_another_form_is_brought_into_that_in_which_it_is_called():
    told = accepted("https://bücher.example/ä b?x=\0")
    assert told.isascii()
    assert told.isprintable()
    assert told.startswith("https://xn--bcher-kva.example/")


def test_the_format_stays():
    webhook = Webhook("https://client.example", WebhookFormat.VLM_NODE)
    assert Policy(Guard(), http=False).accept(webhook).format is WebhookFormat.VLM_NODE


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/", "http://a.lan.example/", "http://10.1.2.3:9000/done"],
)
def test_what_the_operator_names_may_be_called_over_http(url):
    assert accepted(url, allowed=ALLOWED) == url
    with pytest.raises(InvalidInput):
        accepted(url)


def test_http_may_be_allowed_to_every_public_host_and_to_no_other():
    assert accepted("http://client.example/", http=True) == "http://client.example/"
    with pytest.raises(InvalidInput, match="not public"):
        accepted("http://127.0.0.1/", http=True)


@pytest.mark.parametrize(
    "url",
    [
        *("", "client.example", "ftp://client.example", "https://", "https:///done"),
        *("https://u:p@client.example", "https://10.0.0.1", "https://[fe80::1]", "https://127.1"),
        *("https://client.example:22", "https://2130706433", "https://0.0.0.0"),
    ],
)
def test_what_will_not_be_called_is_refused_by_its_field(url):
    with pytest.raises(InvalidInput) as refused:
        accepted(url)
    assert refused.value.code == "WEBHOOK_NOT_ALLOWED"
    assert refused.value.violations[0].field == "webhook.url"
