"""The stack is already running; its only address comes from the environment."""

import os
import time

import grpc
import pytest
from armada_client.client import ArmadaClient

# A call without a deadline would hang for as long as the service does.
CALL_SECONDS = 20


class Deadline(grpc.UnaryUnaryClientInterceptor):
    """ArmadaClient's calls have no deadline."""

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(details._replace(timeout=CALL_SECONDS), request)


def connect(**options):
    channel = grpc.insecure_channel(os.environ["QUERY_ADDRESS"], **options)
    return ArmadaClient(grpc.intercept_channel(channel, Deadline()))


@pytest.fixture(scope="session")
def client():
    """The operator's client, unmodified, with the query as its only target."""
    return connect()


@pytest.fixture(scope="session")
def gzip_client():
    return connect(compression=grpc.Compression.Gzip)


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
