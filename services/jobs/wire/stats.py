"""How much work there is."""

from mesh.jobs.v1 import job_service_pb2 as pb

from services.jobs.domain import QueueStats
from services.jobs.wire.jobs import state_to_pb
from services.jobs.wire.times import seconds_to_pb


def stats_to_pb(stats: QueueStats) -> pb.GetQueueStatsResponse:
    """Write stats."""
    age = stats.longest_due
    return pb.GetQueueStatsResponse(
        pending_jobs=stats.pending,
        running_jobs=stats.running,
        oldest_pending_age=None if age is None else seconds_to_pb(age.total_seconds()),
        counts=[
            pb.JobCount(type=kind, state=state_to_pb(state), jobs=jobs)
            for (kind, state), jobs in sorted(stats.counts.items())
        ],
    )
