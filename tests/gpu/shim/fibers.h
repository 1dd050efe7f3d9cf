// The threads, warps and blocks of the launch that runs, their memory, and what is told when they are stuck.
#pragma once

#include "cuda_shim.h"
#include "sanitizer.h"
#include "switch.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <vector>

struct Launch {
    const char* kernel;
    void (*call)(unsigned char*);
    unsigned char* slots;
    unsigned blocks, threads, shared, cooperative;
    std::uint64_t seed;
};

namespace {

enum class State { ready, waits, spins, returned };

struct Block;

struct Fiber : ShimThread {
    Context context;
    Block* home;
    unsigned char* stack;
    State state;
    const char* what;   // where it waits
    int line;
    void* clock;        // the sanitizer's
};

// Threads that must all come to the same line. One may be a meeting ahead of another: hence two of everything.
struct Meeting {
    Fiber* first;
    Fiber* sample;   // the first to arrive
    unsigned size, arrived, turn;
    bool apart;      // not all came to the same line
    int votes[2];
    ShimLanes lanes[2];
    char order[2];   // their addresses stand for the meeting in the sanitizer
};

struct Block {
    Meeting all;
    Meeting* warps;
    unsigned char* shared;
};

struct Random {
    std::uint64_t state;

    unsigned below(unsigned n) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return unsigned((state >> 32) * n >> 32);
    }
};

Launch launch;
Random chance;
std::string failure;
std::vector<Fiber> fibers;
std::vector<Block> blocks;
std::vector<Meeting> warps;

Fiber& fiber_at(unsigned block, unsigned thread) { return fibers[std::size_t(block) * launch.threads + thread]; }

// --- memory ----------------------------------------------------------------------------------------------------------

// What shared memory holds before a kernel writes it, and what lies around it.
constexpr unsigned char poison = 0xcb, fence = 0xfe;
constexpr std::size_t fence_size = 256;
constexpr std::size_t page = 4096, guarded_stacks = 8192;   // a process may have some 65 000 ranges of memory

std::vector<unsigned char> shared_memory;
unsigned char* stacks;
std::size_t stack_count;

unsigned char* stack_at(unsigned block, unsigned thread) {
    return stacks + (std::size_t(block) * launch.threads + thread) * stack_size;
}

// Memory that no stack has touched takes no room. A stack that is full meets a page that cannot be written.
void make_stacks(std::size_t n) {
    if (n <= stack_count) return;
    if (stacks) munmap(stacks, stack_count * stack_size);
    stacks = static_cast<unsigned char*>(
        mmap(nullptr, n * stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    stack_count = n;
    for (std::size_t i = 0; i < n && i < guarded_stacks; ++i) mprotect(stacks + i * stack_size, page, PROT_NONE);
}

Meeting meeting_of(Fiber* first, unsigned size) {
    Meeting meeting{};
    meeting.first = first;
    meeting.size = size;
    return meeting;
}

unsigned char* fill_shared(unsigned char* at) {
    std::memset(at, fence, fence_size);
    std::memset(at + fence_size, poison, launch.shared);
    std::memset(at + fence_size + launch.shared, fence, fence_size);
    return at + fence_size;
}

// For n blocks that live together.
void make_room(unsigned n) {
    const unsigned per_block = launch.threads / 32;
    const std::size_t step = (launch.shared + 2 * fence_size + 15) / 16 * 16;
    fibers.resize(std::size_t(n) * launch.threads);
    warps.resize(std::size_t(n) * per_block);
    blocks.resize(n);
    shared_memory.resize(n * step);
    make_stacks(fibers.size());
    for (std::size_t w = 0; w < warps.size(); ++w) warps[w] = meeting_of(&fibers[w * 32], 32);
    for (unsigned b = 0; b < n; ++b)
        blocks[b] = {meeting_of(&fiber_at(b, 0), launch.threads), &warps[b * per_block],
                     fill_shared(shared_memory.data() + b * step)};
}

// --- what is told ----------------------------------------------------------------------------------------------------

void tell(const char* format, ...) {
    char line[512];
    va_list list;
    va_start(list, format);
    std::vsnprintf(line, sizeof line, format, list);
    va_end(list);
    failure += line;
}

void tell_title(const char* problem) {
    tell("kernel %s, %u block%s of %u threads: %s", launch.kernel, launch.blocks, launch.blocks == 1 ? "" : "s",
         launch.threads, problem);
}

void tell_thread(const char* problem, const Fiber& fiber) {
    tell_title(problem);
    tell("\n  block %u: thread %u", fiber.block.x, fiber.index.x);
}

bool same_place(const Fiber& a, const Fiber& b) { return a.line == b.line && !std::strcmp(a.what, b.what); }

bool alike(const Fiber& a, const Fiber& b) {
    const bool somewhere = a.state == State::waits || a.state == State::spins;
    return a.state == b.state && (!somewhere || same_place(a, b));
}

void tell_state(const Fiber& fiber) {
    switch (fiber.state) {
        case State::ready: return tell(" can go on");
        case State::waits: return tell(" wait in %s at line %d", fiber.what, fiber.line);
        case State::spins: return tell(" try again and again in %s at line %d", fiber.what, fiber.line);
        case State::returned: return tell(" have returned");
    }
}

// Threads that are where `all[i]` is, as ranges: " 0-31, 64".
void tell_numbers(const Fiber* all, unsigned i, std::vector<bool>& told) {
    const char* between = " ";
    for (unsigned from = i; from < launch.threads; ++from) {
        unsigned to = from;
        while (to < launch.threads && !told[to] && alike(all[i], all[to])) told[to++] = true;
        if (to == from) continue;
        tell(to - from > 1 ? "%s%u-%u" : "%s%u", between, from, to - 1);
        between = ", ";
        from = to;
    }
}

void tell_block(const Block& block) {
    std::vector<bool> told(launch.threads);
    tell("\n  block %u", block.all.first->block.x);
    for (unsigned i = 0; i < launch.threads; ++i) {
        if (told[i]) continue;
        tell(i ? "; threads" : ": threads");
        tell_numbers(block.all.first, i, told);
        tell_state(block.all.first[i]);
    }
}

bool unfinished(const Block& block) {
    for (unsigned i = 0; i < launch.threads; ++i)
        if (block.all.first[i].state != State::returned) return true;
    return false;
}

// The first few blocks that have not ended.
void tell_all(const char* problem) {
    constexpr unsigned few = 3;
    unsigned found = 0;
    tell_title(problem);
    for (const Block& block : blocks)
        if (unfinished(block) && ++found <= few) tell_block(block);
    if (found > few) tell("\n  and %u more blocks", found - few);
}

void tell_if_stuck(const char* problem) {
    for (const Block& block : blocks)
        if (unfinished(block)) return tell_all(problem);
}

bool intact(const unsigned char* at) {
    for (std::size_t i = 0; i < fence_size; ++i)
        if (at[i] != fence) return false;
    return true;
}

void check_fences() {
    for (const Block& block : blocks)
        if (!intact(block.shared - fence_size) || !intact(block.shared + launch.shared)) {
            tell_title("shared memory was written outside of its bounds");
            tell("\n  block %u", block.all.first->block.x);
            return;
        }
}

}  // namespace
