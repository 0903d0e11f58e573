"""Runs Armada's real newer operator (armada-airflow 1.1.3 on Airflow 2.11.2) with the query as its one target.

A real scheduler and triggerer run the DAGs of dags/; what happens to the jobs is done from here, as a user of Airflow or of
Armada would. The addresses come from the environment: QUERY_ADDRESS, QUERY_HTTP (a URL), ARMADA_ADDRESS (a fake Armada).
Prints a table, and ends with 0 if every task went as it should and no more calls than needed reached Armada's own api.Jobs.
"""

import os
import re
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Dict, Sequence

import grpc
from airflow_run import Run, airflow_is_running, eventually
from armada_client.client import ArmadaClient
from armada_client.typings import JobState

QUEUE = "demo"
JOBS_PATH = "/api.Jobs/"
# So far is a real Armada's api.Jobs behind its events.
LOOKOUT_LAG_MS = 400
POLLS_METRIC = r'^armada_job_service_jobs_api_calls_total\{.*method="getJobStatus".*\} (\d+)$'
# A task that polls this often must not ask Armada's api.Jobs more than twice.
MANY_POLLS = 20


def leave_alone(run, armada):
    pass


def cancel_at_armada(run, armada):
    told = run.wait_until_job_runs()
    armada.cancel_jobs(QUEUE, run.run_id, told["armada_job_id"])


def mark_failed(run, armada):
    run.wait_until_job_runs()
    if run.is_deferrable:
        run.wait_until_trigger_runs()
    run.mark_failed()


def lose_worker(run, armada):
    run.kill_worker()


@dataclass(frozen=True)
class Scenario:
    dag_id: str
    # What is done while the job runs.
    act: Callable[[Run, ArmadaClient], None]
    task: str
    job: JobState
    # What the task's log must show.
    shows: Sequence[str] = ()
    # Calls of Armada's api.Jobs that there may be at the most, by method: what only Armada can tell, once.
    allowed: Dict[str, int] = field(default_factory=dict)
    # All methods together.
    most_calls: int = 2
    least_polls: int = 0


# What only Armada can tell of a run, and a poll that comes before its job set is caught up.
DETAILS_OF_RUN = {"GetJobDetails": 2, "GetJobStatus": 1}
SCENARIOS = [
    Scenario("succeeds", leave_alone, "success", JobState.SUCCEEDED, allowed=DETAILS_OF_RUN, least_polls=MANY_POLLS),
    Scenario("fails", leave_alone, "failed", JobState.FAILED, ["'Failed'", "exit code 3"], {**DETAILS_OF_RUN, "GetJobErrors": 1}, 3),
    Scenario("is_cancelled", cancel_at_armada, "failed", JobState.CANCELLED, ["'Cancelled'"], DETAILS_OF_RUN),
    Scenario("is_marked_failed", mark_failed, "failed", JobState.CANCELLED, allowed=DETAILS_OF_RUN),
    Scenario(
        "loses_its_worker",
        lose_worker,
        "success",
        JobState.SUCCEEDED,
        ["Attached to existing Armada job"],
        # Whether there is a job with this URI is Armada's to say, at each retry.
        {**DETAILS_OF_RUN, "GetJobStatusUsingExternalJobUri": 1},
        3,
    ),
]


class Counts:
    """Calls that reached the fake Armada, and polls that reached the query, since the last look."""

    def __init__(self, armada_channel, query_http):
        # The messages are made from the project's own proto when this runs.
        protos, services = grpc.protos_and_services("fakearmada/v1/faults.proto")
        self.request = protos.CountCallsRequest()
        self.faults = services.FaultServiceStub(armada_channel)
        self.faults.SetFaults(protos.SetFaultsRequest(lookout_lag_ms=LOOKOUT_LAG_MS))
        self.query_http = query_http
        self.seen = self.now()

    def since_last_look(self):
        before, self.seen = self.seen, self.now()
        return self.seen - before

    def now(self):
        calls = self.faults.CountCalls(self.request).calls
        with urllib.request.urlopen(f"{self.query_http}/metrics", timeout=10) as response:
            metrics = response.read().decode()
        polls = sum(int(n) for n in re.findall(POLLS_METRIC, metrics, re.MULTILINE))
        return Counter({**calls, "polls": polls})


def check(scenario, run, counts, armada):
    """What is wrong with a run that has ended, and what there is to tell of it."""
    state = run.wait_until_ended()
    log = run.log()
    seen = counts.since_last_look()
    asked = {path.removeprefix(JOBS_PATH): n for path, n in seen.items() if path.startswith(JOBS_PATH)}
    job_id = run.told()["armada_job_id"]
    job = eventually(
        "Armada's api.Jobs tells how the job ended",
        lambda: (state := JobState(armada.get_job_status([job_id]).job_states[job_id])).is_terminal() and state,
    )
    counts.since_last_look()

    wrong = []
    if state != scenario.task:
        wrong.append(f"the task ended as {state}, not {scenario.task}")
    if job != scenario.job:
        wrong.append(f"the job ended as {job.name}, not {scenario.job.name}")
    wrong += [f"its log does not show {text!r}" for text in scenario.shows if text not in log]
    if seen["/api.Submit/SubmitJobs"] != 1:
        wrong.append(f"{seen['/api.Submit/SubmitJobs']} jobs were submitted, not 1")
    if seen["polls"] < scenario.least_polls:
        wrong.append(f"only {seen['polls']} polls: not enough to tell what {scenario.least_polls} cost")
    for method, n in asked.items():
        allowed = scenario.allowed.get(method, 0)
        if n > allowed:
            wrong.append(f"Armada's api.Jobs was asked {n} times for {method}, at most {allowed} are needed")
    if sum(asked.values()) > scenario.most_calls:
        wrong.append(f"Armada's api.Jobs was asked {sum(asked.values())} times, at most {scenario.most_calls} are needed")
    if wrong:
        wrong.append(f"its log:\n{log}")
    told = ", ".join(f"{n} {method}" for method, n in sorted(asked.items())) or "none"
    return wrong, (run.dag.dag_id, state, job.name, str(seen["polls"]), told)


def main():
    wrong = []
    rows = [("DAG", "task", "job", "polls", "calls of Armada's api.Jobs")]
    with grpc.insecure_channel(os.environ["ARMADA_ADDRESS"]) as channel, airflow_is_running() as dags:
        armada = ArmadaClient(channel)
        counts = Counts(channel, os.environ["QUERY_HTTP"])
        for deferrable in ("", "_deferrable"):
            for scenario in SCENARIOS:
                run = Run(dags.get_dag(scenario.dag_id + deferrable))
                print(f"{run.dag.dag_id} ...", flush=True)
                scenario.act(run, armada)
                problems, row = check(scenario, run, counts, armada)
                rows.append(row)
                wrong += [f"{run.dag.dag_id}: {problem}" for problem in problems]

    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    for problem in wrong:
        print(problem, file=sys.stderr)
    if not wrong:
        print("armada-airflow 1.1.3 on Airflow 2.11.2: every task went as it should, polled from the cache")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
