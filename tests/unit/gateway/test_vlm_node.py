import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from mesh.jobs.v1 import job_input_pb2
from mesh.jobs.v1 import job_pb2 as pb
from mesh.jobs.v1 import job_service_pb2 as service_pb

from gateway.bridge.dialects import vlm_node
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles.conversations import body, tell

JOB = "6f1f8a52-5b0e-4a35-9e0f-0d9a5d2c7b11"
IMAGE = base64.b64encode(b"pixels").decode()
INPUT = {
    "webhook_url": "https://client.example/done",
    "prompt": "A worker is stocking the shelf",
    "vlm_prompt": "What is happening?",
    "count": 12345678901234567890,
    "images": [IMAGE, {"id": "second", "timestamp": "2025-10-11T12:00:05Z", "data": IMAGE}],
}
CREATE = {
    "job_type": "task_timing_v1",
    "domain_id": "the-domain",
    "query": {"ids": ["b", "a"], "data_type": "jpg"},
    "input": INPUT,
}


def changed(what, **changes):
    return {key: it for key, it in (what | changes).items() if it is not ...}


def job(**fields):
    made = pb.Job(id=JOB, type="task_timing_v1", state=pb.JOB_STATE_PENDING)
    made.create_time.FromDatetime(datetime(2025, 10, 11, 12, tzinfo=UTC))
    made.update_time.FromDatetime(datetime(2025, 10, 11, 12, 0, 0, 250_000, tzinfo=UTC))
    made.MergeFrom(pb.Job(**fields))
    return made


def sent_job(**fields):
    """A job as the room gives it back after `CREATE`."""
    asked, _ = tell(vlm_node.create(body(CREATE)), service_pb.CreateJobResponse(job=job()))
    return job(client_data=asked[0].request.client_data, **fields)


def refused(conversation, *answers):
    asked, response = tell(conversation, *answers)
    assert response.content_type.startswith("text/plain")
    return len(asked), response.status, response.body.decode()


def test_a_job_is_asked_for_in_the_contracts_words():
    (ask,), _ = tell(vlm_node.create(body(CREATE)), service_pb.CreateJobResponse(job=job()))
    assert (ask.service, ask.method) == ("JobService", "CreateJob")
    assert ask.request.type == "task_timing_v1"
    timing = ask.request.input.task_timing_v1
    assert timing.task == INPUT["prompt"]
    assert timing.image_prompt == INPUT["vlm_prompt"]
    assert [image.data for image in timing.images] == [b"pixels", b"pixels"]
    assert [image.id for image in timing.images] == ["", "second"]
    taken = timing.images[1].capture_time.ToDatetime(UTC)
    assert taken == datetime(2025, 10, 11, 12, 0, 5, tzinfo=UTC)


def test_a_job_comes_back_to_the_letter_but_for_the_pictures():
    _, response = tell(vlm_node.create(body(CREATE)), service_pb.CreateJobResponse(job=sent_job()))
    assert (response.status, response.content_type) == (200, "application/json")
    told = json.loads(response.body)
    assert list(told) == [
        "id", "status", "created_at", "updated_at", "domain_id", "query", "hash", "input",
        "output", "error", "job_type",
    ]  # fmt: skip
    images = [{}, {"id": "second", "timestamp": "2025-10-11T12:00:05Z"}]
    assert told == {
        "id": JOB,
        "status": "pending",
        "created_at": "2025-10-11T12:00:00Z",
        "updated_at": "2025-10-11T12:00:00.250Z",
        "domain_id": "the-domain",
        "query": CREATE["query"],
        "hash": "",
        "input": INPUT | {"images": images},
        "output": None,
        "error": None,
        "job_type": "task_timing_v1",
    }
    assert list(told["input"]) == list(INPUT), "the order of its keys is lost"


