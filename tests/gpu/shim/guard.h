// Memory for NumPy's arrays, each at the end of pages of its own, with a forbidden page before and after them.
#pragma once

#include "cuda_shim.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <sys/mman.h>

namespace {

constexpr std::size_t guard_page = 4096;
constexpr unsigned char unwritten = 0xcb, untouched = 0xfe;

struct Guarded {
    unsigned char* start;
    std::size_t size;

    unsigned char* end() const { return start + size; }
    std::size_t room() const { return (size + guard_page - 1) / guard_page * guard_page; }
    unsigned char* pages() const { return end() - room(); }
};

std::mutex guard_lock;
std::map<const unsigned char*, Guarded> guarded;   // by where they end

unsigned char* guard_allocate(void*, std::size_t size) {
    Guarded array{nullptr, size ? size : 1};
    const std::size_t whole = array.room() + 2 * guard_page;
    void* base = mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    unsigned char* pages = static_cast<unsigned char*>(base) + guard_page;
    if (mprotect(pages, array.room(), PROT_READ | PROT_WRITE)) return nullptr;
    array.start = pages + array.room() - array.size;
    std::memset(pages, untouched, array.start - pages);
    std::memset(array.start, unwritten, array.size);
    std::lock_guard<std::mutex> hold(guard_lock);
    guarded[array.end()] = array;
    return array.start;
}

void guard_free(void*, void* start, std::size_t) {
    if (!start) return;
    std::lock_guard<std::mutex> hold(guard_lock);
    const auto found = guarded.upper_bound(static_cast<unsigned char*>(start));
    const Guarded array = found->second;
    guarded.erase(found);
    munmap(array.pages() - guard_page, array.room() + 2 * guard_page);
}

void* guard_malloc(void* context, std::size_t size) { return guard_allocate(context, size); }

void* guard_calloc(void* context, std::size_t n, std::size_t size) {
    unsigned char* start = guard_allocate(context, n * size);
    return start ? std::memset(start, 0, n * size) : nullptr;
}

void* guard_realloc(void* context, void* start, std::size_t size) {
    unsigned char* fresh = guard_allocate(context, size);
    if (!fresh || !start) return fresh;
    const std::size_t before = guarded.upper_bound(static_cast<unsigned char*>(start))->second.size;
    std::memcpy(fresh, start, before < size ? before : size);
    guard_free(context, start, before);
    return fresh;
}

// The array that an address is in the forbidden pages of.
const Guarded* array_near(const unsigned char* address) {
    const auto found = guarded.upper_bound(address - guard_page);
    if (found == guarded.end()) return nullptr;
    const Guarded& array = found->second;
    return address >= array.pages() - guard_page && address < array.end() + guard_page ? &array : nullptr;
}

// How far before an array something was written; 0 for nothing. Makes good for it.
std::size_t mend(const Guarded& array) {
    unsigned char* at = array.start;
    while (at > array.pages() && at[-1] == untouched) --at;
    if (at == array.pages()) return 0;
    std::memset(array.pages(), untouched, array.start - array.pages());
    return array.start - at + 1;
}

// The first array with something written between the start of its pages and its own, and how far before it.
const Guarded* damaged_array(std::size_t& away) {
    for (const auto& [end, array] : guarded)
        if ((away = mend(array))) return &array;
    return nullptr;
}

// As NumPy declares it: NEP 49, PyDataMem_Handler.
struct Handler {
    char name[127];
    std::uint8_t version;
    void* context;
    void* (*allocate)(void*, std::size_t);
    void* (*allocate_zeros)(void*, std::size_t, std::size_t);
    void* (*reallocate)(void*, void*, std::size_t);
    void (*release)(void*, void*, std::size_t);
};

}  // namespace

extern "C" SHIM_EXPORT Handler shim_guard;
Handler shim_guard = {"snnsim_guard", 1, nullptr, guard_malloc, guard_calloc, guard_realloc, guard_free};
