// Philox4x32-10 (Salmon et al. 2011), and the draws of a step: words by (unit, part, step, stream).

struct Words {
    unsigned w[4];
};

static __device__ __forceinline__ Words philox(unsigned c0, unsigned c1, unsigned c2, unsigned c3, unsigned k0,
                                               unsigned k1) {
#pragma unroll
    for (int turn = 0; turn < 10; ++turn) {
        const unsigned high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        const unsigned high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return Words{{c0, c1, c2, c3}};
}

// The word number `index` of a stream.
static __device__ __forceinline__ unsigned indexed_word(unsigned long long index, unsigned draw, unsigned stream,
                                                        unsigned k0, unsigned k1) {
    const unsigned long long counter = index >> 2;
    const Words words = philox((unsigned)counter, (unsigned)(counter >> 32), draw, stream, k0, k1);
    // Chosen without indexing, which would put the words into memory.
    const unsigned even = (index & 2) != 0 ? words.w[2] : words.w[0];
    const unsigned odd = (index & 2) != 0 ? words.w[3] : words.w[1];
    return (index & 1) != 0 ? odd : even;
}

// How many of the rising thresholds do not exceed a word.
static __device__ __forceinline__ int poisson_count(unsigned word, const unsigned* thresholds, int n) {
    int count = 0;
    while (count < n && word >= thresholds[count]) {
        ++count;
    }
    return count;
}

// Poisson counts of a unit in the four steps of `block`, 16 bits each; `parts` draws are summed.
static __device__ __forceinline__ unsigned long long poisson_four(unsigned unit, int parts, unsigned block,
                                                                  unsigned stream, unsigned k0, unsigned k1,
                                                                  const unsigned* thresholds, int n) {
    unsigned long long four = 0;
    for (int part = 0; part < parts; ++part) {
        const Words words = philox(unit, (unsigned)part, block, stream, k0, k1);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            four += (unsigned long long)poisson_count(words.w[k], thresholds, n) << (16 * k);
        }
    }
    return four;
}
