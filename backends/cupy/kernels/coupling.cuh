// What continuous couplings share: the rows of the variables that they read, sums over the synapses of a target, and how a
// run stops.
//
// The variables of all units lie in two rows, by parity of the step. In a step the row of the step before is read while the
// other one is filled; blocks meet in every step, so nobody fills a row that somebody still reads.

// Entries of a coupled variable. EACH: 1 where the offset has a number for each unit, else 0.
enum { V_PUBLISHED, V_STORED, V_OFFSET, V_EACH };
// Entries of a coupled projection; its parameters, reals, follow.
enum { C_ROWS, C_SOURCES, C_WEIGHTS, C_QUANTA, C_LIMIT, C_SCALARS };
// Entries of what stops a run: the step in which each device found something wrong, how many devices there are, which of
// them this is.
enum { D_STEPS, D_DEVICES, D_DEVICE };

// The values of all units of a population after a step. p: its entries; v: those of the variable.
static __device__ __forceinline__ real* published(const long long* p, const long long* v, long long of_step) {
    return (real*)v[V_PUBLISHED] + (of_step & 1) * p[P_N];
}

// Lets the other blocks see the values of own units. stored: from the part's first unit.
static __device__ __forceinline__ void publish_values(const Frame& f, const long long* p, const long long* v,
                                                      const real* stored) {
    real* out = published(p, v, f.step) + p[P_OWN_LOW] + p[P_LOW];
    const double* offset = (const double*)v[V_OFFSET];
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        out[i] = (real)((double)stored[i] + offset[v[V_EACH] * (p[P_LOW] + i)]);
    }
}

// Sums for the own units of a population: EACH threads a unit, a power of two up to a warp. body(i, k): what thread k of
// them adds to unit i, counted from the device's first.
template <int EACH, class Body>
static __device__ __forceinline__ void each_target(const long long* p, long long* sums, Body body) {
    const int mine = (int)threadIdx.x & (EACH - 1), size = (int)p[P_SIZE], low = (int)p[P_LOW];
    for (int first = 0; first < size; first += (int)blockDim.x / EACH) {
        const int i = first + (int)threadIdx.x / EACH;
        long long total = i < size ? body(low + i, mine) : 0;
#pragma unroll
        for (int by = EACH / 2; by > 0; by /= 2) {
            total += __shfl_down_sync(ALL, total, by);
        }
        if (mine == 0 && i < size) {
            sums[low + i] = total;
        }
    }
}

// What a synapse adds, in whole quanta; notes where it is more than it may be.
static __device__ __forceinline__ long long whole_quanta(double adds, double quanta, double limit, bool& wrong) {
    const bool right = fabs(adds) <= limit;
    wrong |= !right;
    return right ? (long long)rint(adds * quanta) : 0;
}

// All blocks stop after the step in which one found something wrong, before what that step began with is written over.
static __device__ __forceinline__ void note_wrong(const Frame& f, bool wrong) {
    if (wrong) {
        atomicExch(f.at<unsigned>(T_DIVERGED + D_STEPS) + f.whole(T_DIVERGED + D_DEVICE), (unsigned)f.step);
    }
}

// Whether something was wrong until this step. Blocks may ask while others are a step ahead.
static __device__ __forceinline__ bool stopped(const Frame& f) {
    const unsigned* steps = f.at<unsigned>(T_DIVERGED + D_STEPS);
    bool wrong = false;
    for (int k = (int)threadIdx.x; k < (int)f.whole(T_DIVERGED + D_DEVICES); k += (int)blockDim.x) {
        wrong |= (int)(snn_load_acquire(steps + k) - (unsigned)f.step) <= 0;
    }
    return __syncthreads_or(wrong) != 0;
}
