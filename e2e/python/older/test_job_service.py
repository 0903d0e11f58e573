"""Armada's real Python clients against the built applications: the stubs of armada-airflow 0.5.6 and armada-client 0.3.4."""

import base64
import json
import os
import pathlib

import grpc
import pytest
from conftest import CALL_SECONDS
from armada.jobservice import jobservice_pb2
from armada_client.armada import event_pb2
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core_v1
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as api_resource
from google.protobuf import empty_pb2

RECORDINGS = sorted(pathlib.Path(os.environ["RECORDINGS"]).glob("*.jsonl"))
LEGACY = {"PREEMPTED": "FAILED", "REJECTED": "FAILED"}
QUEUE = "python"
# Armada refuses a container without resources.
QUANTITIES = {"cpu": api_resource.Quantity(string="100m"), "memory": api_resource.Quantity(string="64Mi")}
RESOURCES = core_v1.ResourceRequirements(requests=QUANTITIES, limits=QUANTITIES)


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_every_recording_gives_the_states_armada_gave(file, poll):
    status = json.loads(file.with_suffix(".status.json").read_text())
    with file.open() as lines:
        first = json.loads(next(lines))
    message = event_pb2.EventStreamMessage.FromString(base64.b64decode(first["message_b64"]))
    submitted = message.message.submitted
    for job_id, state in status["job_states"].items():
        answered, error = poll(submitted.queue, submitted.job_set_id, job_id)
        assert answered == LEGACY.get(state, state)
        reason = status["job_errors"][job_id]
        # An event may hold more than Armada's api.Jobs answers: after a retry, the verdict of the policy around the reason.
        if reason:
            assert reason in error
        else:
            assert error == ""


def submit(armada, job_set_id, command):
    container = core_v1.Container(name="main", image="busybox", args=["sh", "-c", command], resources=RESOURCES)
    item = armada.create_job_request_item(priority=1, pod_spec=core_v1.PodSpec(containers=[container]), namespace="default")
    response = armada.submit_jobs(queue=QUEUE, job_set_id=job_set_id, job_request_items=[item])
    return response.job_response_items[0].job_id


def test_a_submitted_job_is_followed_to_its_success(armada, poll, eventually):
    job_id = submit(armada, "succeeds", "exit 0")
    seen = []

    def poll_once():
        seen.append(poll(QUEUE, "succeeds", job_id)[0])
        return seen[-1]

    eventually(poll_once, lambda state: state == "SUCCEEDED")
    assert set(seen) <= {"SUBMITTED", "RUNNING", "SUCCEEDED"}
    assert seen == sorted(seen, key=["SUBMITTED", "RUNNING", "SUCCEEDED"].index)


def test_a_submitted_job_is_followed_to_its_failure(armada, poll, eventually):
    job_id = submit(armada, "fails", "exit 3")
    _, error = eventually(lambda: poll(QUEUE, "fails", job_id), lambda answer: answer[0] == "FAILED")
    assert "exit code 3" in error


def test_a_cancelled_job_is_cancelled(armada, poll, eventually):
    job_id = submit(armada, "cancelled", "exit 0")
    armada.cancel_jobs(queue=QUEUE, job_set_id="cancelled", job_id=job_id)
    eventually(lambda: poll(QUEUE, "cancelled", job_id), lambda answer: answer[0] == "CANCELLED")


def test_a_job_that_does_not_exist_is_not_found(poll):
    assert poll(QUEUE, "empty", "nobody") == ("JOB_ID_NOT_FOUND", "")


@pytest.mark.parametrize("field", ["job_id", "job_set_id", "queue"])
def test_a_request_that_lacks_a_field_is_rejected_and_names_it(field, job_service):
    names = {"job_id": "j", "job_set_id": "s", "queue": "q", field: ""}
    with pytest.raises(grpc.RpcError) as refused:
        job_service.GetJobStatus(jobservice_pb2.JobServiceRequest(**names), timeout=CALL_SECONDS)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith(f"{field} is empty")


def test_trailing_metadata_shows_the_freshness(job_service, poll):
    request = jobservice_pb2.JobServiceRequest(job_id="nobody", job_set_id="empty", queue=QUEUE)
    poll(QUEUE, "empty", "nobody")
    _, call = job_service.GetJobStatus.with_call(request, timeout=CALL_SECONDS)
    trailers = dict(call.trailing_metadata())
    assert trailers["armada-job-set-subscription"] == "live"
    assert trailers["armada-job-set-synced-at"].endswith("Z")


def test_health_is_serving(job_service):
    assert job_service.Health(empty_pb2.Empty(), timeout=CALL_SECONDS).status == jobservice_pb2.HealthCheckResponse.SERVING
