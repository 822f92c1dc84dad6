// SPDX-License-Identifier: MIT OR Apache-2.0
// The words beside a channel that say who publishes and whether that was all.
#include "end.hpp"

#include "../error.hpp"
#include "../output.hpp"
#include "../owners.hpp"
#include "channels.hpp"

#include <algorithm>
#include <cerrno>

namespace tool::channels {
namespace {
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(EndWords) == 512);

/// None if no publisher was ever there, or if somebody else's root has the name.
EndWords *find_words(Matrix const &matrix, std::string const &channel)
{
    weir_ref block = WEIR_REF_NONE;
    void *data = nullptr;
    std::size_t size = 0;
    int code = weir_matrix_lookup(matrix.get(), (channel + kEndSuffix).c_str(), &block);
    if (code == 0)
        code = weir_matrix_data(matrix.get(), block, &data, &size);
    return code == 0 && size >= sizeof(EndWords) ? static_cast<EndWords *>(data) : nullptr;
}

EndWords &open_words(Matrix const &matrix, std::string const &channel)
{
    std::string const name = channel + kEndSuffix;
    if (EndWords *const known = find_words(matrix, channel); known != nullptr)
        return *known;
    weir_alloc_options zeroed = WEIR_ALLOC_OPTIONS_INIT;
    zeroed.flags = WEIR_ALLOC_ZERO;
    weir_ref block = WEIR_REF_NONE;
    must(weir_matrix_alloc(matrix.get(), sizeof(EndWords), &zeroed, &block, nullptr), "alloc");
    int const bound = weir_matrix_bind(matrix.get(), name.c_str(), block);
    if (bound < 0)
        weir_matrix_free(matrix.get(), block);
    if (bound != -EEXIST) // another publisher was faster
        must(bound, printable(name));
    EndWords *const words = find_words(matrix, channel);
    if (words == nullptr)
        throw Failure(printable(name) + ": the name stands for something else");
    return *words;
}

bool lives(Matrix const &matrix, std::uint64_t participant)
{
    auto const all = participants_of(matrix);
    return std::any_of(all.begin(), all.end(), [participant](weir_participant_info const &info) {
        return info.participant == participant && info.state == WEIR_PARTICIPANT_LIVE;
    });
}
} // namespace

Publishing::Publishing(Matrix const &matrix, std::string const &channel)
    : matrix_(matrix), words_(open_words(matrix, channel))
{
    // In this order: an end that another one says after we are at work counts.
    std::uint64_t const before = words_.said.load();
    enter();
    std::uint64_t undone = words_.undone.load();
    while (undone < before && !words_.undone.compare_exchange_weak(undone, before)) {
    }
}

/// Takes a free place, or that of one who died.
void Publishing::enter()
{
    std::uint64_t me = 0;
    must(weir_matrix_participant_id(matrix_.get(), &me), "participant");
    for (auto &place : words_.publisher) {
        std::uint64_t found = place.load();
        if ((found == 0 || !lives(matrix_, found)) && place.compare_exchange_strong(found, me)) {
            mine_ = &place;
            return;
        }
    }
    throw Failure("too many publishers of one channel at once");
}

Publishing::~Publishing()
{
    if (mine_ != nullptr)
        mine_->store(0);
}

void Publishing::say_end() { words_.said.fetch_add(1); }

bool is_end(Matrix const &matrix, std::string const &channel)
{
    EndWords const *const words = find_words(matrix, channel);
    if (words == nullptr || words->said.load() <= words->undone.load())
        return false;
    return std::none_of(std::begin(words->publisher), std::end(words->publisher),
                        [&matrix](std::atomic<std::uint64_t> const &place) {
                            std::uint64_t const found = place.load();
                            return found != 0 && lives(matrix, found);
                        });
}

} // namespace tool::channels
