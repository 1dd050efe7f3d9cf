// What every network's step is made of: delivery of spikes, scheduled arrivals, draws, records.
//
// Before this text stand: the types real and sum_t, SNN_COUNTED (0 or 1: whether there are numbers beside the spikes, since
// units may spike more than once in a step, or) SNN_GRADED (0 or 1: spikes of some populations carry payloads; then also
// sends_payloads(shape)), SNN_RESIDENT (what is read in each step is in shared memory), SNN_LIST (rows that a block lists
// before it delivers them) and the names of the table's entries (T_...).

constexpr int LANES = 32;
constexpr unsigned ALL = 0xffffffffu;
constexpr int COUNTED_ROW = 1 << 30;   // in row_of_word: the numbers beside spikes multiply what they add

template <class T>
struct Signed {};
template <>
struct Signed<unsigned short> {
    using type = short;
};
template <>
struct Signed<unsigned> {
    using type = int;
};
template <>
struct Signed<unsigned long long> {
    using type = long long;
};

static __device__ __forceinline__ void add_to(int* place, int more) { atomicAdd(place, more); }
static __device__ __forceinline__ void add_to(long long* place, long long more) {
    atomicAdd((unsigned long long*)place, (unsigned long long)more);
}

// What the list of rows was last made of, the same in all threads. turn: which of its two counters is in use.
struct Memo {
    long long of_step;
    const int* row_of_word;
    int total;
    int turn;
};

// What a block knows. part: of the whole network; own: of this device, the number of the block.
struct Frame {
    const long long* table;
    unsigned char* shared;
    int part;
    int own;
    int row;          // of the ring of inputs, that of `step`
    long long step;
    sum_t* ring;
    mutable Memo memo;

    __device__ __forceinline__ long long whole(int entry) const { return table[entry]; }

    template <class T>
    __device__ __forceinline__ T* at(int entry) const {
        return (T*)table[entry];
    }

    __device__ __forceinline__ sum_t* arrivals() const { return ring + (long long)row * table[T_PLACES]; }

    // Spikes of a step: those of all parts, one after the other.
    __device__ __forceinline__ unsigned* masks(long long of_step) const {
        return at<unsigned>(T_MASKS) + (of_step & table[T_SLOTS]) * table[T_ALL_WORDS];
    }

    __device__ __forceinline__ int* counts(long long of_step) const {
        return at<int>(T_COUNTS) + (of_step & table[T_SLOTS]) * table[T_ALL_WORDS] * LANES;
    }

    // Of the ring, for a step that is fewer than T_ROWS steps away.
    __device__ __forceinline__ int row_of(long long of_step) const {
        const int rows = (int)table[T_ROWS];
        int found = row + (int)(of_step - step);
        found = found >= rows ? found - rows : found;
        return found < 0 ? found + rows : found;
    }
};

// A bundle's entries in the table begin at `entry`, in this order.
enum {
    B_BASE, B_AT, B_WORDS, B_WEIGHTS, B_ROW_WEIGHTS, B_ROW_OF_WORD, B_HOME, B_TARGET_BITS, B_DELAY_BITS, B_DELAY, B_LANES
};

// Where a synapse's weight is.
enum WeightPlace { IN_ROW, IN_WORD, IN_COLUMN };

// The rows of a step's spikes, as the threads of a block share them. count: two counters that take turns, the other one
// is 0. low, length, factor: where the synapses of each row onto this part begin, how many there are, and what multiplies
// them.
struct Listed {
    int count[4];
    int rows[SNN_LIST];
#if SNN_COUNTED
    int times[SNN_LIST];
#endif
    int length[SNN_LIST];
    long long low[SNN_LIST];
    sum_t factor[SNN_LIST];
};

static __device__ __forceinline__ Listed* listed(const Frame& f) { return (Listed*)(f.shared + f.whole(T_LIST)); }

constexpr int AT_ONCE = 4;   // loads that are under way to a thread at the same time

// Four words at once.
struct alignas(16) Quad {
    unsigned mask[4];
};

// Puts the spikes of a word into the list, as far as there is room: row, row + 1, ... for its units. counted: the numbers
// beside them multiply what they add.
static __device__ __forceinline__ void put_in_list(const Frame& f, int row, bool counted, long long of_step, long long word,
                                                   unsigned mask) {
    Listed* list = listed(f);
    int place = atomicAdd(&list->count[f.memo.turn], __popc(mask));
    for (; mask != 0 && place < SNN_LIST; mask &= mask - 1, ++place) {
        const int bit = __ffs((int)mask) - 1;
        list->rows[place] = row + bit;
#if SNN_COUNTED
        list->times[place] = counted ? f.counts(of_step)[word * LANES + bit] : 1;
#endif
    }
}

// Returns how many were put into the list, which may be more than there is room for. of_step, row_of_word: what the list
// holds, to be found again; -1 where it is something else.
static __device__ __forceinline__ int close_list(const Frame& f, long long of_step, const int* row_of_word) {
    Listed* list = listed(f);
    Memo& memo = f.memo;
    if (threadIdx.x == 0) {
        list->count[memo.turn ^ 1] = 0;
    }
    __syncthreads();
    memo = Memo{of_step, row_of_word, list->count[memo.turn], memo.turn ^ 1};
    return memo.total;
}