@pytest.mark.parametrize(
    ("row", "inside", "kind"),
    [
        ("task_timing_v1", ..., "task_timing_v1"),
        ("task_timing_v1", None, "task_timing_v1"),
        ("task_timing_v1", "", "task_timing_v1"),
        ("task_timing_v1", "task_timing_v1", "task_timing_v1"),
        ("vlm_only", ..., "vlm_only"),
        ("vlm_only", "vlm_only", "vlm_only"),
        ("", "vlm_only", "vlm_only"),
    ],
)
def test_the_type_stands_in_the_row_or_in_the_input_or_in_both(row, inside, kind):
    asked = changed(CREATE, job_type=row, input=changed(INPUT, job_type=inside))
    (ask,), _ = tell(vlm_node.create(body(asked)), service_pb.CreateJobResponse(job=job()))
    assert ask.request.type == kind
    assert ask.request.input.WhichOneof("input") == kind
    stored = job(client_data=ask.request.client_data)
    _, response = tell(
        vlm_node.read(Request(path={"id": JOB})), service_pb.GetJobResponse(job=stored)
    )
    assert json.loads(response.body)["job_type"] == row


def test_vlm_only_asks_the_vision_model_and_nothing_else():
    sent = changed(CREATE, job_type="vlm_only", input=changed(INPUT, prompt=...))
    (ask,), _ = tell(vlm_node.create(body(sent)), service_pb.CreateJobResponse(job=job()))
    only = ask.request.input.vlm_only
    assert only.prompt == INPUT["vlm_prompt"]
    assert [image.data for image in only.images] == [b"pixels", b"pixels"]


REAL = {
    "job_type": "vlm_only",
    "query": {"ids": ["the-photo"]},
    "domain_id": "the-domain",
    "input": {
        "job_type": "vlm_only",
        "prompt": "What is it?",
        "vlm_prompt": "What is it?",
        "webhook_url": "https://app.example/cvnode/response",
    },
}
"""As the client in use sends it: the photo has been uploaded to its domain before."""


@pytest.mark.parametrize("images", [..., None, []])
def test_without_pictures_they_are_fetched_from_the_domain(images):
    sent = changed(REAL, input=changed(REAL["input"], images=images))
    (ask,), _ = tell(vlm_node.create(body(sent)), service_pb.CreateJobResponse(job=job()))
    domain = ask.request.input.vlm_only.domain
    assert domain == job_input_pb2.DomainQuery(domain_id="the-domain", ids=["the-photo"])


def test_every_filter_of_the_query_goes_to_the_domain():
    query = {"ids": [], "name": "IMG", "data_type": "mentra-live-image"}
    sent = changed(CREATE, query=query, input=changed(INPUT, images=...))
    (ask,), _ = tell(vlm_node.create(body(sent)), service_pb.CreateJobResponse(job=job()))
    domain = ask.request.input.task_timing_v1.domain
    assert (list(domain.ids), domain.name, domain.data_type) == ([], "IMG", "mentra-live-image")


def test_pictures_that_come_along_are_not_fetched():
    (ask,), _ = tell(vlm_node.create(body(CREATE)), service_pb.CreateJobResponse(job=job()))
    assert not ask.request.input.task_timing_v1.HasField("domain")


@pytest.mark.parametrize("picture", ["https://p.example/a.jpg", {"data": "media://m1", "id": "x"}])
def test_a_picture_may_be_elsewhere_and_its_address_is_not_kept(picture):
    sent = changed(CREATE, input=INPUT | {"images": [picture]})
    (ask,), _ = tell(vlm_node.create(body(sent)), service_pb.CreateJobResponse(job=job()))
    (image,) = ask.request.input.task_timing_v1.images
    assert image.uri in ("https://p.example/a.jpg", "media://m1")
    assert "p.example" not in str(ask.request.client_data)


