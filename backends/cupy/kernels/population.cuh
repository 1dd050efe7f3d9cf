// What the update of a unit reads besides its state: draws and continuous inputs. p: the population's entries.

// Where an array of states is while a launch runs: in shared memory, counted from the part's first unit, or in global.
template <class T>
static __device__ __forceinline__ T* home(const Frame& f, const long long* p, int field) {
#if SNN_RESIDENT
    return (T*)(f.shared + p[field + 1]);
#else
    return (T*)p[field] + p[P_LOW];
#endif
}

#if SNN_RESIDENT
template <class T>
static __device__ __forceinline__ void copy_home(const Frame& f, const long long* p, int field, bool in) {
    T* here = home<T>(f, p, field);
    T* there = (T*)p[field] + p[P_LOW];
    for (int i = (int)threadIdx.x; i < (int)p[P_SIZE]; i += (int)blockDim.x) {
        if (in) {
            here[i] = there[i];
        } else {
            there[i] = here[i];
        }
    }
}
#endif

// Entries of a Poisson stream and of one of words.
enum { S_DRAWN, S_HOME, S_THRESHOLDS, S_ENDS, S_TABLE, S_PARTS, S_STREAM, S_ONSET };
enum { W_DRAWN, W_HOME, W_STREAM };

template <class T>
static __device__ __forceinline__ T* drawn_at(const Frame& f, const long long* s, int at, int i) {
#if SNN_RESIDENT
    return (T*)(f.shared + s[S_HOME]) + i;
#else
    return (T*)s[S_DRAWN] + at;
#endif
}

// The count of a unit in this step; `draw`: that of four steps is drawn now. at: place in the device's arrays.
static __device__ __forceinline__ int drawn_count(const Frame& f, const long long* s, int at, int unit, int i, bool draw) {
    unsigned long long* four = drawn_at<unsigned long long>(f, s, at, i);
    if (draw) {
        const int* table = (const int*)s[S_TABLE];
        const int row = table == nullptr ? 0 : table[at];
        const int* ends = (const int*)s[S_ENDS];
        *four = poisson_four((unsigned)unit, (int)s[S_PARTS], (unsigned)(f.step >> 2), (unsigned)s[S_STREAM],
                             (unsigned)f.whole(T_KEY0), (unsigned)f.whole(T_KEY1),
                             (const unsigned*)s[S_THRESHOLDS] + ends[row], ends[row + 1] - ends[row]);
    }
    return f.step <= s[S_ONSET] ? 0 : (int)((*four >> (16 * (int)(f.step & 3))) & 0xffff);
}

static __device__ __forceinline__ unsigned drawn_word(const Frame& f, const long long* s, int at, int unit, int i,
                                                      bool draw) {
    Words* four = drawn_at<Words>(f, s, at, i);
    if (draw) {
        *four = philox((unsigned)unit, 0u, (unsigned)(f.step >> 2), (unsigned)s[W_STREAM], (unsigned)f.whole(T_KEY0),
                       (unsigned)f.whole(T_KEY1));
    }
    return four->w[f.step & 3];
}

// Entries of a continuous input: the row that holds is found once per step by the block.
enum { I_VALUES, I_WIDTH, I_SLOT };

static __device__ __forceinline__ real held(const Frame& f, const long long* d, int at) {
    const int row = ((const int*)(f.shared + f.whole(T_SHARED_DRIVES)))[d[I_SLOT]];
    if (row < 0) {
        return (real)0;
    }
    const long long width = d[I_WIDTH];
    return ((const real*)d[I_VALUES])[row * width + (width == 1 ? 0 : at)];
}

// Moves the rows of all inputs on to the one that holds in this step.
static __device__ __forceinline__ void hold_inputs(const Frame& f) {
    int* rows = (int*)(f.shared + f.whole(T_SHARED_DRIVES));
    for (int d = (int)threadIdx.x; d < DRIVES; d += (int)blockDim.x) {
        const long long* steps = f.at<const long long>(T_INPUTS + 2 * d);
        const int n = (int)f.whole(T_INPUTS + 2 * d + 1);
        int row = rows[d];
        while (row + 1 < n && steps[row + 1] <= f.step) {
            ++row;
        }
        rows[d] = row;
    }
}

// Entries of a recorded variable.
enum { R_EVERY, R_FIRST, R_OUT, R_COLUMNS, R_START, R_UNITS, R_PLACE };

template <class T>
static __device__ __forceinline__ void record(const Frame& f, const long long* r, const T* values) {
    if (f.step % r[R_EVERY] != 0) {
        return;
    }
    const int* start = (const int*)r[R_START];
    real* out = (real*)r[R_OUT] + (f.step / r[R_EVERY] - r[R_FIRST]) * r[R_COLUMNS];
    for (int k = start[f.own] + (int)threadIdx.x; k < start[f.own + 1]; k += (int)blockDim.x) {
        out[((const int*)r[R_PLACE])[k]] = (real)values[((const int*)r[R_UNITS])[k]];
    }
}
