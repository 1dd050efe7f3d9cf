// What all plastic projections share, and with learning ones what both have in common. x: the entries of a projection; synapses of a part are counted from its first one.
//
// Before this text stand the names of a projection's entries (X_...), NEVER and LONG_AGO.

// What a block knows of a projection in a step. p: entries of the target population. base: where the part's synapses
// begin among those of the device; rows: where those of each source begin within the part; count: how many there are.
struct Learning {
    const long long* x;
    const long long* p;
    long long step;
    long long base;
    const unsigned* rows;
    unsigned count;
    real modulator;
};

static __device__ __forceinline__ const long long* population(const Frame& f, long long number) {
    return f.table + f.whole(T_ENTRY + (int)number);
}

static __device__ __forceinline__ Learning begin_learning(const Frame& f, const long long* x, long long step) {
    const long long* base = (const long long*)x[X_BASE] + f.own;
    const unsigned* rows = (const unsigned*)x[X_ROWS] + f.own * (x[X_N_SOURCE] + 1);
    return Learning{x, population(f, x[X_TARGET]), step, base[0], rows, (unsigned)(base[1] - base[0]), (real)0};
}

// A number that stands in an entry; a column of the part's synapses.
static __device__ __forceinline__ double exactly(const long long* x, int entry) {
    return __longlong_as_double(x[entry]);
}

static __device__ __forceinline__ real number(const long long* x, int entry) { return (real)exactly(x, entry); }

template <class T>
static __device__ __forceinline__ T* column_at(const Learning& l, int entry) {
    return (T*)l.x[entry] + l.base;
}

// The row of a step in a ring of mask + 1 rows, a power of two; steps before the first one have rows, too.
static __device__ __forceinline__ long long ring_row(long long step, long long mask) { return step & mask; }

// What sources show in a step, [sources].
template <class T>
static __device__ __forceinline__ T* shown(const long long* x, int entry, int mask, long long step) {
    return (T*)x[entry] + ring_row(step, x[mask]) * x[X_N_SOURCE];
}

// The modulating variable of all units as a step left it.
static __device__ __forceinline__ const real* variable(const long long* x, long long step) {
    return (const real*)x[X_VARIABLE] + ring_row(step, x[X_SHOWN]) * x[X_VARIABLE_N];
}

// Time since the latest presynaptic event.
static __device__ __forceinline__ real since(long long last, long long step, double dt) {
    return (real)(last == NEVER ? LONG_AGO : (double)(step - last) * dt);
}

// --- traces ----------------------------------------------------------------------------------------------------------

// How many spikes the number beside a marked unit stands for: a payload is that of one.
static __device__ __forceinline__ int count_of(const long long* p, int number) {
#if SNN_GRADED
    return sends_payloads((int)p[P_SHAPE]) ? 1 : number;
#else
    return number;
#endif
}

static __device__ __forceinline__ int spikes_of_unit(const Frame& f, const long long* p, long long of_step, int i) {
    const long long word = (long long)f.part * f.whole(T_WORDS) + p[P_WORD] + i / LANES;
    if (of_step < 1 || ((f.masks(of_step)[word] >> (i % LANES)) & 1u) == 0) {
        return 0;
    }
#if SNN_COUNTED
    return count_of(p, f.counts(of_step)[word * LANES + i % LANES]);
#else
    return 1;
#endif
}

static __device__ __forceinline__ real raised(real value, int spikes, real more, bool nearest) {
    for (int k = 0; k < spikes; ++k) {
        value = nearest ? more : value + more;
    }
    return value;
}

// A trace of the part's sources in this step, for all to see.
static __device__ __forceinline__ void keep_source_trace(const Frame& f, const long long* x, int entry, real decay,
                                                         real more, bool nearest) {
    const long long* p = population(f, x[X_SOURCE]);
    const long long first = p[P_OWN_LOW] + p[P_LOW];
    const real* before = shown<real>(x, entry, X_SHOWN, f.step - 1) + first;
    real* now = shown<real>(x, entry, X_SHOWN, f.step) + first;
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        now[i] = raised(before[i] * decay, spikes_of_unit(f, p, f.step - x[X_AXONAL], i), more, nearest);
    }
}

