"""Polls jobs that run with the client of the newer operator, armada-client 0.5.0: newer.py SERVICE JOB_ID..."""

import sys

import grpc
from armada_client.client import ArmadaClient
from armada_client.typings import JobState
from pollers import Pollers

service, *job_ids = sys.argv[1:]


def poll_with(channel):
    client = ArmadaClient(channel)

    def poll():
        states = client.get_job_status(job_ids).job_states
        wrong = {job_id: states.get(job_id) for job_id in job_ids if states.get(job_id) != JobState.RUNNING.value}
        return f"{wrong}" if wrong else None

    return poll


def poll_anew():
    with grpc.insecure_channel(service) as channel:
        return poll_with(channel)()


pollers = Pollers()
pollers.add("the operator, by the Service", poll_with(grpc.insecure_channel(service)))
pollers.add("the deferred operator, by the Service", poll_anew)
pollers.wait()
