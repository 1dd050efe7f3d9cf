// The dialect of CUDA C++ that snnsim's kernels are written in, for a host compiler. What is not here does not compile.
//
// Every source is compiled with this header, so it includes nothing and stays short. runtime.cpp runs the threads.
#pragma once

#define SNN_HOST 1
#define SHIM_EXPORT __attribute__((visibility("default")))

// --- what runtime.cpp offers -----------------------------------------------------------------------------------------

struct ShimIndex { unsigned x; };

struct ShimThread {
    ShimIndex index, block;
    unsigned char* shared;
};

// What the threads of a warp brought to a meeting.
struct ShimLanes {
    unsigned long long value[32];
    unsigned ballot;
};

extern "C" {
extern SHIM_EXPORT ShimThread* shim_thread;
extern SHIM_EXPORT ShimIndex shim_block_size, shim_grid_size;
SHIM_EXPORT int shim_meet_block(bool vote, const char* what, int line);
SHIM_EXPORT const ShimLanes* shim_meet_warp(
    unsigned mask, unsigned long long value, bool vote, const char* what, int line);
SHIM_EXPORT void shim_sync_warp(unsigned mask, int line);
SHIM_EXPORT void shim_yield(const char* what, int line);
SHIM_EXPORT void shim_progress();
}

// --- words of the language -------------------------------------------------------------------------------------------

#define __global__ SHIM_EXPORT
#define __device__
#define __forceinline__ inline
#define SNN_LAUNCH(threads)
#define SNN_SHARED(name) unsigned char* const name = shim_thread->shared

#define threadIdx static_cast<const ShimIndex&>(shim_thread->index)
#define blockIdx static_cast<const ShimIndex&>(shim_thread->block)
#define blockDim static_cast<const ShimIndex&>(shim_block_size)
#define gridDim static_cast<const ShimIndex&>(shim_grid_size)

// --- threads that wait for each other --------------------------------------------------------------------------------

// A default argument is evaluated where the function is called: that is the line which messages name.
#define SHIM_HERE int line = __builtin_LINE()

inline void __syncthreads(SHIM_HERE) { shim_meet_block(false, "__syncthreads", line); }
inline int __syncthreads_count(int vote, SHIM_HERE) { return shim_meet_block(vote != 0, "__syncthreads_count", line); }
inline int __syncthreads_or(int vote, SHIM_HERE) { return shim_meet_block(vote != 0, "__syncthreads_or", line) != 0; }

inline void __syncwarp(unsigned mask = ~0u, SHIM_HERE) { shim_sync_warp(mask, line); }
inline unsigned __ballot_sync(unsigned mask, int vote, SHIM_HERE) {
    return shim_meet_warp(mask, 0, vote != 0, "__ballot_sync", line)->ballot;
}
inline int __any_sync(unsigned mask, int vote, SHIM_HERE) {
    return shim_meet_warp(mask, 0, vote != 0, "__any_sync", line)->ballot != 0;
}
inline int __all_sync(unsigned mask, int vote, SHIM_HERE) {
    return shim_meet_warp(mask, 0, vote != 0, "__all_sync", line)->ballot == ~0u;
}

template <class T> inline T shim_shuffle(unsigned mask, T x, unsigned lane, const char* what, int line) {
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &x, sizeof x);
    const unsigned long long* values = shim_meet_warp(mask, bits, false, what, line)->value;
    __builtin_memcpy(&x, &values[lane], sizeof x);
    return x;
}

// Lanes that have no partner keep what they have.
inline unsigned shim_lane() { return threadIdx.x % 32; }
inline unsigned shim_lane_up(unsigned by) { return by > shim_lane() ? shim_lane() : shim_lane() - by; }
inline unsigned shim_lane_down(unsigned by) { return by > 31 - shim_lane() ? shim_lane() : shim_lane() + by; }

#define SHIM_SHUFFLES(T) \
    inline T __shfl_sync(unsigned mask, T x, int lane, SHIM_HERE) { \
        return shim_shuffle(mask, x, unsigned(lane) % 32, "__shfl_sync", line); \
    } \
    inline T __shfl_up_sync(unsigned mask, T x, unsigned by, SHIM_HERE) { \
        return shim_shuffle(mask, x, shim_lane_up(by), "__shfl_up_sync", line); \
    } \
    inline T __shfl_down_sync(unsigned mask, T x, unsigned by, SHIM_HERE) { \
        return shim_shuffle(mask, x, shim_lane_down(by), "__shfl_down_sync", line); \
    }
SHIM_SHUFFLES(int)
SHIM_SHUFFLES(unsigned)
SHIM_SHUFFLES(long long)
SHIM_SHUFFLES(float)
SHIM_SHUFFLES(double)

// --- memory that several threads write -------------------------------------------------------------------------------

