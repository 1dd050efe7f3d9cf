// Faults of kernels: memory that they do not have, division by zero, a full stack.
#pragma once

#include "fibers.h"
#include "guard.h"

#include <csetjmp>
#include <csignal>
#include <dlfcn.h>
#include <ucontext.h>

// Where the last fault was: in the code of a library, and next to which array. 0 where that is not known.
struct Fault { std::uintptr_t code, array; };
extern "C" SHIM_EXPORT Fault shim_fault;
Fault shim_fault;

namespace {

Fiber* current;
sigjmp_buf outside;   // where a launch goes on after a fault

constexpr int faults[] = {SIGSEGV, SIGBUS, SIGFPE};
constexpr std::size_t signal_stack_size = 64 << 10;

bool in_page(const void* address, const unsigned char* start) {
    return address >= start && address < start + page;
}

// Of the instruction, counted from where its library is.
std::uintptr_t code_of(void* context) {
    const mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    const auto at = std::uintptr_t(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
    const auto at = std::uintptr_t(machine.pc);
#else
    const std::uintptr_t at = 0;
    (void)machine;
#endif
    Dl_info library;
    return dladdr(reinterpret_cast<void*>(at), &library) ? at - std::uintptr_t(library.dli_fbase) : 0;
}

void tell_address(const unsigned char* address) {
    if (in_page(address, current->stack)) return tell_thread("the stack is full", *current);
    const Guarded* array = array_near(address);
    if (!array) return tell_thread("memory is used that it does not have", *current);
    char problem[100];
    const bool before = address < array->start;
    const std::size_t away = before ? array->start - address : address - array->end() + 1;
    std::snprintf(problem, sizeof problem, "byte %zu %s an array of %zu bytes is used", away,
                  before ? "before" : "after", array->size);
    shim_fault.array = std::uintptr_t(array->start);
    tell_thread(problem, *current);
}

void on_fault(int number, siginfo_t* found, void* context) {
    shim_fault.code = code_of(context);
    if (number == SIGFPE) tell_thread("a whole number is divided by zero", *current);
    else tell_address(static_cast<unsigned char*>(found->si_addr));
    siglongjmp(outside, 1);
}

struct FaultWatch {
    struct sigaction before[3];
    stack_t stack_before;

    FaultWatch() {
        static std::vector<unsigned char> memory(signal_stack_size);
        stack_t stack{};
        stack.ss_sp = memory.data();
        stack.ss_size = memory.size();
        sigaltstack(&stack, &stack_before);
        struct sigaction action{};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (int i = 0; i < 3; ++i) sigaction(faults[i], &action, &before[i]);
    }
    ~FaultWatch() {
        for (int i = 0; i < 3; ++i) sigaction(faults[i], &before[i], nullptr);
        sigaltstack(&stack_before, nullptr);
    }
};

// What a kernel wrote a little before an array met no forbidden page.
void check_arrays() {
    std::size_t away = 0;
    const Guarded* array = damaged_array(away);
    if (!array) return;
    char problem[100];
    std::snprintf(problem, sizeof problem, "byte %zu before an array of %zu bytes was written", away, array->size);
    shim_fault.array = std::uintptr_t(array->start);
    tell_title(problem);
}

}  // namespace
