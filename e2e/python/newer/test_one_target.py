"""The calls of Armada's newer Airflow operator, made by its real client (armada-client 0.5.0), with the query as the only target."""

import uuid

import grpc
import pytest
from armada_client.armada import submit_pb2
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core_v1
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as api_resource
from armada_client.typings import JobState

QUEUE = "python"
URI_ANNOTATION = "armadaproject.io/externalJobUri"
# Armada refuses a container without resources.
QUANTITIES = {"cpu": api_resource.Quantity(string="100m"), "memory": api_resource.Quantity(string="64Mi")}
RESOURCES = core_v1.ResourceRequirements(requests=QUANTITIES, limits=QUANTITIES)


def item(command, **fields):
    container = core_v1.Container(name="main", image="busybox", args=["sh", "-c", command], resources=RESOURCES)
    pod_spec = core_v1.PodSpec(containers=[container])
    return submit_pb2.JobSubmitRequestItem(priority=1, pod_spec=pod_spec, namespace="default", **fields)


@pytest.fixture
def job_set_id():
    return f"run-{uuid.uuid4()}"


@pytest.fixture
def submit(client, job_set_id):
    def submit_one(command, **fields):
        response = client.submit_jobs(QUEUE, job_set_id, [item(command, **fields)])
        (answer,) = response.job_response_items
        assert answer.error == ""
        return answer.job_id

    return submit_one


@pytest.fixture
def state_of(client):
    """The state of one job as the operator reads it: the answer must have the id."""
    return lambda job_id: JobState(client.get_job_status([job_id]).job_states[job_id])


def test_a_submitted_job_is_answered_at_once_and_followed_to_its_success(submit, state_of, eventually):
    job_id = submit("exit 0")
    seen = []

    def poll():
        seen.append(state_of(job_id))
        return seen[-1]

    eventually(poll, lambda state: state == JobState.SUCCEEDED)
    order = [JobState.QUEUED, JobState.LEASED, JobState.PENDING, JobState.RUNNING, JobState.SUCCEEDED]
    assert seen == sorted(seen, key=order.index)


def test_a_failed_job_has_its_reason(client, submit, state_of, eventually):
    job_id = submit("exit 3")
    eventually(lambda: state_of(job_id), lambda state: state == JobState.FAILED)
    assert "exit code 3" in client.get_job_errors([job_id]).job_errors[job_id]


def test_a_running_job_has_its_run_and_cluster(client, submit, state_of, eventually, job_set_id):
    job_id = submit("sleep infinity")
    eventually(lambda: state_of(job_id), lambda state: state == JobState.RUNNING)

    def details():
        return client.get_job_details([job_id]).job_details[job_id]

    job = eventually(details, lambda job: job.latest_run_id != "")
    assert (job.job_id, job.queue, job.jobset) == (job_id, QUEUE, job_set_id)
    assert JobState(job.state) == JobState.RUNNING
    assert job.submitted_ts.seconds > 0
    (run,) = [run for run in job.job_runs if run.run_id == job.latest_run_id]
    assert run.cluster != ""


@pytest.mark.parametrize("as_annotation", [True, False], ids=["its annotation", "its own field"])
def test_a_retry_finds_the_job_by_the_external_uri(as_annotation, client, submit, job_set_id):
    uri = f"airflow://dag/task/{job_set_id}/-1"
    fields = {"annotations": {URI_ANNOTATION: uri}} if as_annotation else {"external_job_uri": uri}
    job_id = submit("sleep infinity", **fields)
    found = client.get_job_status_by_external_job_uri(QUEUE, job_set_id, uri).job_states
    assert list(found) == [job_id]
    assert JobState(found[job_id]) != JobState.UNKNOWN
    assert client.get_job_details(list(found)).job_details[job_id].submitted_ts.seconds > 0


def test_a_retry_that_finds_no_job_may_submit_one(client, job_set_id):
    found = client.get_job_status_by_external_job_uri(QUEUE, job_set_id, "airflow://dag/other/run/-1").job_states
    assert dict(found) == {}
    # The operator goes on and requests the details of no job at all.
    assert dict(client.get_job_details(list(found)).job_details) == {}


def test_a_job_is_cancelled_and_has_no_error(client, submit, state_of, eventually, job_set_id):
    job_id = submit("sleep infinity")
    assert list(client.cancel_jobs(QUEUE, job_set_id, job_id).cancelled_ids) == [job_id]
    eventually(lambda: state_of(job_id), lambda state: state == JobState.CANCELLED)
    assert client.get_job_errors([job_id]).job_errors.get(job_id, "") == ""


def test_every_requested_id_is_answered(client, submit):
    ours = [submit("sleep infinity"), submit("exit 0")]
    strangers = [f"stranger-{number}" for number in range(100)]
    states = client.get_job_status(ours + strangers + ours).job_states
    assert set(states) == {*ours, *strangers}
    assert all(JobState(states[job_id]) == JobState.UNKNOWN for job_id in strangers)
    assert all(JobState(states[job_id]) != JobState.UNKNOWN for job_id in ours)


def test_an_error_of_armada_is_passed_on_unchanged(client):
    with pytest.raises(grpc.RpcError) as refused:
        client.submit_jobs("no-such-queue", "s", [item("exit 0")])
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert "no-such-queue" in refused.value.details()


def test_compressed_calls_are_served(gzip_client, job_set_id):
    response = gzip_client.submit_jobs(QUEUE, job_set_id, [item("exit 0")])
    job_id = response.job_response_items[0].job_id
    assert list(gzip_client.get_job_status([job_id]).job_states) == [job_id]
