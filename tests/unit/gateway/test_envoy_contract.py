from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.envoy import contract

CONTRACT = FileDescriptorSet.FromString(contract.load())


def test_every_room_is_known_with_its_services():
    rooms = {room.name: room for room in contract.rooms(CONTRACT)}
    assert list(rooms) == ["audio", "jobs", "reasoning", "vision"]
    assert set(rooms["jobs"].services) == {
        f"mesh.jobs.v1.{name}Service" for name in ("Job", "Media", "Session", "Webhook")
    }


def test_every_call_that_streams_in_either_way_is_known():
    streams = {path for room in contract.rooms(CONTRACT) for path in room.streams}
    assert streams == {
        "/mesh.audio.v1.AudioService/Transcribe",
        "/mesh.audio.v1.AudioService/TranscribeUploadStream",
        "/mesh.audio.v1.AudioService/TranscribeRecording",
        "/mesh.jobs.v1.JobService/WatchJob",
        "/mesh.jobs.v1.MediaService/UploadStream",
        "/mesh.jobs.v1.SessionService/AnalyzeAudio",
        "/mesh.reasoning.v1.ReasoningService/GenerateStream",
        "/mesh.vision.v1.VisionService/GenerateStream",
        "/mesh.vision.v1.VisionService/Watch",
    }


def test_the_body_of_a_call_whose_requests_stream_is_sent_on_in_parts():
    assert contract.streamed_bodies(CONTRACT) == [
        "/mesh/v1/audio:transcribeStream",
        "/mesh/v1/media:uploadStream",
    ]


def test_bodies_are_those_made_of_named_fields():
    bodies = {body.template: body for body in contract.bodies(CONTRACT)}
    assert bodies["/mesh/v1/jobs/{id}:retry"] == contract.Body(
        "POST", "/mesh/v1/jobs/{id}:retry", "mesh.jobs.v1.RetryJobRequest"
    )
    assert "/mesh/v1/vision:describeUpload" not in bodies


def test_fields_lead_to_messages_of_the_mesh_and_end_at_everything_else():
    fields = contract.fields(CONTRACT)
    assert fields["mesh.jobs.v1.CreateJobRequest"] == {
        "request_id": contract.FREE,
        "requestId": contract.FREE,
        "type": contract.FREE,
        "input": "mesh.jobs.v1.JobInput",
        "client_data": contract.FREE,
        "clientData": contract.FREE,
        "priority": contract.FREE,
        "run_after_time": contract.FREE,
        "runAfterTime": contract.FREE,
        "webhook": "mesh.jobs.v1.Webhook",
    }
    inner = {name for message in fields.values() for name in message.values()}
    assert inner - {contract.FREE} <= fields.keys()