// The step of the latest presynaptic event of the part's sources.
static __device__ __forceinline__ void keep_last(const Frame& f, const long long* x) {
    const long long* p = population(f, x[X_SOURCE]);
    const long long first = p[P_OWN_LOW] + p[P_LOW];
    const long long* before = shown<long long>(x, X_LAST, X_LAST_SHOWN, f.step - 1) + first;
    long long* now = shown<long long>(x, X_LAST, X_LAST_SHOWN, f.step) + first;
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        now[i] = spikes_of_unit(f, p, f.step - x[X_AXONAL], i) > 0 ? f.step : before[i];
    }
}

// A trace of own targets in this step, before and after its spikes.
static __device__ __forceinline__ void keep_target_trace(const Frame& f, const long long* x, int before, int after,
                                                         real decay, real more, bool nearest) {
    const long long *p = population(f, x[X_TARGET]), n = x[X_N_TARGET];
    const long long row = ring_row(f.step, x[X_SEEN]) * n + p[P_LOW];
    const real* old = (const real*)x[after] + ring_row(f.step - 1, x[X_SEEN]) * n + p[P_LOW];
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        const real value = old[i] * decay;
        ((real*)x[before])[row + i] = value;
        ((real*)x[after])[row + i] = raised(value, spikes_of_unit(f, p, f.step, i), more, nearest);
    }
}

// The part's trace of all modulating spikes, as a step left it.
static __device__ __forceinline__ real* modulator_trace(const Frame& f, const long long* x, int entry, long long step) {
    return (real*)x[entry] + 2 * f.own + (step & 1);
}

static __device__ __forceinline__ void keep_modulator_trace(const Frame& f, const Learning& l, int entry, int spikes,
                                                            real decay, real more, bool nearest) {
    if (threadIdx.x == 0) {
        *modulator_trace(f, l.x, entry, l.step) =
            raised(*modulator_trace(f, l.x, entry, l.step - 1) * decay, spikes, more, nearest);
    }
}

// How often the units of the modulating population spiked in a step. All threads take part.
static __device__ __forceinline__ int modulating_spikes(const Frame& f, const long long* x, long long of_step) {
    int* total = &listed(f)->count[2];   // nobody else's
    if (threadIdx.x == 0) {
        *total = 0;
    }
    __syncthreads();
    const long long *p = population(f, x[X_MODULATOR]), first = p[P_WORD];
    const int words = (int)x[X_MODULATOR_WORDS], all = words * (int)f.whole(T_PARTS);
    int mine = 0;
    for (int k = (int)threadIdx.x; of_step >= 1 && k < all; k += (int)blockDim.x) {
        const long long word = k / words * f.whole(T_WORDS) + first + k % words;
        const unsigned mask = f.masks(of_step)[word];
#if SNN_COUNTED
        for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
            mine += count_of(p, f.counts(of_step)[word * LANES + __ffs((int)rest) - 1]);
        }
#else
        mine += __popc(mask);
#endif
    }
    if (mine != 0) {
        atomicAdd(total, mine);
    }
    __syncthreads();
    const int found = *total;
    __syncthreads();
    return found;
}

// Shows a modulating variable of own units as this step leaves it. offset: of what is stored; each: whether units differ.
template <class T>
static __device__ __forceinline__ void keep_variable(const Frame& f, const long long* x, const T* values) {
    const long long* p = population(f, x[X_MODULATOR]);
    const double* offset = (const double*)x[X_OFFSET];
    real* now = (real*)x[X_VARIABLE] + ring_row(f.step, x[X_SHOWN]) * x[X_VARIABLE_N] + p[P_OWN_LOW] + p[P_LOW];
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        now[i] = (real)((double)values[i] + offset[x[X_OFFSET_EACH] != 0 ? p[P_LOW] + i : 0]);
    }
}

