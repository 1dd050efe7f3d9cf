// What ThreadSanitizer is told: each fiber has a clock of its own, and only meetings order them.
//
// Switching orders nothing, so that two threads race wherever they would on a device, whichever ran first here.
#pragma once

#include <cstddef>
#include <vector>

#ifdef SHIM_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_acquire(void*);
void __tsan_release(void*);
}
#endif

namespace sanitizer {

inline char launch_begins, launch_ends;

#ifdef SHIM_TSAN
constexpr bool on = true;
constexpr unsigned without_order = 1;
inline void* host;

inline void acquire(char& order) { __tsan_acquire(&order); }
inline void release(char& order) { __tsan_release(&order); }
inline void enter(void* clock) { __tsan_switch_to_fiber(clock, without_order); }
inline void enter_host() { enter(host); }
inline std::vector<void*> clocks;

// Clocks are kept for the next launch, which comes after this one anyway: making one takes a third of a millisecond.
inline void* clock_of(std::size_t thread) {
    while (clocks.size() <= thread) clocks.push_back(__tsan_create_fiber(without_order));
    return clocks[thread];
}

// Those of threads that never returned cannot start again.
inline void forget() {
    for (void* clock : clocks) __tsan_destroy_fiber(clock);
    clocks.clear();
}
inline void begin() { host = __tsan_get_current_fiber(), release(launch_begins); }
inline void end() { acquire(launch_ends); }
#else
constexpr bool on = false;

inline void acquire(char&) {}
inline void release(char&) {}
inline void enter(void*) {}
inline void enter_host() {}
inline void* clock_of(std::size_t) { return nullptr; }
inline void forget() {}
inline void begin() {}
inline void end() {}
#endif

}  // namespace sanitizer
