// Runs the threads of a CUDA launch as fibers of one operating system thread.
//
// A fiber runs until it meets others (a barrier, a ballot, a shuffle), yields in a loop that waits for memory, or ends.
// Fibers that can run stand in a queue. A seed shuffles blocks, threads, and those who leave a meeting.
#include "cuda_shim.h"
#include "faults.h"
#include "fibers.h"

#include <utility>

ShimThread* shim_thread;
ShimIndex shim_block_size, shim_grid_size;

namespace {

// A loop that waits is given up after so many yields in which nothing else happened, and so many rounds of the queue.
constexpr std::uint64_t patience = 1 << 20, rounds = 100;

Context scheduler;
std::vector<Fiber*> queue;   // a ring: each fiber is in it once at most
std::size_t queue_head, queue_length;
std::uint64_t quiet;         // yields since something else happened

// --- the queue -------------------------------------------------------------------------------------------------------

std::size_t wrapped(std::size_t at) { return at < queue.size() ? at : at - queue.size(); }

void enqueue(Fiber* fiber) { queue[wrapped(queue_head + queue_length++)] = fiber; }

Fiber* dequeue() {
    Fiber* fiber = queue[queue_head];
    queue_head = wrapped(queue_head + 1);
    --queue_length;
    return fiber;
}

void enqueue_all(Fiber* first, unsigned n) {
    const std::size_t from = queue_head + queue_length;
    for (unsigned i = 0; i < n; ++i) enqueue(first + i);
    if (launch.seed)
        for (unsigned i = n; i > 1; --i)
            std::swap(queue[wrapped(from + i - 1)], queue[wrapped(from + chance.below(i))]);
}

// --- running ---------------------------------------------------------------------------------------------------------

void run(Fiber* fiber) {
    current = fiber;
    shim_thread = fiber;
    fiber->state = State::ready;
    sanitizer::enter(fiber->clock);
    switch_context(scheduler, fiber->context);
}

void leave() {
    Fiber* fiber = current;
    sanitizer::enter_host();
    switch_context(fiber->context, scheduler);
}

// Leaves a fiber for good.
[[noreturn]] void stop() {
    for (;;) leave();
}

[[noreturn]] void fail_here(const char* problem) {
    tell_thread(problem, *current);
    tell(" in %s at line %d", current->what, current->line);
    stop();
}

// Where every fiber starts.
void fiber_main() {
    sanitizer::acquire(sanitizer::launch_begins);
    launch.call(launch.slots);
    sanitizer::release(sanitizer::launch_ends);
    current->state = State::returned;
    quiet = 0;
    stop();
}

bool hopeless() { return quiet > patience && quiet > rounds * queue_length; }

// Runs all fibers that were made to their ends.
void run_queue() {
    while (queue_length && failure.empty() && !hopeless()) run(dequeue());
    if (failure.empty() && hopeless()) tell_all("deadlock: all that can go on wait for memory");
    if (failure.empty()) tell_if_stuck("deadlock: threads wait for others that do not come");
}

// --- meetings --------------------------------------------------------------------------------------------------------

// Everyone is here: all may go on.
void complete(Meeting& meeting) {
    if (meeting.apart) {
        tell_all("threads that should meet wait in different places");
        stop();
    }
    meeting.turn ^= 1;
    meeting.arrived = 0;
    meeting.votes[meeting.turn] = 0;
    meeting.lanes[meeting.turn].ballot = 0;
    enqueue_all(meeting.first, meeting.size);
}

void arrive(Meeting& meeting, const char* what, int line) {
    current->what = what;
    current->line = line;
    current->state = State::waits;
    quiet = 0;
    if (meeting.arrived++ == 0) {
        meeting.sample = current;
        meeting.apart = false;
    }
    meeting.apart |= !same_place(*current, *meeting.sample);
    if (meeting.arrived == meeting.size) complete(meeting);
    leave();
}

// Meets, and makes what each did before known to all after.
void meet_in_order(Meeting& meeting, unsigned turn, const char* what, int line) {
    sanitizer::release(meeting.order[turn]);
    arrive(meeting, what, line);
    sanitizer::acquire(meeting.order[turn]);
}

Meeting& my_warp(unsigned mask, const char* what, int line) {
    current->what = what;
    current->line = line;
    if (mask != ~0u) fail_here("not all lanes are in the mask");
    return current->home->warps[current->index.x / 32];
}

}  // namespace

