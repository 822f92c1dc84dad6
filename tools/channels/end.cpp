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

/// The first `count` ends do not hold any more.
void undo(EndWords &words, std::uint64_t count)
{
    std::uint64_t undone = words.undone.load();
    while (undone < count && !words.undone.compare_exchange_weak(undone, count)) {
    }
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
    : matrix_(matrix), channel_(channel)
{
    EndWords &words = open_words(matrix, channel);
    // In this order: an end that another one says after we are at work counts.
    std::uint64_t const before = words.said.load();
    enter(words);
    undo(words, before);
}

/// Takes a free place, or that of one who died.
void Publishing::enter(EndWords &words)
{
    std::uint64_t me = 0;
    must(weir_matrix_participant_id(matrix_.get(), &me), "participant");
    for (std::size_t i = 0; i < EndWords::kPublishers; ++i) {
        std::uint64_t found = words.publisher[i].load();
        if ((found == 0 || !lives(matrix_, found)) &&
            words.publisher[i].compare_exchange_strong(found, me)) {
            place_ = i;
            return;
        }
    }
    throw Failure("too many publishers of one channel at once");
}

// The block may be gone: anybody may take its name away and free it.

Publishing::~Publishing()
{
    EndWords *const words = find_words(matrix_, channel_);
    if (words != nullptr && place_ < EndWords::kPublishers)
        words->publisher[place_].store(0);
}

void Publishing::say_end()
{
    if (EndWords *const words = find_words(matrix_, channel_); words != nullptr)
        words->said.fetch_add(1);
}

void forget_end(Matrix const &matrix, std::string const &channel)
{
    if (EndWords *const words = find_words(matrix, channel); words != nullptr)
        undo(*words, words->said.load());
}

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
