"""The job service as gRPC sees it: each method reads, asks the core, and writes."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1 import job_service_pb2_grpc as pb_grpc

from services.chassis.middleware import Context
from services.jobs import wire
from services.jobs.core import Jobs
from services.jobs.domain import JobId


class JobServicer(pb_grpc.JobServiceServicer):
    """Serves jobs."""

    def __init__(self, core: Jobs) -> None:
        self._core = core

    async def CreateJob(
        self, request: pb.CreateJobRequest, context: Context
    ) -> pb.CreateJobResponse:
        """Accept a job."""
        job = await self._core.create(
            request.type,
            wire.draft_from_pb(request.input),
            client_data=_attached(request),
            request_id=request.request_id,
            priority=request.priority,
            run_after=_run_after(request),
            webhook=wire.webhook_from_pb(request.webhook) if request.webhook.url else None,
        )
        return pb.CreateJobResponse(job=wire.job_to_pb(job))

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """Tell of one job."""
        return pb.GetJobResponse(job=wire.job_to_pb(await self._core.get(_job_id(request))))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """Tell of many jobs."""
        page = await self._core.list(
            size=request.page_size,
            token=request.page_token,
            skip=request.skip,
            type=request.type,
            state=wire.state_from_pb(request.state),
        )
        jobs = map(wire.job_to_pb, page.jobs)
        return pb.ListJobsResponse(jobs=jobs, next_page_token=page.next_token)

    async def RetryJob(self, request: pb.RetryJobRequest, context: Context) -> pb.RetryJobResponse:
        """Send a job back to work."""
        draft = wire.draft_from_pb(request.input) if request.HasField("input") else None
        webhook = wire.webhook_from_pb(request.webhook) if request.HasField("webhook") else None
        job = await self._core.retry(
            _job_id(request), draft=draft, client_data=_attached(request), webhook=webhook
        )
        return pb.RetryJobResponse(job=wire.job_to_pb(job))

    async def CancelJob(
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """Stop a job."""
        return pb.CancelJobResponse(job=wire.job_to_pb(await self._core.cancel(_job_id(request))))

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Follow a job to its end."""
        async for news in self._core.watch(_job_id(request), after=request.after_sequence):
            job = wire.job_to_pb(news.job, with_input=False, with_output=news.is_last)
            event = wire.event_to_pb(news.event) if news.event else None
            yield pb.WatchJobResponse(event=event, job=job)

    async def GetQueueStats(
        self, request: pb.GetQueueStatsRequest, context: Context
    ) -> pb.GetQueueStatsResponse:
        """Tell how much work waits and runs."""
        stats = await self._core.stats()
        return wire.stats_to_pb(stats)


def _job_id(
    request: pb.GetJobRequest | pb.RetryJobRequest | pb.CancelJobRequest | pb.WatchJobRequest,
) -> JobId:
    return JobId(UUID(request.id))


def _run_after(request: pb.CreateJobRequest) -> datetime | None:
    if not request.HasField("run_after_time"):
        return None
    return wire.time_from_pb(request.run_after_time, "run_after_time")


def _attached(request: pb.CreateJobRequest | pb.RetryJobRequest) -> Any:
    if not request.HasField("client_data"):
        return None
    return wire.client_data_from_pb(request.client_data)
