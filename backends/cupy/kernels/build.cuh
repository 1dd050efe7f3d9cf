// A network is built: its synapses are drawn, counted, and put into the rows of their sources.
//
// Before this text stand, written by build_job.py: the structs Value and Job, the numbers of rules (RULE_...) and of kinds
// of values (VALUE_...), the ratios central, near and far of snnsim.normal, exact_log_f64 and exact_exp_f64.

constexpr int WARP = 32;
constexpr unsigned EVERYONE = 0xffffffffu;
constexpr double PER_WORD = 1.0 / 4294967296.0;

static __device__ __forceinline__ unsigned word_of(const Job* job, long long stream, unsigned long long index,
                                                   unsigned draw = 0) {
    return indexed_word(index, draw, (unsigned)stream, (unsigned)job->key[0], (unsigned)job->key[1]);
}

// How many of the rising `edges` do not exceed a word, where that is between low and high.
template <class Edge>
static __device__ __forceinline__ long long not_above(const Edge* edges, long long low, long long high, unsigned word) {
    while (low < high) {
        const long long middle = (low + high) >> 1;
        if (edges[middle] <= word) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// --- values: as in snnsim.distributions ------------------------------------------------------------------------------

// As in snnsim.normal.
static __device__ double normal_quantile(double p) {
    const double q = p - 0.5, middle = 0.180625 - q * q;
    if (middle >= 0.0) {
        return q * central(middle);
    }
    const double r = sqrt(-exact_log_f64(q < 0.0 ? p : 1.0 - p));
    const double size = r > 5.0 ? far(r - 5.0) : near(r - 1.6);
    return q < 0.0 ? -size : size;
}

// From a uniform number.
static __device__ double distributed(const Value* value, double uniform) {
    if (value->kind == VALUE_EXPONENTIAL) {
        return exact_log_f64(uniform) * value->scale;
    }
    double z = uniform * value->share + value->below;
    z = (value->kind == VALUE_UNIFORM ? z : normal_quantile(z)) * value->scale + value->shift;
    if (value->kind == VALUE_LOGNORMAL) {
        return exact_exp_f64(z) * value->sign;
    }
    z = z > value->low ? z : value->low;
    return z < value->high ? z : value->high;
}

// place: of the synapse among those listed.
static __device__ double value_of(const Job* job, const Value* value, unsigned long long index, long long place) {
    const double* table = (const double*)value->table;
    if (value->kind == VALUE_CONSTANT) {
        return value->shift;
    }
    if (value->kind == VALUE_ARRAY || value->kind == VALUE_LISTED) {
        return table[value->kind == VALUE_ARRAY ? (long long)index : place];
    }
    const unsigned word = word_of(job, value->stream, index);
    if (value->kind == VALUE_DISCRETE) {
        return table[not_above((const unsigned long long*)value->edges, 0, value->count, word)];
    }
    return distributed(value, ((double)word + 0.5) * PER_WORD);
}

// As snnsim.plan.delay_steps.
static __device__ long long steps_of(const Job* job, unsigned long long index, long long place) {
    const double delay = value_of(job, &job->delay, index, place);
    const double steps = floor(delay / job->dt + 0.5);
    return delay == 0.0 ? 0 : (long long)(steps > 1.0 ? steps : 1.0);
}

// --- rules: as in snnsim.connect -------------------------------------------------------------------------------------

struct Synapse {
    long long source;
    long long target;
    unsigned long long index;
    long long place;
    bool there;
};

// From 64 random bits.
static __device__ __forceinline__ long long rare_gap(const Job* job, unsigned high, unsigned low) {
    const double u = ((double)high * 4294967296.0 + (double)low + 0.5) * (PER_WORD * PER_WORD);
    const double gap = exact_log_f64(u < job->most ? u : job->most) / job->log_rest;
    return (long long)(gap < 8589934592.0 ? gap : 8589934592.0) + 1;
}

// Steps from one chosen source of a target to its next, as snnsim.connect.chance: the word number `place` of the row.
static __device__ long long gap_of(const Job* job, long long row, long long place) {
    const unsigned draw = (unsigned)(place / job->ahead);
    const unsigned long long index = (unsigned long long)(row * job->ahead + place % job->ahead);
    if (job->known != 0) {
        const unsigned word = word_of(job, job->stream, index, draw);
        const int* known = (const int*)job->known + (word >> 16);
        return not_above((const unsigned*)job->edges, known[0], known[1], word) + 1;
    }
    return rare_gap(job, word_of(job, job->stream, index, 2 * draw), word_of(job, job->stream, index, 2 * draw + 1));
}

// The sum of the numbers of all lanes up to this one.
static __device__ __forceinline__ long long sum_up_to(long long number, int lane) {
#pragma unroll
    for (int step = 1; step < WARP; step *= 2) {
        const long long before = __shfl_up_sync(EVERYONE, number, step);
        number += lane >= step ? before : 0;
    }
    return number;
}

// What a synapse of a row joins besides the row's own unit.
static __device__ __forceinline__ long long other_of(const Job* job, unsigned long long index, long long place) {
    if (job->rule == RULE_ALL_TO_ALL) {
        return place;
    }
    return __umulhi(word_of(job, job->stream, index), (unsigned)job->choices);
}

static __device__ __forceinline__ Synapse listed(const Job* job, long long place) {
    if (job->rule == RULE_ONE_TO_ONE) {
        const long long unit = job->low + place;
        return Synapse{unit, unit, (unsigned long long)unit, place, true};
    }
    return Synapse{((const unsigned*)job->sources)[place], ((const unsigned*)job->targets)[place],
                   ((const unsigned long long*)job->indices)[place], place, true};
}

static __device__ __forceinline__ Synapse joined(const Job* job, long long row, long long other,
                                                 unsigned long long index, long long place) {
    other += job->skip_self != 0 && other >= row;
    if (job->rule == RULE_FIXED_OUTDEGREE) {
        return Synapse{row, other, index, place, job->low <= other && other < job->high};
    }
    return Synapse{other, row, index, place, true};
}

// Calls take(synapse) for each synapse onto own units. A warp takes 32 neighbours of a row at a time; long rows are shared
// by `pieces` warps.
template <class Take>
static __device__ __forceinline__ void draw_synapses(const Job* job, Take take) {
    const int lane = (int)threadIdx.x % WARP;
    const long long pieces = job->pieces, warps = (long long)gridDim.x * blockDim.x / WARP;
    long long item = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    for (; item < job->rows * pieces; item += warps) {
        const long long row = job->first_row + item / pieces;
        const long long* firsts = (const long long*)job->firsts;
        const long long first = firsts != 0 ? firsts[row] : row * job->length;
        const long long length = firsts != 0 ? firsts[row + 1] - first : job->length;
        long long at = -1;   // of the last source that the walk along a row has chosen
        for (long long start = item % pieces * WARP; start < length && at < job->choices; start += pieces * WARP) {
            const long long place = start + lane;
            Synapse synapse;
            if (job->rule == RULE_PAIRWISE) {
                const long long other = at + sum_up_to(gap_of(job, row, place), lane);
                at = __shfl_sync(EVERYONE, other, WARP - 1);
                synapse = joined(job, row, other, (unsigned long long)(row * job->choices + place), place);
                synapse.there = other < job->choices;
            } else if (place >= length) {
                synapse.there = false;
            } else if (job->rule == RULE_LISTED || job->rule == RULE_ONE_TO_ONE) {
                synapse = listed(job, place);
            } else {
                const unsigned long long index = (unsigned long long)(first + place);
                synapse = joined(job, row, other_of(job, index, place), index, place);
            }
            if (synapse.there) {
                take(synapse);
            }
        }
    }
}

// --- rows of synapses ------------------------------------------------------------------------------------------------

static __device__ __forceinline__ long long part_of(const Job* job, long long target) {
    return ((target + 1) * job->all_parts - 1) / job->n_target;
}

static __device__ __forceinline__ unsigned* cell_of(const Job* job, long long row, long long part) {
    return (unsigned*)job->counts + (row * job->parts + part - job->part);
}

static __device__ __forceinline__ bool is_here(const Job* job, long long delay) {
    return job->delays[0] <= delay && delay <= job->delays[1];
}

struct Count {
    const Job* job;

    __device__ __forceinline__ void operator()(const Synapse& s) const {
        if (job->all_delays != 0 || is_here(job, steps_of(job, s.index, s.place))) {
            atomicAdd(cell_of(job, job->row + s.source, part_of(job, s.target)), 1u);
        }
    }
};

// As snnsim.fixed_weights: a mantissa cut at its lowest bits, and shifted.
static __device__ __forceinline__ long long whole_of(const Job* job, long long mantissa) {
    const long long one = 1LL << job->lost;
    const long long cut = job->down != 0 ? mantissa >> job->lost : mantissa / one;
    long long kept = cut * one;
    kept = job->shift < 0 ? kept >> -job->shift : kept * (1LL << job->shift);
    if (job->limit > 0) {
        kept = kept > job->limit ? job->limit : kept < -job->limit ? -job->limit : kept;
    }
    return kept;
}

// Packs a synapse into its word.
struct Place {
    const Job* job;

    __device__ __forceinline__ void operator()(const Synapse& s) const {
        const long long delay = steps_of(job, s.index, s.place);
        if (!is_here(job, delay)) {
            return;
        }
        const double weight = value_of(job, &job->weight, s.index, s.place);
        const int port = job->two_ports != 0 && weight < 0.0;
        long long quanta = (long long)rint(weight / job->quantum[port]);
        if (job->fixed != 0) {
            quanta = whole_of(job, quanta);
        }
        const long long part = part_of(job, s.target), row = job->row + s.source;
        const long long place = job->place[port] + s.target - part * job->n_target / job->all_parts;
        const long long at = ((const long long*)job->base)[row] + atomicAdd(cell_of(job, row, part), 1u);
        unsigned long long word = (unsigned long long)place;
        word |= (unsigned long long)(delay - job->delay_from) << job->delay_shift;
        if (job->weights != 0) {
            ((long long*)job->weights)[at] = quanta;
        } else if (job->weighted != 0) {
            word |= (unsigned long long)quanta << job->weight_shift;
        }
        store(at, word);
    }

    __device__ __forceinline__ void store(long long at, unsigned long long word) const {
        if (job->bits == 16) {
            ((unsigned short*)job->words)[at] = (unsigned short)word;
        } else if (job->bits == 32) {
            ((unsigned*)job->words)[at] = (unsigned)word;
        } else {
            ((unsigned long long*)job->words)[at] = word;
        }
    }
};

// Keeps a synapse as it is, with a real weight.
struct Keep {
    const Job* job;

    __device__ __forceinline__ void operator()(const Synapse& s) const {
        const long long part = part_of(job, s.target);
        const long long at = ((const long long*)job->base)[s.source] + atomicAdd(cell_of(job, s.source, part), 1u);
        const double weight = value_of(job, &job->weight, s.index, s.place) * job->sign;
        ((unsigned*)job->kept_source)[at] = (unsigned)s.source;
        ((unsigned*)job->kept_target)[at] = (unsigned)s.target;
        ((int*)job->kept_delay)[at] = (int)steps_of(job, s.index, s.place);
        ((unsigned long long*)job->kept_index)[at] = s.index;
        if (job->bits == 32) {
            ((float*)job->kept_weight)[at] = (float)weight;
        } else {
            ((double*)job->kept_weight)[at] = weight;
        }
    }
};

extern "C" __global__ SNN_LAUNCH(128) void snn_count(const Job* job) { draw_synapses(job, Count{job}); }

extern "C" __global__ SNN_LAUNCH(128) void snn_place(const Job* job) { draw_synapses(job, Place{job}); }

extern "C" __global__ SNN_LAUNCH(128) void snn_keep(const Job* job) { draw_synapses(job, Keep{job}); }

// How many of the `length` synapses of a fixed_total each target has.
extern "C" __global__ SNN_LAUNCH(128) void snn_tally(const Job* job) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x; k < job->length; k += stride) {
        const unsigned word = word_of(job, job->stream, (unsigned long long)k);
        atomicAdd((unsigned*)job->counts + __umulhi(word, (unsigned)job->n_target), 1u);
    }
}

// Where the synapses onto each part begin within each row, and where the last end. The counts become these, too.
extern "C" __global__ SNN_LAUNCH(128) void snn_starts(const Job* job) {
    const int lane = (int)threadIdx.x % WARP;
    const long long parts = job->parts, warps = (long long)gridDim.x * blockDim.x / WARP;
    for (long long row = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / WARP; row < job->rows; row += warps) {
        unsigned* counts = (unsigned*)job->counts + row * parts;
        long long before = 0;
        for (long long start = 0; start <= parts; start += WARP) {
            const long long part = start + lane;
            const long long count = part < parts ? counts[part] : 0;
            const long long end = before + sum_up_to(count, lane);
            const unsigned begin = (unsigned)(end - count);
            before = __shfl_sync(EVERYONE, end, WARP - 1);
            if (part < parts) {
                counts[part] = begin;
            }
            if (part <= parts && job->bits == 16) {
                ((unsigned short*)job->words)[row * (parts + 1) + part] = (unsigned short)begin;
            } else if (part <= parts) {
                ((unsigned*)job->words)[row * (parts + 1) + part] = begin;
            }
        }
    }
}
