"""The room that keeps work: jobs that outlive their client, their worker and their engine."""
