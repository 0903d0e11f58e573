"""The stack runs already; its addresses come from the environment."""

import os
import time

import grpc
import pytest
from armada.jobservice import jobservice_pb2, jobservice_pb2_grpc
from armada_client.client import ArmadaClient

# A call without a deadline would hang as long as the service does.
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
    """Polls as the operator does, on after CONNECTION_ERR: the name of the state, and the error."""

    def ask(queue, job_set_id, job_id):
        request = jobservice_pb2.JobServiceRequest(queue=queue, job_set_id=job_set_id, job_id=job_id)

        def once():
            response = job_service.GetJobStatus(request, timeout=CALL_SECONDS)
            return jobservice_pb2.JobServiceResponse.State.Name(response.state), response.error

        return eventually(once, lambda answer: answer[0] != "CONNECTION_ERR")

    return ask


@pytest.fixture(scope="session")
def eventually():
    """Asks until the answer is the one waited for, or a deadline has passed."""

    def wait(ask, is_it, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            answer = ask()
            if is_it(answer):
                return answer
            assert time.monotonic() < deadline, f"not within {seconds} s; last: {answer}"
            time.sleep(0.02)

    return wait
