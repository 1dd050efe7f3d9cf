// The kernels: some epochs, or one level of a step; and what a block does at the beginning and the end of a launch.

// The table, with what differs from block to block, in shared memory.
static __device__ __forceinline__ Frame open_block(unsigned char* shared, const long long* given, const long long* clock,
                                                   int offset) {
    long long* table = (long long*)shared;
    for (int k = (int)threadIdx.x; k < T_END; k += (int)blockDim.x) {
        table[k] = given[k];
    }
    __syncthreads();
    Frame f;
    f.table = table;
    f.shared = shared;
    f.own = (int)blockIdx.x;
    f.part = (int)table[T_FIRST_PART] + f.own;
    f.step = clock[0] + offset;
    f.row = (int)(f.step % table[T_ROWS]);
    for (int k = (int)threadIdx.x; k < POPULATIONS; k += (int)blockDim.x) {
        long long* p = table + table[T_ENTRY + k];
        const long long low = f.part * p[P_N] / table[T_PARTS], high = (f.part + 1) * p[P_N] / table[T_PARTS];
        p[P_LOW] = low - p[P_OWN_LOW];
        p[P_SIZE] = high - low;
    }
    unsigned short* owner = (unsigned short*)(shared + table[T_SHARED_OWNER]);
    for (int w = (int)threadIdx.x; w < (int)table[T_WORDS]; w += (int)blockDim.x) {
        owner[w] = f.at<unsigned short>(T_OWNER)[w];
    }
    sum_t* ring = f.at<sum_t>(T_RING) + f.own * table[T_ROWS] * table[T_PLACES];
#if SNN_SHARED_RING
    f.ring = (sum_t*)(shared + table[T_SHARED_RING]);
#else
    f.ring = ring;
#endif
    f.memo = Memo{-1, nullptr, 0, 0};
    if (threadIdx.x == 0) {
        listed(f)->count[0] = 0;
        listed(f)->count[1] = 0;
    }
#if SNN_RESIDENT
    for (int t = 0; t < ROW_TABLES; ++t) {
        const int* given_rows = f.at<int>(T_ROW_TABLES + 2 * t);
        int* rows = (int*)(shared + table[T_ROW_TABLES + 2 * t + 1]);
        for (int w = (int)threadIdx.x; w < (int)table[T_ALL_WORDS]; w += (int)blockDim.x) {
            rows[w] = given_rows[w];
        }
    }
#endif
    __syncthreads();
    return f;
}

#if SNN_SHARED_RING
static __device__ __forceinline__ void copy_ring(const Frame& f, bool in) {
    sum_t* there = f.at<sum_t>(T_RING) + f.own * f.whole(T_ROWS) * f.whole(T_PLACES);
    for (long long k = threadIdx.x; k < f.whole(T_ROWS) * f.whole(T_PLACES); k += blockDim.x) {
        if (in) {
            f.ring[k] = there[k];
        } else {
            there[k] = f.ring[k];
        }
    }
}
#endif

static __device__ __forceinline__ void open_inputs(const Frame& f) {
    int* rows = (int*)(f.shared + f.whole(T_SHARED_DRIVES));
    for (int d = (int)threadIdx.x; d < DRIVES; d += (int)blockDim.x) {
        const long long* steps = f.at<const long long>(T_INPUTS + 2 * d);
        rows[d] = (int)first_after(steps, 0, f.whole(T_INPUTS + 2 * d + 1), f.step) - 1;
    }
}

