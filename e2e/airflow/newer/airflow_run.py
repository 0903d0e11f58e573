"""A run of one of the DAGs of dags/, by a real scheduler and triggerer, and what can be seen of it."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

from airflow.api.common.trigger_dag import trigger_dag
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.jobs.triggerer_job_runner import TriggererJobRunner
from airflow.models import DagBag, TaskInstance
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import State, TaskInstanceState

HOME = pathlib.Path(os.environ["AIRFLOW_HOME"])
TASK_ID = "job"
# Every step of a deferrable task is a new process, which takes seconds, and many of them on a busy machine.
PATIENCE_SECONDS = 600


def eventually(what, ask):
    """Asks until the answer is one that counts, and gives it. Raises where that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_SECONDS} s: {what}; see the logs in {HOME}")
        time.sleep(0.1)


@contextlib.contextmanager
def airflow_is_running():
    """Runs a scheduler and a triggerer, whose output goes to files in AIRFLOW_HOME; gives the DAGs there are."""
    dags = DagBag(include_examples=False)
    if dags.import_errors:
        raise RuntimeError(f"the DAGs cannot be read: {dags.import_errors}")
    # Airflow finds its own command on the PATH.
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    processes = []
    try:
        for name in ("scheduler", "triggerer"):
            with (HOME / f"{name}.log").open("w") as log:
                command = ["airflow", name, "--skip-serve-logs"]
                # A group of its own: tasks end with the scheduler.
                started = subprocess.Popen(
                    command, env={**os.environ, "PATH": path}, stdout=log, stderr=log, start_new_session=True
                )
                processes.append(started)
        for runner in (SchedulerJobRunner, TriggererJobRunner):
            eventually(f"a {runner.job_type} runs", lambda: is_alive(runner))
        for dag_id in dags.dag_ids:
            eventually(f"the scheduler knows {dag_id}", lambda: SerializedDagModel.has_dag(dag_id))
        yield dags
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def is_alive(runner):
    job = runner.most_recent_job()
    return job is not None and job.is_alive()


class Run:
    """A run that was just triggered."""

    def __init__(self, dag):
        self.dag = dag
        self.run_id = f"run-{uuid.uuid4().hex[:8]}"
        trigger_dag(dag.dag_id, run_id=self.run_id)

    @property
    def is_deferrable(self):
        return self.dag.get_task(TASK_ID).deferrable

    def task(self):
        """The task instance as it is now."""
        with create_session() as session:
            key = {"dag_id": self.dag.dag_id, "run_id": self.run_id, "task_id": TASK_ID}
            task = session.query(TaskInstance).filter_by(**key).one()
            session.expunge_all()
            return task

    def told(self):
        """What the operator last noted of its job: its id and state, and others. Empty before the submit."""
        return self.task().xcom_pull(task_ids=TASK_ID, key="job_context") or {}

    def wait_until_job_runs(self):
        """What the operator noted of its running job."""
        return eventually(
            "the operator sees its job run",
            lambda: (told := self.told()).get("armada_job_state") == "RUNNING" and told,
        )

    def wait_until_ended(self):
        """How the task ended."""
        return eventually("the task has ended", lambda: (task := self.task()).state in State.finished and task).state

    def wait_until_trigger_runs(self):
        """A deferred task is nobody's between two triggers: whoever marks it failed then leaves its job alone."""
        eventually(
            "a trigger of the task runs",
            lambda: (task := self.task()).state == TaskInstanceState.DEFERRED and is_in_triggerer(task.trigger_id),
        )

    def mark_failed(self):
        """As the button of Airflow's pages does."""
        with create_session() as session:
            self.dag.set_task_instance_state(
                task_id=TASK_ID, run_id=self.run_id, state=TaskInstanceState.FAILED, session=session
            )

    def kill_worker(self):
        """Kills the process of the first attempt after it polled, without a chance to clean up."""
        self.wait_until_job_runs()

        def kill():
            task = self.task()
            if task.state != TaskInstanceState.RUNNING or task.pid is None or not is_of_task(task):
                return False
            with contextlib.suppress(ProcessLookupError):
                os.kill(task.pid, signal.SIGKILL)
                return True

        eventually("the task has a process", kill)

    def log(self):
        """What all attempts logged, the triggerer's part too."""
        folder = HOME / f"logs/dag_id={self.dag.dag_id}/run_id={self.run_id}/task_id={TASK_ID}"
        return "\n".join(file.read_text() for file in sorted(folder.glob("attempt=*")))


def is_in_triggerer(trigger_id):
    with create_session() as session:
        trigger = session.get(Trigger, trigger_id)
        return trigger is not None and trigger.triggerer_id is not None


def is_of_task(task):
    """The process whose id the task instance names is still the task's, and no other's."""
    with contextlib.suppress(OSError):
        return task.dag_id in pathlib.Path(f"/proc/{task.pid}/cmdline").read_text()
    return False
