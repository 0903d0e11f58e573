"""Runs Armada's real older operator (armada-airflow 0.5.6) through a DAG that succeeds and one that fails.

The addresses come from the environment: QUERY_ADDRESS, ARMADA_ADDRESS. Ends with 0 if both went as they should.
"""

import logging
import os
import sys

import pendulum
from airflow import DAG
from airflow.utils.state import DagRunState
from armada.operators.armada import ArmadaOperator
from armada_client.armada import submit_pb2
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core_v1
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as api_resource

# Armada refuses a container without resources.
QUANTITIES = {"cpu": api_resource.Quantity(string="100m"), "memory": api_resource.Quantity(string="64Mi")}
RESOURCES = core_v1.ResourceRequirements(requests=QUANTITIES, limits=QUANTITIES)


class Heard(logging.Handler):
    """Keeps what the operators log."""

    def __init__(self):
        super().__init__()
        self.text = ""

    def emit(self, record):
        self.text += record.getMessage() + "\n"


def run(name, command):
    """Runs a DAG of one task; gives how it ended, and what the operator logged."""
    container = core_v1.Container(name="main", image="busybox", args=["sh", "-c", command], resources=RESOURCES)
    item = submit_pb2.JobSubmitRequestItem(
        priority=1, pod_spec=core_v1.PodSpec(containers=[container]), namespace="default"
    )
    with DAG(dag_id=name, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), schedule=None) as dag:
        ArmadaOperator(
            task_id=name,
            name=name,
            armada_channel_args={"target": os.environ["ARMADA_ADDRESS"]},
            job_service_channel_args={"target": os.environ["QUERY_ADDRESS"]},
            armada_queue="demo",
            job_request_items=[item],
            poll_interval=1,
        )
    heard = Heard()
    logging.getLogger("airflow.task").addHandler(heard)
    try:
        state = dag.test(execution_date=pendulum.now("UTC")).state
    finally:
        logging.getLogger("airflow.task").removeHandler(heard)
    return state, heard.text


def main():
    wrong = []
    state, heard = run("succeeds", "exit 0")
    if state != DagRunState.SUCCESS or "finished with JobState.SUCCEEDED" not in heard:
        wrong.append(f"the DAG that should succeed ended with {state}:\n{heard}")
    state, heard = run("fails", "exit 3")
    if state != DagRunState.FAILED or "exit code 3" not in heard:
        wrong.append(f"the DAG that should fail ended with {state}:\n{heard}")
    for problem in wrong:
        print(problem, file=sys.stderr)
    if not wrong:
        print("armada-airflow 0.5.6 on Airflow 2.9.2: one DAG succeeded, one failed with the job's reason, as they should")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