// The same for rows that a table gives.
static __device__ __forceinline__ void list_word(const Frame& f, const int* row_of_word, long long of_step, int word,
                                                 unsigned mask) {
    const int row = mask != 0 ? row_of_word[word] : -1;
    if (row >= 0) {
        put_in_list(f, row & ~COUNTED_ROW, (row & COUNTED_ROW) != 0, of_step, word, mask);
    }
}

static __device__ __forceinline__ void list_quad(const Frame& f, const int* row_of_word, long long of_step, int word,
                                                 const Quad& quad) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        list_word(f, row_of_word, of_step, word + k, quad.mask[k]);
    }
}

// Lists the rows of the spikes of a step that the words [first, last) hold; returns how many there are, which may be more
// than there is room for. row_of_word: the row of the first unit of each word, or -1. SETTLED: nobody writes words of that
// step any more; else only those that have rows are looked at.
template <bool SETTLED>
static __device__ __forceinline__ int list_rows(const Frame& f, const int* row_of_word, long long of_step, int first,
                                                int last) {
    const bool whole = SETTLED && first == 0 && last == (int)f.whole(T_ALL_WORDS);
    const Memo& memo = f.memo;
    if (whole && memo.of_step == of_step && memo.row_of_word == row_of_word && memo.total <= SNN_LIST) {
        return memo.total;
    }
    const unsigned* masks = f.masks(of_step);
    if (SETTLED && ((first | last) & 3) == 0) {
        const int stride = 4 * (int)blockDim.x;
        for (int i = first + 4 * (int)threadIdx.x; i < last; i += AT_ONCE * stride) {
            Quad quad[AT_ONCE];
#pragma unroll
            for (int u = 0; u < AT_ONCE; ++u) {
                quad[u] = i + u * stride < last ? *(const Quad*)(masks + i + u * stride) : Quad{};
            }
#pragma unroll
            for (int u = 0; u < AT_ONCE; ++u) {
                if ((quad[u].mask[0] | quad[u].mask[1] | quad[u].mask[2] | quad[u].mask[3]) != 0) {
                    list_quad(f, row_of_word, of_step, i + u * stride, quad[u]);
                }
            }
        }
    } else {
        for (int i = first + (int)threadIdx.x; i < last; i += (int)blockDim.x) {
            if (row_of_word[i] >= 0) {
                list_word(f, row_of_word, of_step, i, masks[i]);
            }
        }
    }
    return close_list(f, whole ? of_step : -1, row_of_word);
}

// Calls body(list, n) for all rows of the spikes that the words [first, last) hold: once, or where there are more than the
// list has room for, piece by piece. list[k]: a row; times(f, k): how often its unit spiked, or its payload. All threads
// take part.
template <bool SETTLED = true, class Body>
static __device__ __forceinline__ void each_spike(const Frame& f, const int* row_of_word, long long of_step, int first,
                                                  int last, Body body) {
    if (of_step < 1) {
        return;
    }
    const int* rows = listed(f)->rows;
    int low = first, high = last;
    while (low < last) {
        const int total = list_rows<SETTLED>(f, row_of_word, of_step, low, high);
        if (total <= SNN_LIST) {
            body(rows, total);
            low = high;
        }
        high = low + SNN_LIST / LANES < last ? low + SNN_LIST / LANES : last;
        __syncthreads();
    }
}

static __device__ __forceinline__ int times(const Frame& f, int k) {
#if SNN_COUNTED
    return listed(f)->times[k];
#else
    return 1;
#endif
}

// Where the listed rows' synapses onto this part are: a thread for each row, so that all are looked up at once.
template <class Offset, int PLACE>
static __device__ __forceinline__ void look_up(const Frame& f, int entry, int total) {
    Listed* list = listed(f);
    const long long* base = f.at<long long>(entry + B_BASE);
    const Offset* at = f.at<Offset>(entry + B_AT);
    const long long parts = f.whole(T_OWN) + 1;
    for (int k = (int)threadIdx.x; k < total; k += (int)blockDim.x) {
        const long long row = list->rows[k];
        const Offset* mine = at + row * parts + f.own;
        const int begin = (int)mine[0], end = (int)mine[1];
        list->low[k] = base[row] + begin;
        list->length[k] = end - begin;
        list->factor[k] = (PLACE == IN_ROW ? f.at<sum_t>(entry + B_ROW_WEIGHTS)[row] : (sum_t)1) * (sum_t)times(f, k);
    }
    __syncthreads();
}

// How a synapse of a bundle is added. RING: into the ring, by its delay, but only what arrives later than `after`; else
// into the arrivals of this step.
template <class Word, int PLACE, bool RING>
struct Adder {
    sum_t* arrivals;
    sum_t* ring;
    const long long* weights;
    long long earliest, after, places;
    Word target_mask, delay_mask;
    int target_bits, weight_bits, first_row, rows;

