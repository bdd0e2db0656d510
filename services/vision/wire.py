"""Between the contract and the words of the vision room. Total, and without I/O."""

from mesh.types.v1 import usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from services.engine import wire as chat
from services.vision.domain import Description, Generated


def generated_to_pb(generated: Generated) -> pb.GenerateResponse:
    """Write the answer to a conversation."""
    return pb.GenerateResponse(
        text=generated.answer.text,
        finish_reason=chat.finish_reason_to_pb(generated.answer.finish_reason),
        usage=_usage_to_pb(generated),
        model=generated.answer.model,
    )


def description_to_pb(description: Description) -> pb.DescribeResponse:
    """Write a picture in words."""
    return pb.DescribeResponse(
        description=description.answer.text,
        width=description.width,
        height=description.height,
        usage=_usage_to_pb(description),
        model=description.answer.model,
    )


def upload_description_to_pb(description: Description) -> pb.DescribeUploadResponse:
    """Write an uploaded picture in words."""
    return pb.DescribeUploadResponse(
        description=description.answer.text,
        width=description.width,
        height=description.height,
        usage=_usage_to_pb(description),
        model=description.answer.model,
    )


def _usage_to_pb(given: Generated | Description) -> usage_pb2.Usage:
    answer = given.answer
    return chat.usage_to_pb(answer.input_tokens, answer.output_tokens, given.processing_time)
