import pytest

from services.chassis.errors import InvalidInput
from services.media.form import file_of

TYPE = "multipart/form-data; boundary=XX"


def form(*fields: tuple[str, bytes]) -> bytes:
    parts = [
        b"--XX\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in fields
    ]
    return b"".join(parts) + b"--XX--\r\n"


@pytest.mark.parametrize("kind", ["", "image/png", "text/plain; boundary=XX", "application/json"])
def test_a_body_that_is_no_form_is_the_file(kind: str) -> None:
    assert file_of(b"--XX", kind, field="image") == b"--XX"


@pytest.mark.parametrize(
    "body",
    [
        form(('name="file"; filename="a.png"', b"\0pixels\r\n--X")),
        form(('name="file"', b"\0pixels\r\n--X")),
        form(('name="prompt"', b"?"), ('name="image"; filename="a"', b"\0pixels\r\n--X")),
        form(('name="x"; filename="a"', b"no"), ('name="file"; filename="b"', b"\0pixels\r\n--X")),
    ],
)
def test_the_file_of_a_form_is_found(body: bytes) -> None:
    assert file_of(body, TYPE, field="image") == b"\0pixels\r\n--X"


@pytest.mark.parametrize(
    "name",
    [
        'filename="图片.jpg"'.encode(),
        'filename="图片.jpg"'.encode("gbk"),
        'filename="写真ソ.jpg"'.encode("shift-jis"),
        b"filename*=utf-8''%E5%9B%BE.jpg",
        b"filename=\"?.jpg\"; filename*=utf-8''%E5%9B%BE.jpg",
    ],
    ids=["UTF-8", "GBK", "Shift JIS", "by its charset alone", "by its charset too"],
)
def test_a_file_may_have_a_name_in_any_script_and_charset(name: bytes) -> None:
    head = b'--XX\r\nContent-Disposition: form-data; name="photo"; ' + name
    body = head + b"\r\n\r\npixels\r\n--XX--\r\n"
    assert file_of(body, TYPE, field="image") == b"pixels"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (form(('name="prompt"', b"?")), TYPE, "FORM_WITHOUT_FILE"),
        (b"--XX--\r\n", TYPE, "FORM_WITHOUT_FILE"),
        (b"", TYPE, "FORM_UNREADABLE"),
        (b"no form", TYPE, "FORM_UNREADABLE"),
        (form(('name="file"', b"a"))[:-8], TYPE, "FORM_UNREADABLE"),
        (form(('name="file"', b"a")), "multipart/form-data", "FORM_UNREADABLE"),
        (form(*[(f'name="f{n}"', b"a") for n in range(40)]), TYPE, "FORM_UNREADABLE"),
        (form(*[('name="file"', b"a")] * 2), TYPE, "FORM_OF_SEVERAL_FILES"),
        (
            form(*[(f'name="f{n}"; filename="a"', b"a") for n in "ab"]),
            TYPE,
            "FORM_OF_SEVERAL_FILES",
        ),
        (form(('name="' + "x" * 9_000 + '"', b"a")), TYPE, "FORM_UNREADABLE"),
    ],
)
def test_a_form_without_one_file_is_refused_by_its_field(body: bytes, kind: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        file_of(body, kind, field="image")
    assert refused.value.code == code
    assert refused.value.violations[0].field == "image"
