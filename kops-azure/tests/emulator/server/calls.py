"""The log of a subscription's calls."""

import threading
import time


class Log:
    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        with self.lock:
            self.calls = []
            self.in_flight = 0
            self.most_in_flight = 0

    def begin(self):
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return time.monotonic()

    def end(self, started, call):
        call["start"] = round(started, 4)
        call["seconds"] = round(time.monotonic() - started, 4)
        with self.lock:
            # A call that was under way when the log was cleared does not count below zero.
            self.in_flight = max(0, self.in_flight - 1)
            self.calls.append(call)

    def show(self):
        with self.lock:
            return {"calls": list(self.calls), "most_in_flight": self.most_in_flight}

    def counts(self):
        """How many by operation, and how many may have changed something."""
        with self.lock:
            counts = {}
            for call in self.calls:
                counts[call["action"]] = counts.get(call["action"], 0) + 1
            return {
                "by_action": counts,
                "total": len(self.calls),
                "mutating": sum(call["mutation"] for call in self.calls),
            }