// --- postsynaptic events ---------------------------------------------------------------------------------------------

// Own spikes that reach their synapses in this step, after any delay, as many as have room. An item is a word of the
// part's targets with one of the delays; an entry of the list is 32 * item + bit.
static __device__ __forceinline__ int list_late(const Frame& f, const Learning& l, int words, int first, int last) {
    for (int item = first + (int)threadIdx.x; item < last; item += (int)blockDim.x) {
        const long long of_step = l.step - l.x[X_LOW] - item / words;
        const long long word = (long long)f.part * f.whole(T_WORDS) + l.p[P_WORD] + item % words;
        const unsigned mask = of_step < 1 ? 0u : f.masks(of_step)[word];
        if (mask != 0) {
            put_in_list(f, item * LANES, true, of_step, word, mask);
        }
    }
    return close_list(f, -1, nullptr);
}

static __device__ __forceinline__ int target_words(const Learning& l) { return ((int)l.p[P_SIZE] + LANES - 1) / LANES; }

// Calls body(list, n) for them all, as ``each_spike`` does.
template <class Body>
static __device__ __forceinline__ void each_late_spike(const Frame& f, const Learning& l, Body body) {
    const int words = target_words(l), items = words * (int)l.x[X_DELAY_COUNT];
    int low = 0, high = items;
    while (low < items) {
        const int total = list_late(f, l, words, low, high);
        if (total <= SNN_LIST) {
            body(listed(f)->rows, total);
            low = high;
        }
        high = low + SNN_LIST / LANES < items ? low + SNN_LIST / LANES : items;
        __syncthreads();
    }
}

