// What learning projections of Loihi share, all in whole numbers. x: the entries of a projection; l: what a block knows of it.
//
// Units note their own spikes in each step. At the end of an epoch they show in which of its steps they spiked last, 0 where
// they did not, and what their traces were in each of its steps. What is shown lies in two places that take turns from epoch
// to epoch, because a block may be a step ahead of those that still read. Synapses change after the blocks have met.
//
// Before this text stand the names of the entries (L_...), MOST_TRACE, LOWEST_SUM and HIGHEST_SUM.

typedef unsigned char Small;

// Entries of a trace. DECAY, FRACTION: what each value decays to, whole parts and fractions; IMPULSE, PART: what a spike
// adds, a whole number and a fraction in 1/256; PAST: shown, [2, steps of an epoch + 1, units].
enum { A_VALUES, A_DECAY, A_FRACTION, A_IMPULSE, A_PART, A_PAST };
// Entries of a side. LAST: the moment of each unit's last spike in this epoch; SHOWN: the same at its end, [2, units].
enum { E_LAST, E_SHOWN };

static __device__ __forceinline__ int clip(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

// A product in 32 bits, which wrap, and the same shifted.
static __device__ __forceinline__ int product(int value) { return value; }

template <class... More>
static __device__ __forceinline__ int product(int value, int factor, More... more) {
    return product((int)((unsigned)value * (unsigned)factor), more...);
}

static __device__ __forceinline__ int shifted(int value, int right, int left) {
    return (int)((unsigned)(value >> right) << left);
}

// A product on top of the accumulator.
static __device__ __forceinline__ int added(int total, int more) {
    return clip(total + clip(more, LOWEST_SUM, HIGHEST_SUM), LOWEST_SUM, HIGHEST_SUM);
}

// The random number of a step.
template <class T>
static __device__ __forceinline__ T drawn(const long long* x, int entry, long long step) {
    return ((const T*)x[entry])[step - x[L_DRAWN_FROM]];
}

// The place of a step in its epoch, from 1; which of two places is its turn.
static __device__ __forceinline__ int moment_of(const long long* x, long long step) {
    return (int)((step - 1) % x[L_EPOCH]) + 1;
}

static __device__ __forceinline__ long long turn_of(const long long* x, long long step) {
    return step / x[L_EPOCH] & 1;
}

// --- units -----------------------------------------------------------------------------------------------------------

// The part's units of one side. p: entries of their population; first: where they begin in arrays of n units; e: the
// entries of the side.
struct Side {
    const long long* p;
    long long first;
    long long n;
    const long long* e;
};

static __device__ __forceinline__ Side side_before(const Frame& f, const long long* x) {
    const long long* p = population(f, x[X_SOURCE]);
    return Side{p, p[P_OWN_LOW] + p[P_LOW], x[X_N_SOURCE], x + L_LAST_PRE};
}

static __device__ __forceinline__ Side side_after(const Frame& f, const long long* x) {
    const long long* p = population(f, x[X_TARGET]);
    return Side{p, p[P_LOW], x[X_N_TARGET], x + L_LAST_POST};
}

// A trace after a spike. a: its entries.
static __device__ __forceinline__ int lifted(int value, const long long* a, int draw) {
    value += (int)a[A_IMPULSE] + (draw < (int)a[A_PART] ? 1 : 0);
    return value < MOST_TRACE ? value : MOST_TRACE;
}

// A trace in this step: a second spike of the epoch raises it at once; at the end it goes through all steps of the epoch.
// decay, impulse, again: random numbers of the step.
static __device__ __forceinline__ void keep_small_trace(const Frame& f, const long long* x, const Side& side, int entry,
                                                        double decay, int impulse, int again) {
    const long long* a = x + entry;
    const int epoch = (int)x[L_EPOCH], now = moment_of(x, f.step);
    const Small *last = (const Small*)side.e[E_LAST] + side.first, *whole = (const Small*)a[A_DECAY];
    const double* fraction = (const double*)a[A_FRACTION];
    Small* values = (Small*)a[A_VALUES] + side.first;
    Small* past = (Small*)a[A_PAST] + turn_of(x, f.step) * (epoch + 1) * side.n + side.first;
    for (int i = (int)threadIdx.x; i < (int)side.p[P_SIZE]; i += (int)blockDim.x) {
        const bool spiked = spikes_of_unit(f, side.p, f.step, i) > 0;
        int value = values[i], latest = last[i];
        if (spiked && latest > 0) {
            value = lifted(value, a, again);
        }
        if (now == epoch) {
            latest = spiked ? now : latest;
            past[i] = (Small)value;
            for (int k = 1; k <= epoch; ++k) {
                value = (int)whole[value] + (decay < fraction[value] ? 1 : 0);
                value = latest == k ? lifted(value, a, impulse) : value;
                past[k * side.n + i] = (Small)value;
            }
        }
        values[i] = (Small)value;
    }
}

// When units spiked last in this epoch; after their traces.
static __device__ __forceinline__ void keep_moments(const Frame& f, const long long* x, const Side& side) {
    const int now = moment_of(x, f.step);
    const bool ends = now == (int)x[L_EPOCH];
    Small* last = (Small*)side.e[E_LAST] + side.first;
    Small* shown_ = (Small*)side.e[E_SHOWN] + turn_of(x, f.step) * side.n + side.first;
    for (int i = (int)threadIdx.x; i < (int)side.p[P_SIZE]; i += (int)blockDim.x) {
        const Small latest = spikes_of_unit(f, side.p, f.step, i) > 0 ? (Small)now : last[i];
        last[i] = ends ? (Small)0 : latest;
        if (ends) {
            shown_[i] = latest;
        }
    }
}

// --- synapses --------------------------------------------------------------------------------------------------------

// Sends the weights of the rows of the sources that spiked; they arrive in the next step. All threads take part.
template <class Target>
static __device__ __forceinline__ void send_weights(const Frame& f, const Learning& l) {
    const Target* targets = column_at<const Target>(l, X_TARGETS);
    const short* w = column_at<const short>(l, X_STATE_W);
    sum_t* later = (sum_t*)l.x[X_RING] + ring_row(l.step + 1, l.x[X_UNDER_WAY]) * l.x[X_N_TARGET];
    const unsigned lanes = (unsigned)l.x[X_LANES], lane = threadIdx.x & (lanes - 1);
    const int groups = (int)(blockDim.x / lanes);
    each_spike(f, (const int*)l.x[X_SOURCE_ROWS], l.step, 0, (int)f.whole(T_ALL_WORDS), [&](const int* list, int total) {
        for (int k = (int)(threadIdx.x / lanes); k < total; k += groups) {
            const sum_t factor = (sum_t)times(f, k) * ((sum_t)1 << (int)l.x[L_LEFT]);
            const unsigned end = l.rows[list[k] + 1];
            for (unsigned j = l.rows[list[k]] + lane; j < end; j += lanes) {
                add_to(later + targets[j], (sum_t)w[j] * factor);
            }
        }
    });
}

// What a trace was in each step of the epoch that ended.
struct Past {
    const Small* rows;
    long long n;

    __device__ __forceinline__ int operator()(int moment, int unit) const { return rows[moment * n + unit]; }
};

static __device__ __forceinline__ Past past_of(const Learning& l, int entry, long long n) {
    return Past{(const Small*)l.x[entry + A_PAST] + turn_of(l.x, l.step) * (l.x[L_EPOCH] + 1) * n, n};
}

// Calls body(i, t, s, v, j) for the part's synapses j from sources i to own targets t that may change at the end of an
// epoch; s, v: when these spiked last. lone: also rows of sources that have not spiked; all: also where no side has.
template <class Target, class Body>
static __device__ __forceinline__ void each_changing(const Learning& l, bool lone, bool all, Body body) {
    const long long turn = turn_of(l.x, l.step), n_source = l.x[X_N_SOURCE];
    const Small* before = (const Small*)l.x[L_LAST_PRE + E_SHOWN] + turn * n_source;
    const Small* after = (const Small*)l.x[L_LAST_POST + E_SHOWN] + turn * l.x[X_N_TARGET];
    const Target* targets = column_at<const Target>(l, X_TARGETS);
    const unsigned lanes = (unsigned)l.x[X_LANES], lane = threadIdx.x & (lanes - 1);
    for (int i = (int)(threadIdx.x / lanes); i < (int)n_source; i += (int)(blockDim.x / lanes)) {
        const int s = before[i];
        if (s == 0 && !lone) {
            continue;
        }
        const unsigned end = l.rows[i + 1];
        for (unsigned j = l.rows[i] + lane; j < end; j += lanes) {
            const int t = (int)targets[j], v = after[t];
            if (s > 0 || v > 0 || all) {
                body(i, t, s, v, j);
            }
        }
    }
}
