"""The loops of spikes that carry payloads: as those of ``kernels``, with a payload beside each spike."""

from __future__ import annotations

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.kernels import ahead_of, fetch, i32, i64, u32


@compiled()
def take_payloads(values, first, ids, payloads, begin, end):  # type: ignore[no-untyped-def]
    """Put the values of the units ids[begin:end], counted from `first`, beside them."""
    for k in range(begin, end):
        payloads[k] = values[ids[k] - first]


@compiled()
def list_messages(rows, groups, group, ids, payloads, at, stop, parts, n):  # type: ignore[no-untyped-def]
    """As ``list_parts``; parts: [4, room] begin, end, source, payload."""
    while at < stop and n < parts.shape[1]:
        row = i64(ids[at])
        a = i64(rows[row * groups + group])
        b = i64(rows[row * groups + group + 1])
        parts[0, n] = a
        parts[1, n] = b
        parts[2, n] = row
        parts[3, n] = payloads[at]
        n += i64(a < b)
        at += 1
    return n, at


@compiled()
def deliver_graded_rows(acc, targets, weights, parts, n):  # type: ignore[no-untyped-def]
    """Add weights[source] times the payload to each target of each part."""
    ahead = ahead_of(targets, n)
    for k in range(n):
        if k + ahead < n:
            fetch(targets, parts[0, k + ahead], parts[1, k + ahead])
        part, w = targets[parts[0, k] : parts[1, k]], i64(weights[parts[2, k]]) * parts[3, k]
        for j in range(part.size):
            acc[part[j]] += w


@compiled()
def deliver_graded_pairs(acc, targets, weights, parts, n):  # type: ignore[no-untyped-def]
    """Add the upper half of each word times the payload to the target that its lower half names."""
    ahead = ahead_of(targets, n)
    for k in range(n):
        if k + ahead < n:
            fetch(targets, parts[0, k + ahead], parts[1, k + ahead])
        part, payload = targets[parts[0, k] : parts[1, k]], parts[3, k]
        for j in range(part.size):
            word = part[j]
            acc[word & u32(0xFFFF)] += i64(i32(word) >> i32(16)) * payload


@compiled()
def deliver_graded_synapses(acc, targets, weights, parts, n):  # type: ignore[no-untyped-def]
    """Add a weight of its own times the payload for each synapse."""
    ahead = ahead_of(targets, n)
    for k in range(n):
        if k + ahead < n:
            fetch(targets, parts[0, k + ahead], parts[1, k + ahead])
            fetch(weights, parts[0, k + ahead], parts[1, k + ahead])
        part, w = targets[parts[0, k] : parts[1, k]], weights[parts[0, k] : parts[1, k]]
        for j in range(part.size):
            acc[part[j]] += i64(w[j]) * parts[3, k]


@compiled()
def deliver_graded_ring(ring, rows, targets, weights, delays, step, ids, payloads, start, stop):  # type: ignore[no-untyped-def]
    """As ``deliver_ring``, with the payload of each spike as a factor."""
    length = ring.shape[0]
    for k in range(start, stop):
        row = i64(ids[k])
        for j in range(i64(rows[row]), i64(rows[row + 1])):
            ring[(step + i64(delays[j])) % length, i64(targets[j])] += i64(weights[j]) * payloads[k]