@pytest.mark.parametrize("url", [..., None, ""])
def test_nobody_is_told_where_no_webhook_is_named(url):
    sent = changed(CREATE, input=changed(INPUT, webhook_url=url))
    (ask,), _ = tell(vlm_node.create(body(sent)), service_pb.CreateJobResponse(job=job()))
    assert ask.request.webhook.url == ""


def test_a_webhook_speaks_as_vlm_nodes_does():
    (ask,), _ = tell(vlm_node.create(body(REAL)), service_pb.CreateJobResponse(job=job()))
    assert ask.request.webhook == pb.Webhook(
        url="https://app.example/cvnode/response", format=pb.WEBHOOK_FORMAT_VLM_NODE
    )


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"{", "Json deserialize error: "),
        (b"\xff", "Json deserialize error: "),
        (b"[" * 100_000, "Json deserialize error: "),
        (b'{"job_type": NaN}', "Json deserialize error: "),
        (b'{"job_type": "\\ud800"}', "Json deserialize error: "),
        (b"[]", "Json deserialize error: the body must be an object"),
        (changed(CREATE, job_type=...), "Json deserialize error: missing field `job_type`"),
        (changed(CREATE, domain_id=...), "Json deserialize error: missing field `domain_id`"),
        (changed(CREATE, query=...), "Json deserialize error: missing field `query`"),
        (changed(CREATE, input=...), "Json deserialize error: missing field `input`"),
        (
            changed(CREATE, domain_id=7),
            "Json deserialize error: domain_id: Input should be a valid string",
        ),
        (changed(CREATE, query=[]), "Json deserialize error: query must be an object"),
        (changed(CREATE, query={}), "Failed to parse query\nmissing field `query.ids`"),
        (changed(CREATE, query={"ids": [1]}), "Failed to parse query\nquery.ids.0: Input"),
        (changed(CREATE, query={"ids": [], "name": 1}), "Failed to parse query\nquery.name"),
        (changed(REAL, domain_id=""), "No data found\nthe job names no domain"),
        (changed(CREATE, domain_id="", input=INPUT | {"images": []}), "No data found\n"),
        (changed(CREATE, input="text"), "Json deserialize error: input must be an object"),
        (changed(CREATE, job_type="dance"), 'no job type "dance"; use one of task_timing_v1, vlm'),
        (changed(CREATE, job_type=""), 'no job type ""; use one of'),
        (
            changed(CREATE, input=INPUT | {"job_type": "vlm_only"}),
            'job_type is "task_timing_v1" and input.job_type is "vlm_only"; make them agree',
        ),
        (changed(CREATE, input=INPUT | {"job_type": ["x"]}), "input.job_type: Input should be"),
        (changed(CREATE, input=changed(INPUT, vlm_prompt=...)), "missing field `input.vlm_prompt`"),
        (changed(CREATE, input=INPUT | {"webhook_url": 7}), "input.webhook_url: Input should be"),
        (changed(CREATE, input=changed(INPUT, prompt=...)), "input.prompt: "),
        (changed(CREATE, input=changed(INPUT, vlm_prompt=3)), "input.vlm_prompt: "),
        (
            changed(CREATE, input=INPUT | {"images": "x"}),
            "input.images: Input should be a valid list",
        ),
        (changed(CREATE, input=INPUT | {"images": [IMAGE, "%"]}), "input.images[1]: is no base64"),
        (changed(CREATE, input=INPUT | {"images": [7]}), "input.images[0].data: is no text"),
        (
            changed(CREATE, input=INPUT | {"images": [{"data": IMAGE, "timestamp": "noon"}]}),
            "input.images[0].timestamp: is no time",
        ),
    ],
)
def test_what_cannot_be_a_job_is_refused_in_plain_text_before_a_room_is_asked(sent, says):
    asked, status, text = refused(vlm_node.create(body(sent)))
    assert (asked, status) == (0, 400)
    assert says in text


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [
        (
            errors.InvalidInput.field("input.task_timing_v1.images[3].data", "is no picture"),
            400,
            "input.images[3].data: is no picture",
        ),
        (errors.InvalidInput.field("input.task_timing_v1.task", "long"), 400, "input.prompt: long"),
        (errors.InvalidInput.field("webhook.url", "no"), 400, "input.webhook_url: no"),
        (errors.InvalidInput.field("input.vlm_only.domain", "no"), 400, "domain_id: no"),
        (
            errors.InvalidInput.field("input.vlm_only.domain.ids[3]", "long"),
            400,
            "query.ids[3]: long",
        ),
        (
            errors.Unavailable("the database is down", retry_after=timedelta(seconds=3)),
            503,
            "Failed to create job: the database is down",
        ),
        (errors.Exhausted("too much"), 429, "Failed to create job: too much"),
        (errors.Internal("a mistake"), 500, "Failed to create job: a mistake"),
    ],
)
def test_what_the_room_refuses_is_told_in_plain_text(raised, status, says):
    assert refused(vlm_node.create(body(CREATE)), raised) == (1, status, says)


