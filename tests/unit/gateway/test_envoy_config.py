import json

import pytest

from gateway.envoy.config import GatewayConfig
from services.chassis.config import ConfigError
from tests.doubles import keys

TARGETS = {f"GATEWAY_{room}_TARGET": "room:8080" for room in ("JOBS", "VISION", "REASONING")} | {
    "GATEWAY_AUDIO_TARGET": "10.0.0.1:50051",
    "GATEWAY_BRIDGE_TARGET": "bridge.mesh.svc.cluster.local:8080",
}


@pytest.fixture
def load(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path / "none"))

    def load(**changes):
        for name, value in (TARGETS | changes).items():
            monkeypatch.setenv(name, value)
        return GatewayConfig.load()

    return load


@pytest.fixture
def key_file(tmp_path):
    def write(content):
        file = tmp_path / "jwks.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(file)

    return write


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "127.1.2.3:0", "localhost:9000"])
def test_on_loopback_no_keys_are_demanded(load, listen):
    assert load(GATEWAY_LISTEN=listen).public_keys() is None


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "192.168.1.7:80"])
def test_beyond_loopback_keys_are_demanded(load, key_file, listen):
    with pytest.raises(ConfigError, match=r"^GATEWAY_JWKS_FILE: listening beyond loopback, on"):
        load(GATEWAY_LISTEN=listen)
    file = key_file(keys.PUBLIC_KEYS)
    given = load(GATEWAY_LISTEN=listen, GATEWAY_JWKS_FILE=file).public_keys()
    assert json.loads(given) == keys.PUBLIC_KEYS


def test_beyond_loopback_anonymous_callers_must_be_allowed_in_words(load):
    config = load(GATEWAY_LISTEN="0.0.0.0:8080", GATEWAY_ALLOW_ANONYMOUS="true")
    assert config.public_keys() is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no json", "must be a readable JSON Web Key Set"),
        ([], "must be a readable JSON Web Key Set"),
        ({"keys": [7]}, "must be a readable JSON Web Key Set"),
        ({"keys": []}, "holds no key"),
        ({"keys": [{**keys.PUBLIC_KEYS["keys"][0], "d": "secret"}]}, "holds a secret key"),
        ({"keys": [{"kty": "oct", "k": "secret"}]}, "holds a secret key"),
    ],
)
def test_a_file_without_public_keys_is_refused(load, key_file, content, says):
    with pytest.raises(ConfigError, match=says):
        load(GATEWAY_JWKS_FILE=key_file(content))


def test_a_file_that_is_not_there_is_refused(load, tmp_path):
    with pytest.raises(ConfigError, match="must be a readable"):
        load(GATEWAY_JWKS_FILE=str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GATEWAY_LISTEN", "edge:8080", "must be an IP address"),
        ("GATEWAY_LISTEN", "8080", "GATEWAY_LISTEN"),
        ("GATEWAY_ADMIN_LISTEN", "0.0.0.0:9901", "is not on loopback"),
        ("GATEWAY_JOBS_TARGET", "http://jobs:1", "GATEWAY_JOBS_TARGET"),
    ],
)
def test_a_bad_address_is_refused_by_its_variable(load, name, value, says):
    with pytest.raises(ConfigError, match=says) as refused:
        load(**{name: value})
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://a.example", ("https://a.example",)),
        (
            "https://a.example, http://b.example:8000,",
            ("https://a.example", "http://b.example:8000"),
        ),
    ],
)
def test_origins_are_separated_by_commas(load, text, origins):
    assert load(GATEWAY_CORS_ORIGINS=text).cors_origins == origins


def test_names_are_separated_by_commas_and_their_case_does_not_matter(load):
    hosts = load(GATEWAY_HOSTS="mesh.home.example, Mesh.Office.Example,").hosts
    assert hosts == ("mesh.home.example", "mesh.office.example")


@pytest.mark.parametrize("text", ["*", "a.example:8080", "https://a.example", "*.example", 'a"b'])
def test_what_is_no_name_is_refused(load, text):
    with pytest.raises(ConfigError, match="GATEWAY_HOSTS"):
        load(GATEWAY_HOSTS=text)


@pytest.mark.parametrize("text", ["a.example", "https://a.example/", "https://*.example", "null"])
def test_what_is_no_origin_is_refused(load, text):
    with pytest.raises(ConfigError, match="GATEWAY_CORS_ORIGINS"):
        load(GATEWAY_CORS_ORIGINS=text)