// Runs `steps` steps after step clock[0] + offset, or the levels [first_level, last_level] of one step.
// fresh: what was drawn for earlier steps of the same four is not there. Plastic synapses learn from all spikes that are
// known: in a launch of no steps, from those until then.
extern "C" __global__ void SNN_LAUNCH(SNN_THREADS)
snn_run(const long long* given, const long long* clock, int offset, int steps, int first_level, int last_level, int fresh) {
    SNN_SHARED(shared);
    Frame f = open_block(shared, given, clock, offset);
    open_inputs(f);
#if SNN_SHARED_RING
    copy_ring(f, true);
#endif
#if SNN_RESIDENT
    copy_states(f, true);
    fresh = 1;
#endif
    __syncthreads();
    const bool ends = last_level == LEVELS - 1;
    long long sent = f.at<long long>(T_SENT)[f.own];
    long long learned = f.at<long long>(T_LEARNED)[f.own];
#if SNN_SCHEDULED
    const long long* start = f.at<long long>(T_SCHEDULE_START) + f.own;
    long long schedule = first_after(f.at<long long>(T_SCHEDULE_STEP), start[0], start[1], f.step);
#endif
#if SNN_PERSISTENT
    Meeting meeting{f.at<unsigned>(T_COUNTER), 0u};
#endif
    const int epoch = (int)f.whole(T_EPOCH), rows = (int)f.whole(T_ROWS);
    for (int done = 0; !stopped(f);) {
        const long long before = f.step;
        const int last = done + epoch < steps ? done + epoch : steps;
        // Where blocks do not meet, what others did in this launch is not known before the next one.
        if (first_level == 0 && (SNN_PERSISTENT || done == 0)) {
            for (; learned < before; ++learned) {
                learn(f, learned + 1);
            }
        }
        if (done == steps) {
            break;
        }
        if (first_level == 0) {
            for (long long q = sent + 1; q <= before; ++q) {
                deliver_soon(f, q);
            }
        }
        for (; done < last; ++done) {
            f.step += 1;
            f.row = f.row + 1 == rows ? 0 : f.row + 1;
            hold_inputs(f);
            if (first_level == 0) {
                deliver_lists(f);
                plastic_arrivals(f);
                couple(f);
#if SNN_SCHEDULED
                schedule = take_schedule(f, schedule, start[1]);
#endif
            }
            __syncthreads();
            for (int level = first_level; level <= last_level; ++level) {
                if (level > 0) {
#if SNN_PERSISTENT
                    meeting.arrive();
                    meeting.wait();
#endif
                    deliver_now(f, level);
                }
                update_all(f, level, fresh != 0 || (f.step & 3) == 0);
            }
            __syncthreads();
            if (ends) {
                keep_variables(f);
                publish(f);
                trace_all(f);
                fresh = 0;
            }
        }
#if SNN_PERSISTENT
        meeting.arrive();
#endif
        if (ends) {
            for (long long q = sent + 1; q <= before; ++q) {
                deliver_late(f, q);
            }
            sent = before;
        }
#if SNN_PERSISTENT
        meeting.wait();
#endif
    }
    if (threadIdx.x == 0) {
        f.at<long long>(T_SENT)[f.own] = sent;
        f.at<long long>(T_LEARNED)[f.own] = learned;
    }
#if SNN_SHARED_RING
    copy_ring(f, false);
#endif
#if SNN_RESIDENT
    copy_states(f, false);
#endif
}

// What couplings read in the step after clock[0], from the states as they are.
extern "C" __global__ void SNN_LAUNCH(SNN_THREADS) snn_publish(const long long* given, const long long* clock) {
    SNN_SHARED(shared);
    Frame f = open_block(shared, given, clock, 0);
#if SNN_RESIDENT
    copy_states(f, true);
    __syncthreads();
#endif
    publish(f);
}

// The ring as the spikes of the steps [first, clock[0]] leave it, from zeros.
extern "C" __global__ void SNN_LAUNCH(SNN_THREADS)
snn_refill(const long long* given, const long long* clock, long long first) {
    SNN_SHARED(shared);
    Frame f = open_block(shared, given, clock, 0);
    const long long done = f.step;
#if SNN_SHARED_RING
    f.ring = f.at<sum_t>(T_RING) + f.own * f.whole(T_ROWS) * f.whole(T_PLACES);
#endif
    for (long long q = first; q <= done; ++q) {
        deliver_rest(f, q, done);
    }
    if (threadIdx.x == 0) {
        f.at<long long>(T_SENT)[f.own] = done;
        f.at<long long>(T_LEARNED)[f.own] = done;
    }
}

extern "C" __global__ void SNN_LAUNCH(SNN_THREADS) snn_tick(long long* clock, int steps) {
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        clock[0] += steps;
    }
}
