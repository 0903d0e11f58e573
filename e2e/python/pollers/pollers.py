"""Threads that poll for as long as the process runs."""

import json
import threading
import time

import grpc

# A call without a deadline would hang for as long as the service does.
CALL_SECONDS = 60
PAUSE_SECONDS = 0.03
PRINT_SECONDS = 0.2
# Of each kind of poller: the others will have the same cause.
MOST_WRONG = 10


class Pollers:
    def __init__(self):
        self._kinds = {}

    def add(self, kind, poll, threads=2):
        """Calls `poll` again and again in some threads; it returns what was wrong with the answer, or None."""
        counts = self._kinds[kind] = {"polls": 0, "wrong": []}
        for _ in range(threads):
            threading.Thread(target=self._run, args=(poll, counts), daemon=True).start()

    def wait(self):
        """Prints the counts of all kinds from time to time, as an application logs, for as long as the process runs."""
        while True:
            self._print()
            time.sleep(PRINT_SECONDS)

    def _run(self, poll, counts):
        while True:
            try:
                wrong = poll()
            except grpc.RpcError as error:
                wrong = f"{error.code()}: {error.details()}"
            counts["polls"] += 1
            if wrong is not None and len(counts["wrong"]) < MOST_WRONG:
                counts["wrong"].append(wrong)
            time.sleep(PAUSE_SECONDS)

    def _print(self):
        print(json.dumps({"level": "info", "msg": "polls", "kinds": self._kinds}), flush=True)
