from ipaddress import ip_address

import aiohttp
import pytest

from services.media.guard import AddressRefused, Guard, is_public, parsed
from tests.doubles.strangers import Names

SECONDS = aiohttp.ClientTimeout(total=5)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "100::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::1",
    ],
)
def test_an_address_of_the_inside_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1%25lo]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://127.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://0177.0.0.1/",
        "http://8.8.8.8:25/",
        "http://public.example:22/",
        "http://user@public.example/",
        "http://user:secret@public.example/",
        "http://:secret@public.example/",
        "http://inside.example/",
        "http://both.example/",
        "http://INSIDE.example./",
        "http://inside6.example/",
        "ftp://public.example/",
        "file:///etc/passwd",
    ],
)
async def test_nothing_is_sent_to_what_is_not_public(url: str) -> None:
    names = Names(
        public_example=[["8.8.8.8"]],
        inside_example=[["10.0.0.1"]],
        both_example=[["8.8.8.8", "127.0.0.1"]],
        inside6_example=[["::ffff:10.0.0.1"]],
    )
    async with Guard(resolver=names).session(timeout=SECONDS, connections=1) as session:
        with pytest.raises((AddressRefused, aiohttp.InvalidURL)):
            await session.get(parsed(url))


@pytest.mark.parametrize("host", ["0x7f000001", "0x7f.1", "0177.0.0.0x1", "localhost"])
async def test_what_the_machine_itself_takes_for_loopback_is_refused(host: str) -> None:
    async with Guard().session(timeout=SECONDS, connections=1) as session:
        with pytest.raises((AddressRefused, aiohttp.ClientConnectorDNSError)):
            await session.get(f"http://{host}/")


@pytest.mark.parametrize(
    ("entry", "host", "address"),
    [
        ("media.example", "media.example", "10.0.0.1"),
        ("media.example", "MEDIA.example.", "10.0.0.1"),
        (".example", "media.example", "10.0.0.1"),
        ("10.0.0.0/8", "whatever", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("fd00::/8", "whatever", "fd00::1"),
    ],
)
def test_what_the_operator_allows_is_allowed(entry: str, host: str, address: str) -> None:
    assert Guard([entry]).allows(host, ip_address(address))
    assert not Guard().allows(host, ip_address(address))


@pytest.mark.parametrize("host", ["notmedia.example", "media.example.com", "example", "x.media"])
def test_a_name_is_allowed_to_the_letter(host: str) -> None:
    assert not Guard(["media.example", ".media.example"]).allows(host, ip_address("10.0.0.1"))


@pytest.mark.parametrize("entry", ["", "http://x", "a b", "10.0.0.0/99", "*", "a/b"])
def test_an_entry_that_names_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host name nor a network"):
        Guard([entry])
