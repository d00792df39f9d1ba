// Runs the threads of a block as fibers of one CPU thread.
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "cuda_runtime.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

struct Warp {
    int arrived = 0, kind = 0;
    std::uint64_t generation = 0;
    std::uint64_t values[2][32];
};

struct Fiber {
    ucontext_t begin;
    jmp_buf here;
    std::unique_ptr<char[]> stack;
    bool started = false, done = true;
    // Waits until the counter moves on; null: may run.
    const std::uint64_t* counter = nullptr;
    std::uint64_t seen = 0;
};

struct Block {
    const std::function<void()>* thread = nullptr;
    std::vector<Warp> warps;
    int alive = 0, at_barrier = 0;
    std::uint64_t barriers = 0;
    bool failed = false;
};

std::vector<std::unique_ptr<Fiber>> fibers;
Block block;
std::size_t current = 0;
jmp_buf scheduler;
std::vector<uint4> shared_memory;

// Back to the scheduler; returns when it lets this fiber run again.
void leave() {
    if (_setjmp(fibers[current]->here) == 0) _longjmp(scheduler, 1);
}

[[noreturn]] void fail() {
    block.failed = true;
    for (;;) leave();
}

void wait_on(const std::uint64_t& counter, std::uint64_t seen) {
    fibers[current]->counter = &counter;
    fibers[current]->seen = seen;
    leave();
}

void open_barrier_if_all_wait() {
    if (block.alive > 0 && block.at_barrier == block.alive) {
        block.at_barrier = 0;
        ++block.barriers;
    }
}

void fiber_main() {
    for (;;) {
        (*block.thread)();
        fibers[current]->done = true;
        --block.alive;
        open_barrier_if_all_wait();
        leave();
    }
}

void make_fibers(std::size_t count) {
    while (fibers.size() < count) {
        auto fiber = std::make_unique<Fiber>();
        fiber->stack = std::make_unique<char[]>(kStackBytes);
        getcontext(&fiber->begin);
        fiber->begin.uc_stack.ss_sp = fiber->stack.get();
        fiber->begin.uc_stack.ss_size = kStackBytes;
        fiber->begin.uc_link = nullptr;
        makecontext(&fiber->begin, fiber_main, 0);
        fibers.push_back(std::move(fiber));
    }
}

dim3 place(std::size_t i, const dim3& size) {
    const auto n = static_cast<unsigned>(i);
    return {n % size.x, n / size.x % size.y, n / size.x / size.y};
}

// Not on the scheduler's own frame across a longjmp: nothing here lives in a register.
__attribute__((noinline)) void resume(std::size_t i) {
    current = i;
    threadIdx = place(i, blockDim);
    if (_setjmp(scheduler) != 0) return;
    Fiber& fiber = *fibers[current];
    if (fiber.started) _longjmp(fiber.here, 1);
    fiber.started = true;
    setcontext(&fiber.begin);
}

bool may_run(const Fiber& fiber) {
    return !fiber.done && (fiber.counter == nullptr || *fiber.counter != fiber.seen);
}

// False when the threads wait for one another in vain, or a collective was misused.
bool run_block(const std::vector<std::size_t>& order) {
    for (const std::size_t i : order) {
        fibers[i]->done = false;
        fibers[i]->counter = nullptr;
    }
    block.warps.assign((order.size() + 31) / 32, {});
    block.alive = static_cast<int>(order.size());
    block.at_barrier = 0;
    while (block.alive > 0) {
        bool moved = false;
        for (const std::size_t i : order) {
            if (!may_run(*fibers[i])) continue;
            fibers[i]->counter = nullptr;
            moved = true;
            resume(i);
            if (block.failed) return false;
        }
        if (!moved) return false;
    }
    return true;
}

}  // namespace

namespace on_cpu {

void* dynamic_shared() { return shared_memory.data(); }

int lane() { return static_cast<int>(current % 32); }

void block_barrier() {
    const std::uint64_t seen = block.barriers;
    ++block.at_barrier;
    open_barrier_if_all_wait();
    if (block.barriers == seen) wait_on(block.barriers, seen);
}

const std::uint64_t* exchange(unsigned mask, std::uint64_t value, int kind) {
    Warp& warp = block.warps[current / 32];
    if (mask != 0xffffffffu || (warp.arrived > 0 && warp.kind != kind)) fail();
    const std::uint64_t seen = warp.generation;
    warp.kind = kind;
    warp.values[seen % 2][current % 32] = value;
    if (++warp.arrived == 32) {
        warp.arrived = 0;
        ++warp.generation;
    } else {
        wait_on(warp.generation, seen);
    }
    return warp.values[seen % 2];
}

cudaError_t run_grid(const cudaLaunchConfig_t& config, const std::function<void()>& thread) {
    static std::mt19937 random(1);
    blockDim = config.blockDim;
    gridDim = config.gridDim;
    const std::size_t threads =
        static_cast<std::size_t>(config.blockDim.x) * config.blockDim.y * config.blockDim.z;
    const std::size_t blocks =
        static_cast<std::size_t>(config.gridDim.x) * config.gridDim.y * config.gridDim.z;
    if (threads == 0 || threads > 1024 || blocks == 0 || config.dynamicSmemBytes > 48 * 1024) {
        return cudaErrorInvalidValue;
    }
    make_fibers(threads);
    block.thread = &thread;
    std::vector<std::size_t> order(threads), grid(blocks);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::iota(grid.begin(), grid.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    std::shuffle(grid.begin(), grid.end(), random);
    for (const std::size_t i : grid) {
        blockIdx = place(i, gridDim);
        shared_memory.assign(config.dynamicSmemBytes / 16 + 1, {~0u, ~0u, ~0u, ~0u});
        if (!run_block(order)) {
            fibers.clear();
            block = {};
            return cudaErrorLaunchFailure;
        }
    }
    return cudaSuccess;
}

}  // namespace on_cpu
