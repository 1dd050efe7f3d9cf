"""What processes tell each other of spikes: coded, sent once per epoch, and put into a list of their own.

A message has a head of ``HEAD`` whole numbers: its bytes, its spikes, and whether its sender wants all to stop. Then
comes, for each step, the number of spikes, and for each of these what its unit's number is more than the one before,
with its payload where the network has any: all in as few bytes as they need, 7 bits in each, lowest first, the eighth
saying that more follow. Numbers that may be negative are folded: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
"""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.intrinsics import array_at, call_out

HEAD = 3                        # words of a head: bytes, spikes, stop
BEGIN, WAIT, REST = range(3)    # what a process is asked to do: see ``exchange``
SEEN, PENDING, RESERVE, STEP, FIRST, LAST, FAILED, PEAK = range(8)  # words of the state
RECEIVED, HEADS, OFFSETS = range(3)                     # rows of the table that says where messages are
LONGEST = 10                    # bytes of a number of 64 bits

_received, _heads, _offsets = array_at("uint8", 1), array_at("int64", 2), array_at("int64", 1)
u8, u64, i64 = np.uint8, np.uint64, np.int64


@compiled()
def put_number(out, at, value):  # type: ignore[no-untyped-def]
    """Put a number that is not negative at out[at:]; returns where the next one goes."""
    left = u64(value)
    while left >= u64(128):
        out[at] = u8(left & u64(127)) | u8(128)
        left >>= u64(7)
        at += 1
    out[at] = u8(left)
    return at + 1


@compiled()
def take_number(message, at):  # type: ignore[no-untyped-def]
    """The number at message[at:], and where the next one is."""
    value, shift = u64(0), u64(0)
    while message[at] >= 128:
        value |= u64(message[at] & u8(127)) << shift
        shift += u64(7)
        at += 1
    return i64(value | u64(message[at]) << shift), at + 1


@compiled()
def folded(value):  # type: ignore[no-untyped-def]
    """A number that is not negative, small where `value` is near 0."""
    return (value << 1) ^ (value >> 63)


@compiled()
def unfolded(value):  # type: ignore[no-untyped-def]
    """The opposite."""
    return i64(u64(value) >> u64(1)) ^ -(value & 1)


@compiled()
def code(out, ids, payloads, marks, threads, first, last):  # type: ignore[no-untyped-def]
    """Write the spikes between columns `first` and `last` of marks to out, after the head; returns bytes and spikes.

    ids: [lists, room]; payloads: the same, or [lists, 0]; marks: [lists, columns], where the spikes of each step begin.
    The spikes of the first `threads` lists are those of this process.
    """
    at, last_id, spikes = 8 * HEAD, i64(0), 0
    for column in range(first, last):
        count = 0
        for t in range(threads):
            count += marks[t, column + 1] - marks[t, column]
        at = put_number(out, at, count)
        spikes += count
        for t in range(threads):
            for k in range(marks[t, column], marks[t, column + 1]):
                unit = i64(ids[t, k])
                at = put_number(out, at, folded(unit - last_id))
                last_id = unit
                if payloads.shape[1] > 0:
                    at = put_number(out, at, folded(payloads[t, k]))
    return at, spikes


@compiled()
def decode(message, places, own, ids, payloads, marks, row, first, last):  # type: ignore[no-untyped-def]
    """Append the spikes of all messages but that of process `own` to list `row`, step by step, and mark them.

    places: [processes] where each message begins.
    """
    latest, places = np.zeros(places.size, np.int64), places + 8 * HEAD
    at = marks[row, first]
    for column in range(first, last):
        for p in range(places.size):
            if p == own:
                continue
            count, place = take_number(message, places[p])
            unit = latest[p]
            for _ in range(count):
                step, place = take_number(message, place)
                unit += unfolded(step)
                ids[row, at] = unit
                if payloads.shape[1] > 0:
                    value, place = take_number(message, place)
                    payloads[row, at] = unfolded(value)
                at += 1
            places[p], latest[p] = place, unit
        marks[row, column + 1] = at


@compiled()
def send(call, state, out, head, ids, payloads, marks, threads, first, last, step, stop):  # type: ignore[no-untyped-def]
    """Code the spikes of this process and have them sent. head: the words of out's head."""
    head[0], head[1] = code(out, ids, payloads, marks, threads, first, last)
    head[2], state[STEP] = stop, step
    if state[FAILED] == 0:
        state[FAILED] = call_out(call, BEGIN)


@compiled()
def receive(call, state, table, own, ids, payloads, marks, row, first, last):  # type: ignore[no-untyped-def]
    """Wait for the messages of all processes and take their spikes; returns whether all shall stop here.

    Where the lists may be too short, spikes stay where they are and all stop: how many there are is known to all, so
    all find the same.
    """
    if state[FAILED] == 0:
        state[FAILED] = call_out(call, WAIT)
    if state[FAILED] != 0:
        return 1
    heads = _heads(table, HEADS)
    longest, stop = 0, 0
    for p in range(heads.shape[0]):
        longest = max(longest, heads[p, 0])
        stop |= heads[p, 2]
        state[SEEN] += heads[p, 1]
    state[PEAK] = max(state[PEAK], longest)
    if longest > 8 * heads.shape[1]:
        state[FAILED] = call_out(call, REST)
    if state[FAILED] != 0:
        return 1
    if state[SEEN] <= ids.shape[1]:
        decode(_received(table, RECEIVED), _offsets(table, OFFSETS), own, ids, payloads, marks, row, first, last)
    else:
        state[PENDING], state[FIRST], state[LAST] = 1, first, last
        for column in range(first, last):
            marks[row, column + 1] = marks[row, first]
    return i64(stop != 0 or state[SEEN] + state[RESERVE] > ids.shape[1])