def test_a_passing_failure_says_when_to_try_again():
    raised = errors.Unavailable("down", retry_after=timedelta(seconds=3))
    _, response = tell(vlm_node.create(body(CREATE)), raised)
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize("job_id", ["1", "nope", "f" * 24, "%00", "é"])
def test_an_id_that_is_no_uuid_is_a_job_that_is_not_found(job_id):
    asked = Request(path={"id": job_id})
    assert refused(vlm_node.read(asked)) == (0, 404, "Job not found")


def test_an_unknown_id_is_not_found():
    asked = Request(path={"id": JOB})
    assert refused(vlm_node.read(asked), errors.NotFound("no job")) == (1, 404, "Job not found")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PENDING", "pending"),
        ("RUNNING", "running"),
        ("CANCELLING", "cancelling"),
        ("COMPLETED", "completed"),
        ("FAILED", "failed"),
        ("CANCELLED", "cancelled"),
    ],
)
def test_every_state_has_its_status_both_ways(state, status):
    state = pb.JobState.Value(f"JOB_STATE_{state}")
    read = service_pb.GetJobResponse(job=job(state=state))
    _, response = tell(vlm_node.read(Request(path={"id": JOB})), read)
    assert json.loads(response.body)["status"] == status
    asked = Request(query={"limit": "1", "status": status})
    (ask,), _ = tell(vlm_node.list_jobs(asked), service_pb.ListJobsResponse())
    assert ask.request.state == state


def test_no_state_is_without_a_status():
    assert set(pb.JobState.values()) == {0, *vlm_node.wire.STATES.values()}


COMPLETED = {
    "state": pb.JOB_STATE_COMPLETED,
    "output": {
        "task_timing_v1": {
            "observations": [
                {"image_id": "a", "capture_time": {"seconds": 1760184000}, "text": 'a "box"'},
                {"image_id": "b", "text": "two\nlines, really"},
            ],
            "tasks": [
                {
                    "start_image_id": "a",
                    "end_image_id": "b",
                    "start_time": {"seconds": 1760184000},
                    "evidence_image_ids": ["a", "b"],
                    "task_id": "0",
                    "end": {"before_image_id": "b", "confidence": 0.5, "reason": "it ends"},
                    "open_end": True,
                    "interruptions": [{"start_image_id": "x", "end_image_id": "y"}],
                }
            ],
            "summary": "The task went on.",
        }
    },
}