// One thread runs at a time, and only a meeting or shim_yield hands over to another: what is written here in a few steps
// is atomic. ThreadSanitizer must see an atomic operation to know that two of them do not race.
#ifdef SHIM_TSAN
#define SHIM_LOAD(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define SHIM_SWAP(p, x) __atomic_exchange_n(p, x, __ATOMIC_RELAXED)
#else
#define SHIM_LOAD(p) (*(p))
#define SHIM_SWAP(p, x) (*(p) = (x))
#endif

// Replaces *p by `after`, an expression of `before`, and returns what was there. Sums wrap around.
#define SHIM_ATOMIC(name, T, after) \
    inline T name(T* p, T x) { \
        T before = SHIM_LOAD(p); \
        SHIM_SWAP(p, after); \
        return before; \
    }
#define SHIM_ATOMICS(T, Unsigned) \
    SHIM_ATOMIC(atomicAdd, T, static_cast<T>(static_cast<Unsigned>(before) + static_cast<Unsigned>(x))) \
    SHIM_ATOMIC(atomicMin, T, before < x ? before : x) \
    SHIM_ATOMIC(atomicMax, T, before > x ? before : x) \
    SHIM_ATOMIC(atomicExch, T, x) \
    inline T atomicCAS(T* p, T expected, T x) { \
        T before = SHIM_LOAD(p); \
        SHIM_SWAP(p, before == expected ? x : before); \
        return before; \
    }
SHIM_ATOMICS(int, unsigned)
SHIM_ATOMICS(unsigned, unsigned)
SHIM_ATOMICS(unsigned long long, unsigned long long)
SHIM_ATOMIC(atomicOr, unsigned, before | x)

inline void snn_pause(SHIM_HERE) { shim_yield("snn_pause", line); }

// Hands over first, so that a loop which only reads ends, and other orders are seen.
inline unsigned snn_load_acquire(const unsigned* p, SHIM_HERE) {
    shim_yield("snn_load_acquire", line);
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

inline void snn_add_release(unsigned* p, unsigned x) {
    shim_progress();
    __atomic_fetch_add(p, x, __ATOMIC_RELEASE);
}

// --- numbers ---------------------------------------------------------------------------------------------------------

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned((unsigned long long)x * y >> 32); }

template <class To, class From> inline To shim_same_bits(From x) {
    static_assert(sizeof(To) == sizeof(From), "");
    To y;
    __builtin_memcpy(&y, &x, sizeof y);
    return y;
}
inline float __int_as_float(int x) { return shim_same_bits<float>(x); }
inline int __float_as_int(float x) { return shim_same_bits<int>(x); }
inline double __longlong_as_double(long long x) { return shim_same_bits<double>(x); }
inline long long __double_as_longlong(double x) { return shim_same_bits<long long>(x); }

#define SHIM_FUNCTION(name) \
    extern "C" double name(double) noexcept; \
    extern "C" float name##f(float) noexcept; \
    inline float name(float x) { return name##f(x); }
SHIM_FUNCTION(floor)
SHIM_FUNCTION(sqrt)
SHIM_FUNCTION(fabs)
SHIM_FUNCTION(rint)

// --- launching -------------------------------------------------------------------------------------------------------

// Names of the types of parameters, as NumPy calls them. A pointer to anything else takes every array.
template <class T> struct ShimName {
    static constexpr const char* value = "any";
    static constexpr const char* array = "any*";
};
template <class T> struct ShimName<const T> : ShimName<T> {};
template <class T> struct ShimName<T*> { static constexpr const char* value = ShimName<T>::array; };
#define SHIM_NAME(T, name) \
    template <> struct ShimName<T> { \
        static constexpr const char* value = name; \
        static constexpr const char* array = name "*"; \
    };
SHIM_NAME(bool, "bool")
SHIM_NAME(signed char, "int8")
SHIM_NAME(unsigned char, "uint8")
SHIM_NAME(short, "int16")
SHIM_NAME(unsigned short, "uint16")
SHIM_NAME(int, "int32")
SHIM_NAME(unsigned, "uint32")
SHIM_NAME(long long, "int64")
SHIM_NAME(unsigned long long, "uint64")
SHIM_NAME(float, "float32")
SHIM_NAME(double, "float64")

template <int... I> struct ShimNumbers {};

// Arguments come in slots of 8 bytes.
template <class... A, int... I> inline void shim_unpack(void (*kernel)(A...), unsigned char* slots, ShimNumbers<I...>) {
    kernel(*reinterpret_cast<A*>(slots + 8 * I)...);
}
template <class... A> inline void shim_call(void (*kernel)(A...), unsigned char* slots) {
    shim_unpack(kernel, slots, ShimNumbers<__integer_pack(sizeof...(A))...>());
}
template <class... A> inline const char* const* shim_types(void (*)(A...)) {
    static const char* const names[] = {ShimName<A>::value..., nullptr};
    return names;
}

#define SHIM_KERNEL(name) \
    extern "C" SHIM_EXPORT void shim_call_##name(unsigned char* slots) { shim_call(name, slots); } \
    extern "C" SHIM_EXPORT const char* const* shim_types_##name() { return shim_types(name); }
