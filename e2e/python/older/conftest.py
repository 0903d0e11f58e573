"""The stack is already running; its addresses come from the environment."""

import os
import time

import grpc
import pytest
from armada.jobservice import jobservice_pb2, jobservice_pb2_grpc
from armada_client.client import ArmadaClient

# A call without a deadline would hang for as long as the service does.
CALL_SECONDS = 10


@pytest.fixture(scope="session")
def query_channel():
    with grpc.insecure_channel(os.environ["QUERY_ADDRESS"]) as channel:
        yield channel


@pytest.fixture(scope="session")
def job_service(query_channel):
    return jobservice_pb2_grpc.JobServiceStub(query_channel)


@pytest.fixture(scope="session")
def armada():
    with grpc.insecure_channel(os.environ["ARMADA_ADDRESS"]) as channel:
        yield ArmadaClient(channel)


@pytest.fixture(scope="session")
def poll(job_service, eventually):
    """Polls like the operator, which goes on after CONNECTION_ERR; returns the name of the state, and the error."""

    def poll_job(queue, job_set_id, job_id):
        request = jobservice_pb2.JobServiceRequest(queue=queue, job_set_id=job_set_id, job_id=job_id)

        def once():
            response = job_service.GetJobStatus(request, timeout=CALL_SECONDS)
            return jobservice_pb2.JobServiceResponse.State.Name(response.state), response.error

        return eventually(once, lambda answer: answer[0] != "CONNECTION_ERR")

    return poll_job


@pytest.fixture(scope="session")
def eventually():
    """Calls until the answer is the expected one, or a deadline has passed."""

    def wait(call, is_expected, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            answer = call()
            if is_expected(answer):
                return answer
            assert time.monotonic() < deadline, f"not within {seconds} s; last: {answer}"
            time.sleep(0.02)

    return wait
