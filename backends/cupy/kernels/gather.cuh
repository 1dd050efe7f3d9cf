// The spikes of some steps as lists, sorted by unit. A block does a step; a thread a run of words in the order of units.

constexpr int GRADED_WORD = 1 << 30;   // in `order`: the numbers beside the spikes of this word are payloads

// How many spikes a word stands for.
static __device__ __forceinline__ int spikes_of(const unsigned* masks, const int* counts, int word) {
    const unsigned mask = masks[word & ~GRADED_WORD];
#if SNN_COUNTED
    if ((word & GRADED_WORD) != 0) {
        return __popc(mask);
    }
    int total = 0;
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        total += counts[(long long)word * LANES + __ffs((int)rest) - 1];
    }
    return total;
#else
    return __popc(mask);
#endif
}

// totals[k]: spikes of step first + k. order: the words by their units.
extern "C" __global__ void SNN_LAUNCH(SNN_THREADS)
snn_count(const long long* given, long long first, const int* order, long long* totals) {
    SNN_SHARED(shared);
    int* sum = (int*)shared;
    const long long words = given[T_ALL_WORDS], slot = (first + blockIdx.x) & given[T_SLOTS];
    const unsigned* masks = (const unsigned*)given[T_MASKS] + slot * words;
    const int* counts = (const int*)given[T_COUNTS] + slot * words * LANES;
    if (threadIdx.x == 0) {
        *sum = 0;
    }
    __syncthreads();
    int mine = 0;
    for (long long k = threadIdx.x; k < words; k += blockDim.x) {
        mine += spikes_of(masks, counts, order[k]);
    }
    if (mine != 0) {
        atomicAdd(sum, mine);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        totals[blockIdx.x] = *sum;
    }
}

// units: those of step first + k from ends[k] on. unit_of_word: the number of the first unit of each. payloads: beside
// units, where spikes of some populations carry any.
extern "C" __global__ void SNN_LAUNCH(SNN_THREADS)
snn_list(const long long* given, long long first, const int* order, const int* unit_of_word, const long long* ends,
         int* units, int* payloads) {
    SNN_SHARED(shared);
    int* sums = (int*)shared;
    const long long words = given[T_ALL_WORDS], slot = (first + blockIdx.x) & given[T_SLOTS];
    const unsigned* masks = (const unsigned*)given[T_MASKS] + slot * words;
    const int* counts = (const int*)given[T_COUNTS] + slot * words * LANES;
    const long long each = (words + blockDim.x - 1) / blockDim.x;
    const long long low = threadIdx.x * each, high = low + each < words ? low + each : words;
    int mine = 0;
    for (long long k = low; k < high; ++k) {
        mine += spikes_of(masks, counts, order[k]);
    }
    sums[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned reach = 1; reach < blockDim.x; reach *= 2) {
        const int before = threadIdx.x >= reach ? sums[threadIdx.x - reach] : 0;
        __syncthreads();
        sums[threadIdx.x] += before;
        __syncthreads();
    }
    long long at = ends[blockIdx.x] + sums[threadIdx.x] - mine;
    for (long long k = low; k < high; ++k) {
        const int word = order[k] & ~GRADED_WORD;
        for (unsigned rest = masks[word]; rest != 0; rest &= rest - 1) {
            const int bit = __ffs((int)rest) - 1;
#if SNN_COUNTED
            const bool graded = (order[k] & GRADED_WORD) != 0;
            const int number = counts[(long long)word * LANES + bit], times = graded ? 1 : number;
#else
            const int times = 1;
#endif
            for (int time = 0; time < times; ++time) {
#if SNN_GRADED
                payloads[at] = graded ? number : 1;
#endif
                units[at++] = unit_of_word[word] + bit;
            }
        }
    }
}

// The opposite for one step: marks of the units that spike, from zeros. unit_place: bit number of each unit. payloads:
// 1 for units that send none, so that the numbers beside those that may spike several times become counts.
extern "C" __global__ void SNN_LAUNCH(SNN_THREADS)
snn_mark(const long long* given, const long long* steps, const int* units, const int* payloads, const int* unit_place,
         long long n) {
    const long long words = given[T_ALL_WORDS];
    for (long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x; k < n; k += (long long)gridDim.x * blockDim.x) {
        const long long slot = steps[k] & given[T_SLOTS];
        const int place = unit_place[units[k]];
        atomicOr((unsigned*)given[T_MASKS] + slot * words + place / LANES, 1u << (place % LANES));
#if SNN_COUNTED
        atomicAdd((int*)given[T_COUNTS] + slot * words * LANES + place, payloads[k]);
#endif
    }
}
