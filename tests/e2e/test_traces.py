from tests.doubles.otlp import by
from tests.e2e import clients


async def test_a_call_is_one_tree_from_envoy_to_the_engine(mesh, collector):
    picture = clients.jpeg(clients.sequence().frames[0])
    async with mesh.http.post("/mesh/v1/vision:describeUpload", data=picture) as answer:
        assert answer.status == 200
    tree = await collector.wait_for_path(
        by("gateway"), by("vision", "DescribeUpload"), by("vision", "POST")
    )
    assert len({span.trace_id for span in tree}) == 1


async def test_a_job_reaches_the_database_and_the_engines_in_traces(mesh, collector):
    picture = clients.jpeg(clients.sequence().frames[0])
    job = await clients.create(mesh.http, clients.caption_job(picture))
    await clients.finished(mesh.http, job["id"])
    await collector.wait_for_path(by("gateway"), by("jobs", "CreateJob"), by("jobs", "sensorium"))
    await collector.wait_for_path(by("worker"), by("vision", "Describe"), by("vision", "POST"))


async def test_nothing_that_a_user_sent_is_in_a_span(mesh, collector):
    asked = {"messages": [{"role": "ROLE_USER", "parts": [{"text": "the secret is xyzzy"}]}]}
    asked["sampling"] = {"max_tokens": 8}
    async with mesh.http.post("/mesh/v1/reasoning:generate", json=asked) as answer:
        assert answer.status == 200, await answer.text()
    await collector.wait_for_path(by("gateway"), by("reasoning", "Generate"))
    assert not [span for span in collector.spans if "xyzzy" in f"{span.name} {span.attributes}"]
