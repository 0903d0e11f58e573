"""DAGs of one task, `job`: one for each way that a job of Armada goes, plain and deferrable. QUERY_ADDRESS is the one target."""

import os
from datetime import timedelta

import pendulum
from airflow import DAG
from armada.model import GrpcChannelArgs
from armada.operators.armada import ArmadaOperator
from armada_client.armada import submit_pb2
from armada_client.k8s.io.api.core.v1 import generated_pb2 as core_v1
from armada_client.k8s.io.apimachinery.pkg.api.resource import generated_pb2 as api_resource

# What the container does. A deferrable task is a new process for each poll, so its polls are some seconds apart.
COMMANDS = {
    "succeeds": "sleep {long}; exit 0",
    "fails": "exit 3",
    "is_cancelled": "sleep infinity",
    "is_marked_failed": "sleep infinity",
    "loses_its_worker": "sleep {short}; exit 0",
}
SECONDS = {False: {"long": 25, "short": 25}, True: {"long": 180, "short": 60}}

# Armada refuses a container without resources.
QUANTITIES = {"cpu": api_resource.Quantity(string="100m"), "memory": api_resource.Quantity(string="64Mi")}
RESOURCES = core_v1.ResourceRequirements(requests=QUANTITIES, limits=QUANTITIES)


def job(command):
    container = core_v1.Container(name="main", image="busybox", args=["sh", "-c", command], resources=RESOURCES)
    return submit_pb2.JobSubmitRequestItem(
        priority=1, pod_spec=core_v1.PodSpec(containers=[container]), namespace="default"
    )


for name, command in COMMANDS.items():
    for deferrable in (False, True):
        dag_id = name + ("_deferrable" if deferrable else "")
        with DAG(dag_id, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), schedule=None) as dag:
            ArmadaOperator(
                task_id="job",
                name=dag_id,
                channel_args=GrpcChannelArgs(target=os.environ["QUERY_ADDRESS"]),
                armada_queue="demo",
                job_request=job(command.format(**SECONDS[deferrable])),
                # A trigger that runs for a while can be met while it runs.
                poll_interval=5 if dag_id == "is_marked_failed_deferrable" else 1,
                deferrable=deferrable,
                reattach_policy="running_or_succeeded",
                retries=1 if name == "loses_its_worker" else 0,
                retry_delay=timedelta(seconds=1),
            )
        globals()[dag_id] = dag
