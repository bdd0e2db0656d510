"""Webhooks: what is kept of each message about a job's end, and how it comes to its receiver.

That a message is to be sent is written by whatever ends the job, in the same statement: here begins
what happens after that.
"""
