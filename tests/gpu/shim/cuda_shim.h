// The dialect of CUDA C++ that snnsim's kernels are written in, for a host compiler. What is not here does not compile.
//
// Every source is compiled with this header, so it includes nothing and stays short. runtime.cpp runs the threads.
#pragma once

#define SNN_HOST 1
#define SNN_EXPORT __attribute__((visibility("default")))

// --- what runtime.cpp offers ------------------------------------------------------------------------------------------

struct SnnIndex { unsigned x; };

struct SnnThread {
    SnnIndex index, block;
    unsigned char* shared;
};

// What the threads of a warp brought to a meeting.
struct SnnLanes {
    unsigned long long value[32];
    unsigned ballot;
};

extern "C" {
extern SNN_EXPORT SnnThread* snn_thread;
extern SNN_EXPORT SnnIndex snn_block_size, snn_grid_size;
SNN_EXPORT int snn_meet_block(bool vote, const char* what, int line);
SNN_EXPORT const SnnLanes* snn_meet_warp(unsigned mask, unsigned long long value, bool vote, const char* what, int line);
SNN_EXPORT void snn_sync_warp(unsigned mask, int line);
SNN_EXPORT void snn_yield(const char* what, int line);
SNN_EXPORT void snn_progress();
}

// --- words of the language ----------------------------------------------------------------------------------------------

#define __global__ SNN_EXPORT
#define __device__
#define __forceinline__ inline
#define SNN_LAUNCH(threads)
#define SNN_SHARED(name) unsigned char* const name = snn_thread->shared

#define threadIdx static_cast<const SnnIndex&>(snn_thread->index)
#define blockIdx static_cast<const SnnIndex&>(snn_thread->block)
#define blockDim static_cast<const SnnIndex&>(snn_block_size)
#define gridDim static_cast<const SnnIndex&>(snn_grid_size)

// --- threads that wait for each other -----------------------------------------------------------------------------------

// A default argument is evaluated where the function is called: that is the line which messages name.
#define SNN_HERE int line = __builtin_LINE()

inline void __syncthreads(SNN_HERE) { snn_meet_block(false, "__syncthreads", line); }
inline int __syncthreads_count(int vote, SNN_HERE) { return snn_meet_block(vote != 0, "__syncthreads_count", line); }
inline int __syncthreads_or(int vote, SNN_HERE) { return snn_meet_block(vote != 0, "__syncthreads_or", line) != 0; }

inline void __syncwarp(unsigned mask = ~0u, SNN_HERE) { snn_sync_warp(mask, line); }
inline unsigned __ballot_sync(unsigned mask, int vote, SNN_HERE) {
    return snn_meet_warp(mask, 0, vote != 0, "__ballot_sync", line)->ballot;
}
inline int __any_sync(unsigned mask, int vote, SNN_HERE) {
    return snn_meet_warp(mask, 0, vote != 0, "__any_sync", line)->ballot != 0;
}
inline int __all_sync(unsigned mask, int vote, SNN_HERE) {
    return snn_meet_warp(mask, 0, vote != 0, "__all_sync", line)->ballot == ~0u;
}

template <class T> inline T snn_shuffle(unsigned mask, T x, unsigned lane, const char* what, int line) {
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &x, sizeof x);
    const unsigned long long* values = snn_meet_warp(mask, bits, false, what, line)->value;
    __builtin_memcpy(&x, &values[lane], sizeof x);
    return x;
}

// Lanes that have no partner keep what they have.
inline unsigned snn_lane() { return threadIdx.x % 32; }
inline unsigned snn_lane_up(unsigned by) { return by > snn_lane() ? snn_lane() : snn_lane() - by; }
inline unsigned snn_lane_down(unsigned by) { return by > 31 - snn_lane() ? snn_lane() : snn_lane() + by; }

#define SNN_SHUFFLES(T) \
    inline T __shfl_sync(unsigned mask, T x, int lane, SNN_HERE) { \
        return snn_shuffle(mask, x, unsigned(lane) % 32, "__shfl_sync", line); \
    } \
    inline T __shfl_up_sync(unsigned mask, T x, unsigned by, SNN_HERE) { \
        return snn_shuffle(mask, x, snn_lane_up(by), "__shfl_up_sync", line); \
    } \
    inline T __shfl_down_sync(unsigned mask, T x, unsigned by, SNN_HERE) { \
        return snn_shuffle(mask, x, snn_lane_down(by), "__shfl_down_sync", line); \
    }
SNN_SHUFFLES(int)
SNN_SHUFFLES(unsigned)
SNN_SHUFFLES(long long)
SNN_SHUFFLES(float)
SNN_SHUFFLES(double)

// --- memory that several threads write ----------------------------------------------------------------------------------