int shim_meet_block(bool vote, const char* what, int line) {
    Meeting& meeting = current->home->all;
    const unsigned turn = meeting.turn;
    meeting.votes[turn] += vote;
    meet_in_order(meeting, turn, what, line);
    return meeting.votes[turn];
}

// Orders no memory: only __syncwarp does.
const ShimLanes* shim_meet_warp(unsigned mask, unsigned long long value, bool vote, const char* what, int line) {
    Meeting& meeting = my_warp(mask, what, line);
    ShimLanes& lanes = meeting.lanes[meeting.turn];
    lanes.value[current->index.x % 32] = value;
    lanes.ballot |= unsigned(vote) << current->index.x % 32;
    arrive(meeting, what, line);
    return &lanes;
}

void shim_sync_warp(unsigned mask, int line) {
    Meeting& meeting = my_warp(mask, "__syncwarp", line);
    meet_in_order(meeting, meeting.turn, "__syncwarp", line);
}

void shim_yield(const char* what, int line) {
    current->what = what;
    current->line = line;
    current->state = State::spins;
    ++quiet;
    enqueue(current);
    leave();
}

void shim_progress() { quiet = 0; }

// --- launching -------------------------------------------------------------------------------------------------------

namespace {

void prepare(Fiber& fiber, Block& block, unsigned b, unsigned t, unsigned char* stack) {
    static_cast<ShimThread&>(fiber) = {{t}, {b}, block.shared};
    fiber.home = &block;
    fiber.stack = stack;
    fiber.state = State::ready;
    fiber.what = "";
    fiber.line = 0;
    fiber.clock = sanitizer::clock_of(&fiber - fibers.data());
    make_context(fiber.context, stack, fiber_main);
}

// Blocks numbered `numbers[0..n)` live and end together.
void run_blocks(const unsigned* numbers, unsigned n) {
    make_room(n);
    queue.resize(std::size_t(n) * launch.threads);
    queue_head = queue_length = quiet = 0;
    for (unsigned b = 0; b < n; ++b)
        for (unsigned t = 0; t < launch.threads; ++t)
            prepare(fiber_at(b, t), blocks[b], numbers[b], t, stack_at(b, t));
    sanitizer::begin();
    enqueue_all(fibers.data(), n * launch.threads);
    run_queue();
    sanitizer::end();
    if (failure.empty()) check_fences();
    else sanitizer::forget();
}

void run_all() {
    std::vector<unsigned> order(launch.blocks);
    for (unsigned b = 0; b < launch.blocks; ++b) order[b] = b;
    if (launch.seed)
        for (unsigned i = launch.blocks; i > 1; --i) std::swap(order[i - 1], order[chance.below(i)]);
    const unsigned together = launch.cooperative || sanitizer::on ? launch.blocks : 1;
    for (unsigned b = 0; b < launch.blocks && failure.empty(); b += together) run_blocks(&order[b], together);
}

// The sanitizer tells of faults itself, and ends the process.
void run_watched() {
    if (sanitizer::on) return run_all();
    FaultWatch watch;
    if (sigsetjmp(outside, 1) == 0) run_all();
}

}  // namespace

// Returns 0, or the length of the message that `shim_failure` gives.
extern "C" SHIM_EXPORT int shim_run(const Launch* wanted) {
    launch = *wanted;
    shim_block_size.x = launch.threads;
    shim_grid_size.x = launch.blocks;
    chance.state = launch.seed * 0x9e3779b97f4a7c15 | 1;
    shim_fault = {};
    failure.clear();
    run_watched();
    if (failure.empty()) check_arrays();
    return int(failure.size());
}

extern "C" SHIM_EXPORT const char* shim_failure() { return failure.c_str(); }