    __device__ __forceinline__ Adder(const Frame& f, int entry, long long of_step, long long after_)
        : arrivals(f.arrivals()), ring(f.ring), weights(f.at<long long>(entry + B_WEIGHTS)),
          earliest(of_step + f.whole(entry + B_DELAY)), after(after_), places(f.whole(T_PLACES)) {
        const int delay_bits = (int)f.whole(entry + B_DELAY_BITS);
        target_bits = (int)f.whole(entry + B_TARGET_BITS);
        weight_bits = target_bits + delay_bits;
        target_mask = (Word)(((Word)1 << target_bits) - 1);
        delay_mask = (Word)(((Word)1 << delay_bits) - 1);
        rows = (int)f.whole(T_ROWS);
        first_row = RING ? f.row_of(earliest) : 0;
    }

    __device__ __forceinline__ void operator()(Word word, long long j, sum_t factor) const {
        sum_t weight = factor;
        if (PLACE == IN_WORD) {
            weight *= (sum_t)((typename Signed<Word>::type)word >> weight_bits);
        } else if (PLACE == IN_COLUMN) {
            weight *= (sum_t)weights[j];
        }
        sum_t* place = arrivals + (word & target_mask);
        if (RING) {
            const int delay = (int)((word >> target_bits) & delay_mask);
            if (earliest + delay <= after) {
                return;
            }
            int row = first_row + delay;
            row = row >= rows ? row - rows : row;
            place = ring + row * places + (word & target_mask);
        }
        add_to(place, weight);
    }
};

// Adds the synapses of the listed rows: `lanes` threads a row, a power of two up to a warp.
template <class Word, class Offset, int PLACE, bool RING>
static __device__ __forceinline__ void deliver_listed(const Frame& f, int entry, long long of_step, long long after,
                                                      int total) {
    look_up<Offset, PLACE>(f, entry, total);
    const Listed* list = listed(f);
    const Word* words = f.at<Word>(entry + B_WORDS);
    const Adder<Word, PLACE, RING> add(f, entry, of_step, after);
    const int lanes = (int)f.whole(entry + B_LANES), lane = (int)threadIdx.x & (lanes - 1);
    const int groups = (int)blockDim.x / lanes;
    for (int first = (int)threadIdx.x / lanes; first < total; first += AT_ONCE * groups) {
        Word word[AT_ONCE];
#pragma unroll
        for (int u = 0; u < AT_ONCE; ++u) {
            const int k = first + u * groups;
            word[u] = k < total && lane < list->length[k] ? words[list->low[k] + lane] : (Word)0;
        }
#pragma unroll
        for (int u = 0; u < AT_ONCE; ++u) {
            const int k = first + u * groups;
            if (k < total && lane < list->length[k]) {
                add(word[u], list->low[k] + lane, list->factor[k]);
            }
        }
#pragma unroll
        for (int u = 0; u < AT_ONCE; ++u) {
            const int k = first + u * groups;
            const int length = k < total ? list->length[k] : 0;
            for (int i = lane + lanes; i < length; i += lanes) {
                add(words[list->low[k] + i], list->low[k] + i, list->factor[k]);
            }
        }
    }
}

// Where each word's rows of a bundle begin.
static __device__ __forceinline__ const int* row_table(const Frame& f, int entry) {
#if SNN_RESIDENT
    return (const int*)(f.shared + f.whole(entry + B_HOME));
#else
    return f.at<int>(entry + B_ROW_OF_WORD);
#endif
}

// Delivers the spikes of a step that a bundle has rows for.
template <class Word, class Offset, int PLACE, bool RING, bool SETTLED = true>
static __device__ __forceinline__ void deliver(const Frame& f, int entry, long long of_step, long long after = 0) {
    each_spike<SETTLED>(f, row_table(f, entry), of_step, 0, (int)f.whole(T_ALL_WORDS), [&](const int*, int total) {
        deliver_listed<Word, Offset, PLACE, RING>(f, entry, of_step, after, total);
    });
}

// --- what is known beforehand --------------------------------------------------------------------------------------------

// Entries of a part's scheduled arrivals, sorted by step; returns the first of a later step.
static __device__ __forceinline__ long long take_schedule(const Frame& f, long long at, long long end) {
    const long long* steps = f.at<long long>(T_SCHEDULE_STEP);
    const int* places = f.at<int>(T_SCHEDULE_PLACE);
    const sum_t* weights = f.at<sum_t>(T_SCHEDULE_WEIGHT);
    for (int taken = (int)blockDim.x; taken == (int)blockDim.x; at += taken) {
        const long long mine = at + threadIdx.x;
        const bool now = mine < end && steps[mine] == f.step;
        if (now) {
            add_to(f.arrivals() + places[mine], weights[mine]);
        }
        taken = __syncthreads_count(now);
    }
    return at;
}

// The first of the sorted `steps` in [low, high) that is later than `step`.
static __device__ __forceinline__ long long first_after(const long long* steps, long long low, long long high,
                                                        long long step) {
    while (low < high) {
        const long long middle = (low + high) >> 1;
        if (steps[middle] <= step) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