// One thread runs at a time, and only a meeting or snn_yield hands over to another: what is written here in a few steps
// is atomic. ThreadSanitizer must see an atomic operation to know that two of them do not race.
#ifdef SNN_TSAN
#define SNN_LOAD(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define SNN_SWAP(p, x) __atomic_exchange_n(p, x, __ATOMIC_RELAXED)
#else
#define SNN_LOAD(p) (*(p))
#define SNN_SWAP(p, x) (*(p) = (x))
#endif

// Replaces *p by `after`, an expression of `before`, and returns what was there. Sums wrap around.
#define SNN_ATOMIC(name, T, after) \
    inline T name(T* p, T x) { \
        T before = SNN_LOAD(p); \
        SNN_SWAP(p, after); \
        return before; \
    }
#define SNN_ATOMICS(T, Unsigned) \
    SNN_ATOMIC(atomicAdd, T, static_cast<T>(static_cast<Unsigned>(before) + static_cast<Unsigned>(x))) \
    SNN_ATOMIC(atomicMin, T, before < x ? before : x) \
    SNN_ATOMIC(atomicMax, T, before > x ? before : x) \
    SNN_ATOMIC(atomicExch, T, x) \
    inline T atomicCAS(T* p, T expected, T x) { \
        T before = SNN_LOAD(p); \
        SNN_SWAP(p, before == expected ? x : before); \
        return before; \
    }
SNN_ATOMICS(int, unsigned)
SNN_ATOMICS(unsigned, unsigned)
SNN_ATOMICS(unsigned long long, unsigned long long)
SNN_ATOMIC(atomicOr, unsigned, before | x)

inline void snn_pause(SNN_HERE) { snn_yield("snn_pause", line); }

// Hands over first, so that a loop which only reads ends, and other orders are seen.
inline unsigned snn_load_acquire(const unsigned* p, SNN_HERE) {
    snn_yield("snn_load_acquire", line);
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

inline void snn_add_release(unsigned* p, unsigned x) {
    snn_progress();
    __atomic_fetch_add(p, x, __ATOMIC_RELEASE);
}

// --- numbers --------------------------------------------------------------------------------------------------------------

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned((unsigned long long)x * y >> 32); }

template <class To, class From> inline To snn_same_bits(From x) {
    static_assert(sizeof(To) == sizeof(From), "");
    To y;
    __builtin_memcpy(&y, &x, sizeof y);
    return y;
}
inline float __int_as_float(int x) { return snn_same_bits<float>(x); }
inline int __float_as_int(float x) { return snn_same_bits<int>(x); }
inline double __longlong_as_double(long long x) { return snn_same_bits<double>(x); }
inline long long __double_as_longlong(double x) { return snn_same_bits<long long>(x); }

#define SNN_FUNCTION(name) \
    extern "C" double name(double) noexcept; \
    extern "C" float name##f(float) noexcept; \
    inline float name(float x) { return name##f(x); }
SNN_FUNCTION(floor)
SNN_FUNCTION(sqrt)
SNN_FUNCTION(fabs)
SNN_FUNCTION(rint)

// --- launching ------------------------------------------------------------------------------------------------------------

// Names of the types of parameters, as NumPy calls them. A pointer to anything else takes every array.
template <class T> struct SnnName { static constexpr const char* value = "any"; static constexpr const char* array = "any*"; };
template <class T> struct SnnName<const T> : SnnName<T> {};
template <class T> struct SnnName<T*> { static constexpr const char* value = SnnName<T>::array; };
#define SNN_NAME(T, name) \
    template <> struct SnnName<T> { static constexpr const char* value = name; static constexpr const char* array = name "*"; };
SNN_NAME(bool, "bool")
SNN_NAME(signed char, "int8")
SNN_NAME(unsigned char, "uint8")
SNN_NAME(short, "int16")
SNN_NAME(unsigned short, "uint16")
SNN_NAME(int, "int32")
SNN_NAME(unsigned, "uint32")
SNN_NAME(long long, "int64")
SNN_NAME(unsigned long long, "uint64")
SNN_NAME(float, "float32")
SNN_NAME(double, "float64")

template <int... I> struct SnnNumbers {};

// Arguments come in slots of 8 bytes.
template <class... A, int... I> inline void snn_unpack(void (*kernel)(A...), unsigned char* slots, SnnNumbers<I...>) {
    kernel(*reinterpret_cast<A*>(slots + 8 * I)...);
}
template <class... A> inline void snn_call(void (*kernel)(A...), unsigned char* slots) {
    snn_unpack(kernel, slots, SnnNumbers<__integer_pack(sizeof...(A))...>());
}
template <class... A> inline const char* const* snn_types(void (*)(A...)) {
    static const char* const names[] = {SnnName<A>::value..., nullptr};
    return names;
}

#define SNN_KERNEL(name) \
    extern "C" SNN_EXPORT void snn_call_##name(unsigned char* slots) { snn_call(name, slots); } \
    extern "C" SNN_EXPORT const char* const* snn_types_##name() { return snn_types(name); }
