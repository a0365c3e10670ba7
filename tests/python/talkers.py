"""Stock Python clients that call the testbed's `echo` again and again until SIGTERM.

talkers.py URL TRANSPORT COUNT PAUSE: TRANSPORT is polling or websocket, PAUSE the seconds between two calls of a client.
Prints `ready` when all are connected, and at the end one line of JSON: what was called, lost, and how often clients were
disconnected.
"""

import json
import signal
import sys
import threading
import time

import socketio

PATIENCE = 10


class Talker:
    def __init__(self, url, transport):
        self.calls = 0
        self.lost = []
        self.disconnects = []
        self.client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5)
        self.client.on("disconnect", self.on_disconnect)
        self.client.connect(url, transports=[transport], wait_timeout=PATIENCE)

    def on_disconnect(self, reason):
        self.disconnects.append({"at": time.time() * 1000, "reason": str(reason)})

    def talk(self, stop, pause):
        while not stop.wait(pause):
            # A call needs a connection; whether there is one at all times is what `disconnects` tells.
            if not self.client.connected:
                continue
            self.calls += 1
            try:
                answer = self.client.call("echo", self.calls, timeout=PATIENCE)
                if answer != self.calls:
                    self.lost.append(f"{time.time():.3f} {answer!r} instead of {self.calls}")
            except socketio.exceptions.SocketIOError as error:
                self.lost.append(f"{time.time():.3f} {error!r}")


def main():
    url, transport, count, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    # Blocked in all threads, for a handler is run by the main thread alone: it would not wake from `join` when another
    # thread, as it starts one of its own, takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    stop = threading.Event()
    talkers = [Talker(url, transport) for _ in range(count)]
    print("ready", flush=True)
    threads = [threading.Thread(target=talker.talk, args=(stop, pause)) for talker in talkers]
    for thread in threads:
        thread.start()
    signal.sigwait({signal.SIGTERM})
    stop.set()
    for thread in threads:
        thread.join()
    # Whose node has just left is on the way to another.
    deadline = time.monotonic() + PATIENCE
    while not all(talker.client.connected for talker in talkers) and time.monotonic() < deadline:
        time.sleep(0.05)
    outcome = {
        "calls": sum(talker.calls for talker in talkers),
        "lost": [line for talker in talkers for line in talker.lost],
        "disconnects": [talker.disconnects for talker in talkers],
        "connected": sum(talker.client.connected for talker in talkers),
    }
    # Nobody disconnects: a client whose writer sees that before the last packet never sends it, and waits for its poll, which
    # hangs until the next ping.
    print(json.dumps(outcome), flush=True)


main()
