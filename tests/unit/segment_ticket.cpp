// SPDX-License-Identifier: MIT OR Apache-2.0
// The lock in shared memory whose holder may die.
#include "core/segment/ticket.hpp"
#include "tests/unit/support.hpp"

#include <atomic>
#include <thread>
#include <vector>

using namespace unit;
using namespace weir;

Test(segment_ticket, one_holder_at_a_time)
{
    TicketWord word{};
    Ticket ticket(word);
    check_eq(ticket.holder(), kNobody);
    cr_assert(ticket.try_take(5));
    check_eq(ticket.holder(), 5);
    cr_assert(!ticket.try_take(6));
    cr_assert(!ticket.try_take(5), "not even the holder takes it twice");
    ticket.give_back(5);
    check_eq(ticket.holder(), kNobody);
    cr_assert(ticket.try_take(6));
}

Test(segment_ticket, only_the_holders_number_gives_it_back)
{
    TicketWord word{};
    Ticket ticket(word);
    cr_assert(ticket.try_take(7));
    for (Owner other : {Owner{0}, Owner{1}, Owner{6}, Owner{8}, kMaxParticipants})
        ticket.give_back(other);
    check_eq(ticket.holder(), 7);
    ticket.give_back(7); // as a healer does
    ticket.give_back(7); // and again: healing may be done twice
    check_eq(ticket.holder(), kNobody);
}

/// A CAS that was prepared in an earlier use must fail: the word never repeats.
Test(segment_ticket, each_use_has_a_word_of_its_own)
{
    TicketWord word{};
    Ticket ticket(word);
    uint64_t last = 0;
    for (int i = 0; i < 1000; ++i) {
        cr_assert(ticket.try_take(3));
        uint64_t const now = word.word.load(relaxed);
        cr_assert(i == 0 || now > last);
        last = now;
        ticket.give_back(3);
        check_ne(word.word.load(relaxed), 0);
    }
}

Test(segment_ticket, threads_exclude_each_other, .timeout = 30)
{
    TicketWord word{};
    uint64_t counter = 0; // plain: protected by the ticket
    std::vector<std::thread> threads;
    for (Owner self = 1; self <= 3; ++self)
        threads.emplace_back([&, self] {
            Ticket ticket(word);
            for (int done = 0; done < 20000;) {
                if (!ticket.try_take(self)) {
                    std::this_thread::yield();
                    continue;
                }
                ++counter;
                ++done;
                ticket.give_back(self);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    check_eq(counter, 60000);
}
