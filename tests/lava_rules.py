"""The fixed-point rules of Lava 0.10 once more, as plain as can be, to check what runs in Lava against.

``emulate`` runs a graph step by step. Everything is kept in 64 bits and cut to 32 where Lava's arrays are that wide.
"""

import numpy as np

TOP = 1 << 23  # states have 24 bits


def shrink(x, bits):
    """Divide by a power of two, towards zero."""
    return np.sign(x) * (np.abs(x) >> bits)


def wrap(x, bits=32):
    return (np.asarray(x, np.int64) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def current(decayed, a):
    """The current, wrapped once at 24 bits."""
    sum_ = wrap(decayed + wrap(a << 6))
    return np.where(sum_ > TOP, sum_ - 2 * TOP, np.where(sum_ <= -TOP, sum_ + 2 * TOP, sum_))


def leak(p, s, a):
    """Current and potential of all models of the LIF family."""
    s["u"] = current(shrink(s["u"] * (4095 - p["du"]), 12), a)
    v = shrink(s["v"] * (4096 - p["dv"]), 12) + s["u"] + (p["bias_mant"] << p["bias_exp"])
    s["v"] = np.clip(v, 1 - TOP, TOP - 1)


def loihi_lif(p, s, a, step):
    leak(p, s, a["in"])
    spike = s["v"] > p["vth"] << 6
    s["v"] = np.where(spike, 0, s["v"])
    return spike


def loihi_lif_reset(p, s, a, step):
    due = step % p["reset_interval"] == p["reset_offset"] % p["reset_interval"]
    s["phase"] = step % p["reset_interval"] + 0 * s["v"]
    for name in ("u", "v"):
        s[name] = np.where(due, 0, s[name])
    return loihi_lif(p, s, a, step)


def loihi_ternary_lif(p, s, a, step):
    leak(p, s, a["in"])
    spike = (s["v"] > p["vth_hi"] << 6) * 1 - (s["v"] < p["vth_lo"] << 6) * 1
    s["v"] = np.where(spike != 0, 0, s["v"])
    return spike


def loihi_atrlif(p, s, a, step):
    rest, more = np.trunc(p["theta_0"] * 64).astype(int), np.trunc(p["theta_step"] * 64).astype(int)
    if step == 1:
        s["theta"] = rest + s["theta"] * 0
    keep = {k: np.trunc(4096 - p[f"delta_{k}"] * 4096.0).astype(int) for k in ("v", "theta", "r")}
    decayed = np.trunc(s["i"] * (4096 - (p["delta_i"] * 4096.0 + 1))).astype(np.int64)
    s["i"] = current(shrink(decayed, 12), a["in"])
    v = shrink(s["v"] * keep["v"], 12) + s["i"] + (p["bias_mant"] << p["bias_exp"])
    s["v"] = np.clip(wrap(v), 1 - TOP, TOP - 1)
    s["theta"] = wrap(shrink((s["theta"] - rest) * keep["theta"], 12) + rest)
    s["r"] = wrap(shrink(s["r"] * keep["r"], 12))
    spike = wrap(s["v"] - s["r"]) >= s["theta"]
    s["r"], s["theta"] = wrap(s["r"] + 2 * spike * s["theta"]), wrap(s["theta"] + spike * more)
    return spike


def encode(p, s, act):
    """The change of `act` since it was last told, where it is large enough."""
    delta = wrap(act - s["act"] + s["residue"])
    s["error"] = wrap(s["error"] + p["cum_error"] * delta)
    tested = np.where(p["cum_error"] == 1, s["error"], delta)
    told = np.where(np.abs(tested) >= p["vth"] << p["spike_exp"] + p["state_exp"], delta, 0)
    s["error"] = np.where(told != 0, 0, s["error"])
    s["residue"], s["act"] = wrap(delta - told), act
    return told >> p["state_exp"]


def loihi_sigma_delta(p, s, a, step):
    s["sigma"] = wrap(s["sigma"] + a["in"])
    act = wrap(s["sigma"] + (p["bias"] << p["spike_exp"] + p["state_exp"]))
    return encode(p, s, np.where(p["relu"] == 1, np.maximum(act, 0), act))


def loihi_delta(p, s, a, step):
    return encode(p, s, wrap(a["in"] << p["spike_exp"] + p["state_exp"]))


def loihi_sigma(p, s, a, step):
    s["sigma"] = wrap(s["sigma"] + a["in"])
    return s["sigma"]


def turn(p, s, a):
    """One step of a resonator: a turn and a decay of its complex state, then input."""
    bits, angle, size = p["decay_bits"], 2 * np.pi / p["period"], 1 - p["alpha"]
    sin, cos = (np.trunc(size * part(angle) * (1 << bits)).astype(np.int64) for part in (np.sin, np.cos))
    real = shrink(cos * s["real"], bits) - shrink(sin * s["imag"], bits) + wrap(a["real"] << p["state_exp"])
    imag = shrink(sin * s["real"], bits) + shrink(cos * s["imag"], bits) + wrap(a["imag"] << p["state_exp"])
    return np.clip(real, 1 - TOP, TOP - 1), np.clip(imag, 1 - TOP, TOP - 1)


def loihi_rf(p, s, a, step):
    real, imag = turn(p, s, a)
    spike = (real >= p["vth"] << p["state_exp"]) & (imag >= 0) & (s["imag"] < 0)
    s["real"], s["imag"] = real, imag
    return spike


def loihi_rf_iz(p, s, a, step):
    real, imag = turn(p, s, a)
    vth = p["vth"] << p["state_exp"]
    spike = imag >= vth
    s["real"], s["imag"] = np.where(spike, 0, real), np.where(spike, vth - 1, imag)
    return spike


def loihi_graded(p, s, a, step):
    return a["in"] * (np.abs(a["in"]) > p["vth"])


def loihi_graded_relu(p, s, a, step):
    return a["in"] * (a["in"] > p["vth"])


def loihi_product(p, s, a, step):
    product = wrap(a["in1"] * a["in2"]) >> p["shift"]
    return product * (np.abs(product) > p["vth"])


def source(p, s, a, step):
    return np.maximum(a["in"], 0)


RULES = {rule.__name__: rule for rule in (
    loihi_lif, loihi_lif_reset, loihi_ternary_lif, loihi_atrlif, loihi_sigma_delta, loihi_delta, loihi_sigma, loihi_rf,
    loihi_rf_iz, loihi_graded, loihi_graded_relu, loihi_product)}
STATES = {"loihi_lif": "u v", "loihi_lif_reset": "u v phase", "loihi_ternary_lif": "u v", "loihi_atrlif": "i v theta r",
          "loihi_sigma_delta": "sigma act residue error", "loihi_delta": "act residue error", "loihi_sigma": "sigma",
          "loihi_rf": "real imag", "loihi_rf_iz": "real imag"}


def cut(weight, c):
    """What a chip keeps of mantissas."""
    sign, mixed = -1 if c.sign_mode == "inhibitory" else 1, c.sign_mode == "mixed"
    lost = 8 - c.num_weight_bits + mixed
    low = 0 if c.learning else -256 * mixed
    clipped = sign * weight if c.learning else np.clip(sign * weight, low, 255)
    return sign * (clipped >> lost << lost)


class Synapses:
    """A connection: a sum per delay, shifted by itself."""

    def __init__(self, c, n):
        self.c, self.n = c, n
        self.weight = cut(np.asarray(c.weight, np.int64), c)

    def send(self, payload, ring, step):
        c = self.c
        message = payload if c.num_message_bits else payload != 0
        for delay in np.unique(c.delay):
            here = c.delay == delay
            total = np.zeros(self.n, np.int64)
            np.add.at(total, c.post[here], self.weight[here] * message[c.pre[here]])
            ring[(step + delay) % len(ring)] += total << c.weight_exp if c.weight_exp > 0 else total >> -c.weight_exp


def emulate(graph, steps, arrivals=None):
    """Spikes (step, unit, payload) [spikes, 3] of all units, states {group: {state: [steps, n]}}, and the connections."""
    groups = graph.groups
    params = [{k: np.asarray(v) for k, v in group.params.items()} for group in groups]
    states = [{k: np.zeros(g.n, np.int64) + g.initial.get(k, 0) for k in STATES.get(g.model, "").split()} for g in groups]
    ports = [g.ports or ("in",) for g in groups]
    rings = [{port: np.zeros((65, g.n), np.int64) for port in ports[k]} for k, g in enumerate(groups)]
    synapses = [(Learned if c.learning else Synapses)(c, groups[c.target].n) for c in graph.connections]
    past = [{name: np.zeros((steps, g.n), np.int64) for name in states[k]} for k, g in enumerate(groups)]
    rows = []
    for step in range(1, steps + 1):
        give(arrivals, rings, ports, step)
        sent = []
        for k, g in enumerate(groups):
            inputs = {port: wrap(ring[step % 65]) for port, ring in rings[k].items()}
            payload = wrap(RULES.get(g.model, source)(params[k], states[k], inputs, step) + np.zeros(g.n, np.int64))
            for ring in rings[k].values():
                ring[step % 65] = 0
            for name, values in states[k].items():
                past[k][name][step - 1] = values
            units = np.flatnonzero(payload)
            rows.append(np.stack([np.full(units.size, step), graph.first[k] + units, payload[units]], axis=1))
            sent.append(payload)
        for each in synapses:
            each.send(sent[each.c.source], rings[each.c.target][each.c.port], step)
            if each.c.learning:
                each.learn(sent[each.c.source], sent[each.c.target], step)
    return np.concatenate(rows), {g.name: past[k] for k, g in enumerate(groups)}, synapses


def give(arrivals, rings, ports, step):
    if arrivals is None:
        return
    for row in np.flatnonzero(arrivals.step == step):
        k = arrivals.group[row]
        rings[k][ports[k][arrivals.port[row]]][step % 65, arrivals.unit[row]] += arrivals.weight[row]


class Learned(Synapses):
    """Synapses with a sum-of-products rule given as parts: (dependency, mantissa, exponent, traces) of each product.

    Traces decay and are raised with one random number each for all units; one number rounds all weights. It covers what the
    tests use: learning in each step, traces as the only factors.
    """

    def __init__(self, c, n):
        super().__init__(c, n)
        seed = c.learning.rng_seed
        self.random = [np.random.default_rng(seed + k) for k in range(4)]  # x decay, x impulse, y decay, y impulse
        self.rounding = np.random.default_rng(2)
        self.rounding.random(1)
        self.drawn = [self.draw(k) for k in range(4)]
        self.x = {k: np.zeros(c.pre.size, np.int64) for k in ("x1", "x2")}
        self.y = {k: np.zeros(c.pre.size, np.int64) for k in ("y1", "y2", "y3")}

    def draw(self, k):
        return self.random[k].integers(0, 128, size=1)[0] if k % 2 else self.random[k].random(1)[0]

    def learn(self, pre, post, step):
        for _ in range(2):  # Lava draws twice in a step
            self.drawn = [self.draw(k) for k in range(4)]
        x0, y0 = pre[self.c.pre] != 0, post[self.c.post] != 0
        self.trace(self.x, x0, *self.drawn[:2])
        self.trace(self.y, y0, *self.drawn[2:])
        total = self.weight << 7
        for dependency, mantissa, exponent, traces in PRODUCTS[self.c.learning.dw]:
            product = {"x0": x0, "y0": y0}[dependency] * mantissa
            for name in traces:
                product = product * {**self.x, **self.y}[name]
            product = product >> max(0, 7 * len(traces) + 4 - 15) << exponent + 7
            total = np.clip(total + np.clip(product, -32769, 32767), -32769, 32767)
        chance = self.rounding.random(1)[0]
        self.weight = np.clip(np.floor(total / 128) + (chance < total / 128 % 1), -256, 255).astype(np.int64)

    def trace(self, traces, spiked, decay, impulse):
        rule = self.c.learning
        for name in traces:
            value = np.exp(-1 / rule.taus[name]) * traces[name] if rule.taus.get(name) else traces[name] * 0.0
            value = np.floor(value) + (decay < value % 1)
            whole = np.floor(rule.impulses.get(name, 0))
            more = whole + (impulse < np.round((rule.impulses.get(name, 0) - whole) * 256))
            traces[name] = np.where(spiked, np.clip(value + more, 0, 127), value).astype(np.int64)


PRODUCTS = {
    "2^-2 * y0 * x1 - 2^-2 * x0 * y1": [("y0", 1, -2, ["x1"]), ("x0", -1, -2, ["y1"])],
    "2^-4 * y0 * x1 * y2 - 2^-3 * x0 * y1": [("y0", 1, -4, ["x1", "y2"]), ("x0", -1, -3, ["y1"])],
}
