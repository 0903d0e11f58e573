"""The stack runs already; its one address comes from the environment."""

import os
import time

import grpc
import pytest
from armada_client.client import ArmadaClient

# A call without a deadline would hang as long as the service does.
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
    """The operator's client, as it is, with the query as its one target."""
    return connect()


@pytest.fixture(scope="session")
def gzip_client():
    return connect(compression=grpc.Compression.Gzip)


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
