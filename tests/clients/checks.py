"""Counts what was checked, prints each failure, and turns the result into an exit code."""

import sys
import time
import traceback


class Checks:
    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def that(self, what, truth, shown=""):
        if truth:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self.name}: {what} {shown}", flush=True)
        return bool(truth)

    def part(self, what, action):
        """Runs a part; an exception counts as one failure and does not stop the others."""
        try:
            result = action()
            self.passed += 1
            return result
        except Exception as error:  # noqa: BLE001 - every failure is reported
            self.failed += 1
            print(f"FAILED {self.name}: {what}: {type(error).__name__}: {str(error)[:800]}", flush=True)
            traceback.print_exc()
            return None

    def end(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


def wait_for(read, good, seconds=15.0, pause=0.1):
    """Reads until the value is good; gives the last value read."""
    end = time.monotonic() + seconds
    value = read()
    while not good(value) and time.monotonic() < end:
        time.sleep(pause)
        value = read()
    return value
