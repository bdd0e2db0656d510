"""Between the contract and the words of the reasoning room. Total, and without I/O."""

from dataclasses import replace

from google.protobuf.struct_pb2 import Struct
from mesh.reasoning.v1 import reasoning_service_pb2 as pb
from mesh.types.v1 import chat_pb2

from services.engine import wire as chat
from services.engine.domain import Sampling, TokenCounts
from services.reasoning.domain import Chosen, Extracted, Generated


def exact_sampling_from_pb(sampling: chat_pb2.Sampling) -> Sampling:
    """Read how an object shall be drawn: the likeliest tokens, where nothing else is said."""
    read = chat.sampling_from_pb(sampling)
    return replace(read, temperature=0.0) if read.temperature is None else read


def generated_to_pb(generated: Generated) -> pb.GenerateResponse:
    """Write the answer to a conversation."""
    answer = generated.answer
    return pb.GenerateResponse(
        text=answer.text,
        finish_reason=chat.finish_reason_to_pb(answer.finish_reason),
        usage=chat.usage_to_pb(
            answer.input_tokens, answer.output_tokens, generated.processing_time
        ),
        model=answer.model,
    )


def chosen_to_pb(chosen: Chosen) -> pb.ChooseResponse:
    """Write how likely each answer is."""
    return pb.ChooseResponse(
        probabilities=chosen.probabilities,
        weighed=chosen.weighed,
        usage=chat.usage_to_pb(chosen.input_tokens, chosen.output_tokens, chosen.processing_time),
        model=chosen.model,
    )


def counts_to_pb(counted: TokenCounts) -> pb.CountTokensResponse:
    """Write how long texts are."""
    return pb.CountTokensResponse(
        counts=counted.counts, exact=counted.exact, context_tokens=counted.context_tokens
    )


def extracted_to_pb(extracted: Extracted) -> pb.ExtractResponse:
    """Write an answer in JSON."""
    value = Struct()
    value.update(extracted.value)
    usage = chat.usage_to_pb(
        extracted.input_tokens, extracted.output_tokens, extracted.processing_time
    )
    return pb.ExtractResponse(value=value, usage=usage, model=extracted.model)