def test_the_output_is_csv_that_can_be_read_and_text_and_tasks():
    read = service_pb.GetJobResponse(job=job(**COMPLETED))
    _, response = tell(vlm_node.read(Request(path={"id": JOB})), read)
    assert json.loads(response.body)["output"] == {
        "logs": (
            'id,timestamp,event\n"a","20251011_120000","a ""box"""\n"b","","two\nlines, really"'
        ),
        "temporal_output": "The task went on.",
        "tasks": [
            {
                "start": "2025-10-11T12:00:00Z",
                "end": None,
                "start_image_id": "a",
                "end_image_id": "b",
                "evidence_image_ids": ["a", "b"],
                "task": "0",
                "start_boundary": None,
                "end_boundary": {
                    "before_image_id": "b",
                    "after_image_id": "",
                    "confidence": 0.5,
                    "reason": "it ends",
                },
                "open_start": False,
                "open_end": True,
                "interruptions": [{"start_image_id": "x", "end_image_id": "y"}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("state", "reason", "error"),
    [
        ("FAILED", "NO_IMAGES", {"code": 400, "message": "why"}),
        ("FAILED", "NO_DATA", {"code": 400, "message": "why"}),
        (
            "FAILED",
            "DOMAIN_CLOSED",
            {"code": 400, "message": "Failed to download domain data: why"},
        ),
        ("FAILED", "ANYTHING", {"code": 100, "message": "why"}),
        ("PENDING", "ANYTHING", None),
    ],
)
def test_an_error_is_told_by_its_number_once_the_job_is_given_up(state, reason, error):
    failed = job(
        state=pb.JobState.Value(f"JOB_STATE_{state}"), error={"reason": reason, "message": "why"}
    )
    read = service_pb.GetJobResponse(job=failed)
    _, response = tell(vlm_node.read(Request(path={"id": JOB})), read)
    assert json.loads(response.body)["error"] == error


@pytest.mark.parametrize(
    "client_data", [{}, {"vlm_node": "text"}, {"vlm_node": {"query": "{"}}, {"query": "mine"}]
)
def test_a_job_that_came_in_by_another_way_is_told_too(client_data):
    made = job(input={"task_timing_v1": {"task": "stocking", "image_prompt": "what?"}})
    made.client_data.update(client_data)
    read = service_pb.GetJobResponse(job=made)
    _, response = tell(vlm_node.read(Request(path={"id": JOB})), read)
    told = json.loads(response.body)
    assert (told["domain_id"], told["query"]) == ("", {"ids": []})
    assert told["input"] == {"vlm_prompt": "what?", "prompt": "stocking", "webhook_url": ""}


def test_a_list_is_a_bare_array_with_the_clients_limit_and_offset():
    asked = Request(query={"limit": "2", "offset": "4", "job_type": "task_timing_v1"})
    page = service_pb.ListJobsResponse(jobs=[job(), job()], next_page_token="more")
    (ask,), response = tell(vlm_node.list_jobs(asked), page)
    assert ask.request == service_pb.ListJobsRequest(page_size=2, skip=4, type="task_timing_v1")
    assert [it["id"] for it in json.loads(response.body)] == [JOB, JOB]


def test_a_long_list_is_read_page_by_page():
    first = service_pb.ListJobsResponse(jobs=[job()] * 100, next_page_token="second")
    second = service_pb.ListJobsResponse(jobs=[job()] * 20)
    asked = Request(query={"limit": "150", "offset": "7", "status": "failed"})
    asks, response = tell(vlm_node.list_jobs(asked), first, second)
    assert [ask.request for ask in asks] == [
        service_pb.ListJobsRequest(page_size=100, skip=7, state=pb.JOB_STATE_FAILED),
        service_pb.ListJobsRequest(page_size=50, page_token="second", state=pb.JOB_STATE_FAILED),
    ]
    assert len(json.loads(response.body)) == 120


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "5", "status": "uploading"},
        {"limit": "5", "job_type": "unheard_of"},
    ],
)
def test_a_list_that_must_be_empty_asks_nobody(query):
    asked, response = tell(vlm_node.list_jobs(Request(query=query)))
    assert (asked, response.status, response.body) == ([], 200, b"[]")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({}, "missing field `limit`"),
        ({"limit": "many"}, "Query deserialize error: limit: Input should be"),
        ({"limit": "-1"}, "Query deserialize error: limit: Input should be"),
        ({"limit": "1000000"}, "Query deserialize error: limit: Input should be"),
        ({"limit": "\u0661"}, "Query deserialize error: limit: Input should be"),
        ({"limit": "1", "offset": "x"}, "offset: Input should be a valid integer"),
        ({"limit": "1", "status": "asleep"}, "status: Input should be 'pending', 'running'"),
    ],
)
def test_a_bad_query_is_refused_in_plain_text(query, says):
    asked, status, text = refused(vlm_node.list_jobs(Request(query=query)))
    assert (asked, status) == (0, 400)
    assert says in text


