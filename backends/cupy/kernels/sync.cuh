// How blocks see what others wrote. Nothing else touches memory that another block writes during a launch.

#ifndef SNN_HOST

#define SNN_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#define SNN_LAUNCH(threads) __launch_bounds__(threads, 1)

static __device__ __forceinline__ unsigned snn_load_acquire(const unsigned* place) {
    unsigned value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(place) : "memory");
    return value;
}

static __device__ __forceinline__ void snn_add_release(unsigned* place, unsigned more) {
    asm volatile("red.release.gpu.global.add.u32 [%0], %1;" : : "l"(place), "r"(more) : "memory");
}

static __device__ __forceinline__ void snn_pause() {}

#endif

// A meeting of all blocks of a cooperative launch; `counter` is 0 when the launch begins. What a block did before it
// arrives, all see after they waited; in between it may do what concerns nobody else.
struct Meeting {
    unsigned* counter;
    unsigned goal;

    __device__ void arrive() {
        __syncthreads();
        if (threadIdx.x == 0) {
            snn_add_release(counter, 1u);
        }
    }

    __device__ void wait() {
        goal += gridDim.x;
        if (threadIdx.x == 0) {
            while ((int)(snn_load_acquire(counter) - goal) < 0) {
                snn_pause();
            }
        }
        __syncthreads();
    }
};