// The first place in [low, high) of a column, sorted by delay, whose delay is not below `late`.
template <class Delay>
static __device__ __forceinline__ unsigned not_before(const unsigned* positions, const Delay* delays, unsigned late,
                                                      unsigned low, unsigned high) {
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        if (delays[positions[middle]] < late) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Where the synapses onto a target with one delay begin and end among the part's columns.
struct Piece {
    unsigned low;
    unsigned high;
};

template <class Delay>
static __device__ __forceinline__ Piece piece_of(const Learning& l, const unsigned* positions, const Delay* delays,
                                                 int target, int late) {
    const unsigned *columns = (const unsigned*)l.x[X_COLUMNS], base = (unsigned)l.base;
    const long long groups = l.x[X_GROUPS];
    if (groups > 0) {
        const long long at = target * groups + late;
        return Piece{columns[at] - base, columns[at + 1] - base};
    }
    const unsigned end = columns[target + 1] - base;
    const unsigned low = not_before(positions, delays, (unsigned)late, columns[target] - base, end);
    return Piece{low, not_before(positions, delays, (unsigned)late + 1, low, end)};
}

// --- what is sent ----------------------------------------------------------------------------------------------------

// The source whose row holds a synapse.
static __device__ __forceinline__ int source_of(const Learning& l, unsigned synapse) {
    int low = 0, high = (int)l.x[X_N_SOURCE];
    while (low < high) {
        const int middle = (low + high) >> 1;
        if (l.rows[middle + 1] <= synapse) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// The first event of a thread in a step that sends more than it may; `key` says which of them is before another.
struct Worst {
    unsigned long long key;
    real sent;

    __device__ __forceinline__ void note(bool fine, int time, unsigned synapse, real value) {
        const unsigned long long here = (unsigned long long)time << 32 | synapse;
        if (!fine && here < key) {
            key = here;
            sent = value;
        }
    }
};

constexpr unsigned long long NOWHERE = ~0ull;

// Keeps the first one of the part. All threads take part.
static __device__ __forceinline__ void blame(const Frame& f, const Learning& l, const Worst& worst) {
    if (!__syncthreads_or(worst.key != NOWHERE)) {
        return;
    }
    long long* fault = (long long*)l.x[X_FAULT] + 2 * f.own;
    const bool first = fault[0] == 0;
    __syncthreads();
    if (first && worst.key != NOWHERE) {
        atomicMin((unsigned long long*)fault + 1, worst.key);
    }
    __syncthreads();
    if (first && worst.key != NOWHERE && (unsigned long long)fault[1] == worst.key) {
        fault[0] = l.step;
        ((real*)l.x[X_FOUND])[f.own] = worst.sent;
    }
    __syncthreads();
}

// Notes what a synapse sends, if it is watched. The length of the log is right also where that is beyond its room.
static __device__ __forceinline__ void log_sent(const Frame& f, const Learning& l, unsigned synapse, real sent) {
    const long long* start = (const long long*)l.x[X_WATCH_START] + f.own;
    const unsigned* watched = (const unsigned*)l.x[X_WATCHED];
    long long low = start[0], high = start[1];
    while (low < high) {
        const long long middle = (low + high) >> 1;
        if (watched[middle] < synapse) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < start[1] && watched[low] == synapse; ++low) {
        const long long place = (long long)atomicAdd((unsigned long long*)l.x[X_LOG_LENGTH], 1ull);
        if (place < l.x[X_LOG_ROOM]) {
            ((long long*)l.x[X_LOG_ENTRY])[place] = low;
            ((long long*)l.x[X_LOG_STEP])[place] = l.step;
            ((real*)l.x[X_LOG_VALUE])[place] = number(l.x, X_SIGN) * sent;
        }
    }
}

// What was sent arrives in this step.
static __device__ __forceinline__ void take_arrivals(const Frame& f, const long long* x) {
    const long long* p = population(f, x[X_TARGET]);
    sum_t* sent = (sum_t*)x[X_RING] + ring_row(f.step, x[X_UNDER_WAY]) * x[X_N_TARGET] + p[P_LOW];
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        const sum_t weight = sent[i];
        if (weight != 0) {
            sent[i] = 0;
            if (x[X_PLACE] >= 0) {
                add_to(f.arrivals() + x[X_PLACE] + i, weight);
            }
        }
    }
}

// --- all synapses ----------------------------------------------------------------------------------------------------

// Sums of the weights onto own targets, in whole quanta. All threads take part.
template <class Target>
static __device__ __forceinline__ void sum_weights(const Learning& l) {
    long long* sums = (long long*)l.x[X_SUMS];
    for (int i = (int)threadIdx.x; i < (int)l.p[P_SIZE]; i += (int)blockDim.x) {
        sums[l.p[P_LOW] + i] = 0;
    }
    __syncthreads();
    const Target* targets = column_at<const Target>(l, X_TARGETS);
    const real *w = column_at<const real>(l, X_STATE_W), size = number(l.x, X_SIZE);
    for (unsigned j = threadIdx.x; j < l.count; j += blockDim.x) {
        add_to(sums + targets[j], (long long)rint(w[j] * size));
    }
    __syncthreads();
}

// Rows of recorded weights. r: the entries of a request, as those of a recorded variable.
template <class Weight>
static __device__ __forceinline__ void record_weights(const Frame& f, const long long* r, const long long* x,
                                                      long long of_step) {
    if (of_step % r[R_EVERY] != 0) {
        return;
    }
    const int* start = (const int*)r[R_START];
    const Weight* w = (const Weight*)x[X_STATE_W] + ((const long long*)x[X_BASE])[f.own];
    const real sign = number(x, X_SIGN);
    real* out = (real*)r[R_OUT] + (of_step / r[R_EVERY] - r[R_FIRST]) * r[R_COLUMNS];
    for (int k = start[f.own] + (int)threadIdx.x; k < start[f.own + 1]; k += (int)blockDim.x) {
        out[((const int*)r[R_PLACE])[k]] = sign * (real)w[((const unsigned*)r[R_UNITS])[k]];
    }
}
