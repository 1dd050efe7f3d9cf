// Switching between stacks: a few instructions where they are known here, the C library elsewhere.
#pragma once

#include <cstddef>
#include <cstring>

#if !defined(SHIM_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define SHIM_UCONTEXT
#endif
#ifdef SHIM_UCONTEXT
#include <ucontext.h>
#endif

namespace {

constexpr std::size_t stack_size = 64 << 10;
#ifdef SHIM_UCONTEXT
struct Context { ucontext_t state; };
void switch_context(Context& from, Context& to) { swapcontext(&from.state, &to.state); }
void make_context(Context& context, unsigned char* stack, void (*start)()) {
    getcontext(&context.state);
    context.state.uc_stack.ss_sp = stack;
    context.state.uc_stack.ss_size = stack_size;
    context.state.uc_link = nullptr;
    makecontext(&context.state, start, 0);
}
#else
struct Context { void** top; };
extern "C" __attribute__((visibility("hidden"))) void shim_switch(void*** from, void** to);
void switch_context(Context& from, Context& to) { shim_switch(&from.top, to.top); }
#ifdef __x86_64__
// A jump in place of `ret`, which the processor would expect to lead back to where this was called from.
asm(R"(
.text
.globl shim_switch
.hidden shim_switch
.type shim_switch, @function
shim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
.size shim_switch, .-shim_switch
)");
constexpr int saved = 8, start_at = 6;   // six registers, where to return to, and a word that aligns the stack
#else
asm(R"(
.text
.globl shim_switch
.hidden shim_switch
.type shim_switch, @function
shim_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size shim_switch, .-shim_switch
)");
constexpr int saved = 20, start_at = 11;
#endif
void make_context(Context& context, unsigned char* stack, void (*start)()) {
    context.top = reinterpret_cast<void**>(stack + stack_size) - saved;
    std::memset(context.top, 0, saved * sizeof(void*));
    context.top[start_at] = reinterpret_cast<void*>(start);
}
#endif

}  // namespace
