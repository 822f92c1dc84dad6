// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs a fuzz target without libFuzzer: over the files that are named, then over inputs made of
// them and of nothing by random edits, for some seconds (-max_total_time=N, as libFuzzer's).
// The same -seed=N gives the same inputs.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

void read_into(std::filesystem::path const &path, std::vector<Input> &inputs)
{
    if (std::filesystem::is_directory(path)) {
        for (auto const &entry : std::filesystem::directory_iterator(path))
            read_into(entry.path(), inputs);
        return;
    }
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

uint64_t next(uint64_t &state)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

} // namespace

int main(int argc, char **argv)
{
    std::vector<Input> inputs(1);
    uint64_t seconds = 0, seed = 1;
    for (int i = 1; i < argc; ++i) {
        if (strncmp(argv[i], "-max_total_time=", 16) == 0)
            seconds = strtoull(argv[i] + 16, nullptr, 0);
        else if (strncmp(argv[i], "-seed=", 6) == 0)
            seed = strtoull(argv[i] + 6, nullptr, 0);
        else if (argv[i][0] != '-')
            read_into(argv[i], inputs);
    }
    for (Input const &input : inputs)
        LLVMFuzzerTestOneInput(input.data(), input.size());
    auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    uint64_t runs = inputs.size();
    for (; std::chrono::steady_clock::now() < end; ++runs) {
        Input input = inputs[next(seed) % inputs.size()];
        for (uint64_t edits = 1 + next(seed) % 4; edits > 0; --edits) {
            uint64_t const length = next(seed) % 9;
            for (uint64_t k = 0; k < 5 + length; ++k)
                input.push_back(k == 4 ? static_cast<uint8_t>(length)
                                       : static_cast<uint8_t>(next(seed)));
            // Where structures are: the first bytes of blocks, in the first 64 KiB.
            uint8_t *const edit = &input[input.size() - 5 - length];
            if (next(seed) % 2 == 0)
                edit[1] %= 128, edit[2] &= 0xf0, edit[3] = 0;
        }
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    printf("%llu inputs\n", static_cast<unsigned long long>(runs));
    return 0;
}
