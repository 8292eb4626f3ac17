"""The same as loop.c with Python's socket.send_fds: loop.py one|two BATCH MILLISECONDS."""

import json
import os
import socket
import sys
import time

two = sys.argv[1] == "two"
batch = int(sys.argv[2])
duration = int(sys.argv[3]) * 1_000_000


def receive(end):
    mark, descriptors, _flags, _address = socket.recv_fds(end, 1, batch)
    return mark, descriptors


def close_all(descriptors):
    for descriptor in descriptors:
        os.close(descriptor)


sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
if two and os.fork() == 0:
    sender.close()
    while True:
        mark, descriptors = receive(receiver)
        if not mark:
            os._exit(0)
        receiver.send(b"R")
        close_all(descriptors)
if two:
    receiver.close()

outgoing = [os.open("/dev/null", os.O_RDONLY)] * batch
round_trips = 0
begun = time.monotonic_ns()
used = time.process_time_ns()
while True:
    socket.send_fds(sender, [b"F"], outgoing)
    if not two:
        mark, descriptors = receive(receiver)
        receiver.send(b"R")
        close_all(descriptors)
    sender.recv(1)
    round_trips += 1
    now = time.monotonic_ns()
    if now - begun >= duration:
        break
processor = time.process_time_ns() - used
print(json.dumps({"roundTrips": round_trips, "nanoseconds": now - begun, "processor": processor}))