def put(**changes):
    sent = changed({"job_type": "task_timing_v1", "input": INPUT}, **changes)
    return Request(body=json.dumps(sent).encode(), path={"id": JOB})


def test_a_retry_replaces_the_input_and_keeps_what_else_was_sent():
    again = {"prompt": "A ladder stands there", "vlm_prompt": "What?", "webhook_url": ""}
    stored = sent_job(state=pb.JOB_STATE_FAILED)
    stored.client_data["own"] = "kept"
    (_, ask), response = tell(
        vlm_node.retry(put(input=again, query={"ids": ["ignored"]})),
        service_pb.GetJobResponse(job=stored),
        service_pb.RetryJobResponse(job=stored),
    )
    assert (ask.method, ask.request.id) == ("RetryJob", JOB)
    timing = ask.request.input.task_timing_v1
    assert (timing.task, timing.image_prompt) == ("A ladder stands there", "What?")
    assert list(timing.images) == []
    assert response.status == 200
    revised = job(client_data=ask.request.client_data)
    assert revised.client_data["own"] == "kept"
    _, response = tell(
        vlm_node.read(Request(path={"id": JOB})), service_pb.GetJobResponse(job=revised)
    )
    told = json.loads(response.body)
    assert (told["input"], told["query"]) == (again, CREATE["query"])


def test_a_retry_without_pictures_fetches_what_the_job_fetched():
    stored = job(type="vlm_only", state=pb.JOB_STATE_FAILED)
    stored.input.vlm_only.domain.domain_id = "the-domain"
    (_, ask), _ = tell(
        vlm_node.retry(put(job_type="vlm_only", input=REAL["input"])),
        service_pb.GetJobResponse(job=stored),
        service_pb.RetryJobResponse(job=stored),
    )
    assert ask.request.input.vlm_only.domain.domain_id == "the-domain"
    assert ask.request.webhook.url == REAL["input"]["webhook_url"]


def test_a_retry_without_a_webhook_tells_nobody_any_more():
    stored = sent_job(state=pb.JOB_STATE_FAILED)
    (_, ask), _ = tell(
        vlm_node.retry(put(input=INPUT | {"webhook_url": ""})),
        service_pb.GetJobResponse(job=stored),
        service_pb.RetryJobResponse(job=stored),
    )
    assert ask.request.HasField("webhook")
    assert ask.request.webhook.url == ""


FOUND = service_pb.GetJobResponse(job=job(state=pb.JOB_STATE_RUNNING))


@pytest.mark.parametrize(
    ("request_", "answers", "refusal"),
    [
        (put(), [errors.NotFound("no")], (1, 404, "Job not found")),
        (put(job_type="other"), [FOUND], (1, 400, "Job type mismatch")),
        (
            put(),
            [FOUND, errors.Precondition("the job runs")],
            (2, 400, "Only failed or cancelled jobs can be retried"),
        ),
        (put(), [FOUND, errors.Internal("no")], (2, 500, "Failed to update job status: no")),
        (put(input=...), [], (0, 400, "Json deserialize error: missing field `input`")),
    ],
)
def test_a_retry_is_refused_in_vlm_nodes_words(request_, answers, refusal):
    assert refused(vlm_node.retry(request_), *answers) == refusal
