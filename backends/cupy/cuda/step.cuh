// What every network's step is made of: delivery of spikes, scheduled arrivals, draws, records.
//
// Before this text stand: the types real and sum_t, SNN_COUNTED (0 or 1: whether a unit may spike more than once in a
// step), SNN_LIST (rows that a block lists before it delivers them) and the names of the table's entries (T_...).

constexpr int LANES = 32;
constexpr unsigned ALL = 0xffffffffu;
constexpr int COUNTED_ROW = 1 << 30;   // in row_of_word: the units of this word may spike more than once

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

// What a block knows. part: of the whole network; own: of this device, the number of the block.
struct Frame {
    const long long* table;
    unsigned char* shared;
    int part;
    int own;
    int row;          // of the ring of inputs, that of `step`
    long long step;
    sum_t* ring;

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
enum { B_BASE, B_AT, B_WORDS, B_WEIGHTS, B_ROW_WEIGHTS, B_ROW_OF_WORD, B_TARGET_BITS, B_DELAY_BITS, B_DELAY, BUNDLE_ENTRIES };

// Where a synapse's weight is.
enum WeightPlace { IN_ROW, IN_WORD, IN_COLUMN };

// Rows of the spikes of a step that some words hold, as many as have room, in the block's list; returns how many there
// are. row_of_word: the row of the first unit of each word, or -1.
static __device__ __forceinline__ int list_rows(const Frame& f, const int* row_of_word, long long of_step, int first,
                                                int last) {
    int* count = (int*)(f.shared + f.whole(T_LIST));
    int* list = count + 4;
    const unsigned* masks = f.masks(of_step);
    if (threadIdx.x == 0) {
        *count = 0;
    }
    __syncthreads();
    for (int i = first + (int)threadIdx.x; i < last; i += (int)blockDim.x) {
        unsigned mask = masks[i];
        const int row = row_of_word[i];
        if (mask == 0 || row < 0) {
            continue;
        }
        int place = atomicAdd(count, __popc(mask));
        for (; mask != 0 && place < SNN_LIST; mask &= mask - 1, ++place) {
            const int bit = __ffs((int)mask) - 1;
            list[place] = (row & ~COUNTED_ROW) + bit;
#if SNN_COUNTED
            list[SNN_LIST + place] = row & COUNTED_ROW ? f.counts(of_step)[i * LANES + bit] : 1;
#endif
        }
    }
    __syncthreads();
    return *count;
}

// Calls body(list, n) for all rows of the spikes that the words [first, last) hold: once, or where there are more than the
// list has room for, piece by piece. list[k]: a row; times(list, k): how often its unit spiked. All threads take part.
template <class Body>
static __device__ __forceinline__ void each_spike(const Frame& f, const int* row_of_word, long long of_step, int first,
                                                  int last, Body body) {
    if (of_step < 1) {
        return;
    }
    const int* list = (const int*)(f.shared + f.whole(T_LIST)) + 4;
    const int total = list_rows(f, row_of_word, of_step, first, last);
    if (total <= SNN_LIST) {
        body(list, total);
        __syncthreads();
        return;
    }
    for (int low = first; low < last; low += SNN_LIST / LANES) {
        const int high = low + SNN_LIST / LANES;
        const int some = list_rows(f, row_of_word, of_step, low, high < last ? high : last);
        body(list, some);
        __syncthreads();
    }
}

static __device__ __forceinline__ int times(const int* list, int k) {
#if SNN_COUNTED
    return list[SNN_LIST + k];
#else
    return 1;
#endif
}

// Adds the synapses of the listed rows. RING: into the ring, by their delays after `of_step`, but only what arrives later
// than `after`; else into the arrivals of this step.
template <class Word, class Offset, int PLACE, bool RING>
static __device__ __forceinline__ void deliver_listed(const Frame& f, int entry, long long of_step, long long after,
                                                      const int* list, int total) {
    const long long* base = f.at<long long>(entry + B_BASE);
    const Offset* at = f.at<Offset>(entry + B_AT);
    const Word* words = f.at<Word>(entry + B_WORDS);
    const int target_bits = (int)f.whole(entry + B_TARGET_BITS), delay_bits = (int)f.whole(entry + B_DELAY_BITS);
    const Word target_mask = (Word)(((Word)1 << target_bits) - 1), delay_mask = (Word)(((Word)1 << delay_bits) - 1);
    const long long earliest = of_step + f.whole(entry + B_DELAY);
    const int rows = (int)f.whole(T_ROWS), first_row = RING ? f.row_of(earliest) : 0;
    const long long places = f.whole(T_PLACES), parts = f.whole(T_OWN) + 1;
    sum_t* arrivals = f.arrivals();
    for (int k = (int)threadIdx.x / LANES; k < total; k += (int)blockDim.x / LANES) {
        const int source = list[k];
        const long long begin = base[source];
        const long long low = begin + at[source * parts + f.own], high = begin + at[source * parts + f.own + 1];
        sum_t weight = PLACE == IN_ROW ? f.at<sum_t>(entry + B_ROW_WEIGHTS)[source] : (sum_t)0;
        for (long long j = low + (threadIdx.x & (LANES - 1)); j < high; j += LANES) {
            const Word word = words[j];
            if (PLACE == IN_WORD) {
                weight = (sum_t)((typename Signed<Word>::type)word >> (target_bits + delay_bits));
            } else if (PLACE == IN_COLUMN) {
                weight = (sum_t)f.at<long long>(entry + B_WEIGHTS)[j];
            }
            sum_t* place = arrivals + (word & target_mask);
            if (RING) {
                const int delay = (int)((word >> target_bits) & delay_mask);
                if (earliest + delay <= after) {
                    continue;
                }
                int row = first_row + delay;
                row = row >= rows ? row - rows : row;
                place = f.ring + row * places + (word & target_mask);
            }
            add_to(place, weight * (sum_t)times(list, k));
        }
    }
}

// Delivers the spikes of a step that a bundle has rows for.
template <class Word, class Offset, int PLACE, bool RING>
static __device__ __forceinline__ void deliver(const Frame& f, int entry, long long of_step, long long after = 0) {
    each_spike(f, f.at<int>(entry + B_ROW_OF_WORD), of_step, 0, (int)f.whole(T_ALL_WORDS), [&](const int* list, int n) {
        deliver_listed<Word, Offset, PLACE, RING>(f, entry, of_step, after, list, n);
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
