"""Polls jobs that run with the clients of armada-airflow 0.5.6: older.py SERVICE HEADLESS RESOLVE_MS QUEUE JOB_SET JOB_ID..."""

import itertools
import sys

import grpc
from armada.jobservice import jobservice_pb2, jobservice_pb2_grpc
from armada.operators.jobservice import get_retryable_job_service_client
from pollers import CALL_SECONDS, Pollers

service, headless, resolve_ms, queue, job_set_id, *job_ids = sys.argv[1:]
# As docs/kubernetes.md has it, and how often the name is resolved at most: by default every 30 s.
round_robin = [
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.dns_min_time_between_resolutions_ms", int(resolve_ms)),
]
requests = itertools.cycle(
    [jobservice_pb2.JobServiceRequest(queue=queue, job_set_id=job_set_id, job_id=job_id) for job_id in job_ids]
)


def judge(response):
    state = jobservice_pb2.JobServiceResponse.State.Name(response.state)
    return None if state == "RUNNING" else f"{state} {response.error}"


def poll_with(channel):
    stub = jobservice_pb2_grpc.JobServiceStub(channel)
    return lambda: judge(stub.GetJobStatus(next(requests), timeout=CALL_SECONDS))


def poll_anew():
    with grpc.insecure_channel(service) as channel:
        return poll_with(channel)()


def poll_as_operator(client):
    def poll():
        request = next(requests)
        return judge(client.get_job_status(request.queue, request.job_set_id, request.job_id))

    return poll


pollers = Pollers()
pollers.add("the operator, by the Service", poll_as_operator(get_retryable_job_service_client(service)))
pollers.add("a channel without retries, by the Service", poll_with(grpc.insecure_channel(service)))
pollers.add("a channel for each poll, by the Service", poll_anew)
pollers.add("round_robin, by the headless Service", poll_with(grpc.insecure_channel(headless, options=round_robin)))
pollers.wait()
