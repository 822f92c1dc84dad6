// SPDX-License-Identifier: MIT OR Apache-2.0
// What a worker of kills.cpp does: random operations on blocks whose contents say what they must be.
#include "tests/crash/kills.hpp"

#include <algorithm>

namespace crash {
namespace {
class Worker {
  public:
    Worker(Control &control, char const *name, unsigned number, uint64_t seed)
        : control_(control), slot_(control.slot[number]), number_(number), random_(seed)
    {
        must("attach", weir_matrix_attach(name, nullptr, &matrix_));
        must("channel", weir_channel_attach(matrix_, "jobs", nullptr, &channel_));
        must("subscribe", weir_channel_subscribe(channel_, &reader_));
        uint64_t me = 0;
        must("id", weir_matrix_participant_id(matrix_, &me));
        me_ = me;
        store(slot_.participant, me);
    }

    void run()
    {
        while (load(control_.stop) == 0) {
            step();
            add(slot_.beats);
            if (random_.below(20000) == 0)
                break; // now and then somebody leaves in order
        }
        weir_subscription_close(reader_);
        weir_channel_unref(channel_);
        weir_matrix_unref(matrix_);
    }

  private:
    static constexpr unsigned kHeld = 48;

    [[noreturn]] void fail(std::string const &what)
    {
        if (__atomic_exchange_n(&control_.failed, 1, __ATOMIC_ACQ_REL) == 0)
            std::strncpy(control_.failure, what.c_str(), sizeof control_.failure - 1);
        _exit(3);
    }
    void must(char const *what, int code)
    {
        if (code < 0)
            fail(text("worker %u: %s gave %d (%s)", number_, what, code, weir_error_name(code)));
    }
    /// Success, or one of the codes that this call may give here.
    bool went(char const *what, int code, std::initializer_list<int> fine)
    {
        if (code >= 0)
            return true;
        if (std::find(fine.begin(), fine.end(), code) == fine.end())
            must(what, code);
        return false;
    }

    bool make(weir_ref &block, uint64_t message)
    {
        uint64_t const kind = random_.below(100);
        size_t const size = sizeof(Content) + (kind < 80   ? random_.below(1500)
                                               : kind < 98 ? random_.below(20000)
                                                           : random_.below(1500000));
        void *data = nullptr;
        bool const waits = random_.below(10) == 0;
        weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
        with.timeout_ns = 2 * kMillisecond;
        int const code = weir_matrix_alloc(matrix_, size, waits ? &with : nullptr, &block, &data);
        if (!went("alloc", code, {-ENOMEM, -EBUSY, waits ? -ETIMEDOUT : -ENOMEM}))
            return false;
        if (waits)
            add(slot_.done[kWait]);
        write(data, size, message);
        return true;
    }
    void write(void *data, size_t size, uint64_t message)
    {
        Content const content{kMagic, size, message, random_.next() | 1};
        std::memcpy(data, &content, sizeof content);
        auto *const bytes = static_cast<unsigned char *>(data);
        std::memset(bytes + sizeof content, static_cast<int>(content.fill & 255),
                    size - sizeof content);
    }

    /// The block must be as its maker left it.
    Content verify(weir_ref block, char const *where)
    {
        void *data = nullptr;
        size_t size = 0;
        must(where, weir_matrix_data(matrix_, block, &data, &size));
        Content content;
        std::memcpy(&content, data, sizeof content);
        if (content.magic != kMagic || content.length > size)
            fail(text("worker %u: %s: a block of %zu bytes has another's content", number_, where,
                      size));
        auto const *const bytes = static_cast<unsigned char const *>(data);
        for (size_t i = sizeof content; i < content.length; ++i)
            if (bytes[i] != (content.fill & 255))
                fail(text("worker %u: %s: byte %zu of %zu was changed", number_, where, i,
                          static_cast<size_t>(content.length)));
        return content;
    }

    void hold(weir_ref block)
    {
        if (count_ == kHeld)
            drop(random_.below(kHeld));
        held_[count_++] = block;
    }
    weir_ref let_go(uint64_t index)
    {
        weir_ref const block = held_[index];
        held_[index] = held_[--count_];
        return block;
    }
    void drop(uint64_t index)
    {
        weir_ref const block = let_go(index);
        verify(block, "free");
        must("free", weir_matrix_free(matrix_, block));
        add(slot_.done[kFree]);
    }

    void step()
    {
        uint64_t const dice = random_.below(100);
        if (dice < 30)
            allocate();
        else if (dice < 42 && count_ != 0)
            drop(random_.below(count_));
        else if (dice < 49 && count_ != 0)
            change_size(random_.below(count_));
        else if (dice < 50)
            batch();
        else if (dice < 55 && count_ != 0)
            give();
        else if (dice < 60)
            open_mail();
        else if (dice < 66)
            change_root();
        else if (dice < 80)
            post();
        else if (dice < 95)
            read();
        else
            look();
    }

    void allocate()
    {
        weir_ref block;
        if (!make(block, 0))
            return;
        hold(block);
        add(slot_.done[kAlloc]);
    }

    /// In place or by moving. What fits must be as it was.
    void change_size(uint64_t index)
    {
        weir_ref &block = held_[index];
        Content const content = verify(block, "before a resize");
        size_t const size =
            sizeof content + (random_.below(2) == 0 ? random_.below(content.length)
                                                    : random_.below(2 * content.length));
        // who verifies it goes by this length
        size_t const kept = size < content.length ? size : static_cast<size_t>(content.length);
        void *data = nullptr;
        must("data", weir_matrix_data(matrix_, block, &data, nullptr));
        std::memcpy(static_cast<char *>(data) + offsetof(Content, length), &kept, sizeof kept);
        bool const moves = random_.below(3) == 0;
        int const code = moves ? weir_matrix_realloc(matrix_, block, size, nullptr, &block, nullptr)
                               : weir_matrix_resize(matrix_, block, size);
        if (!went("resize", code, {moves ? -ENOMEM : -ENOSPC, moves ? -EBUSY : -ENOSPC}))
            return;
        verify(block, "after a resize");
        must("data", weir_matrix_data(matrix_, block, &data, nullptr));
        write(data, size, content.message);
        add(slot_.done[moves ? kRealloc : kResize]);
    }

    void batch()
    {
        weir_ref blocks[20];
        int const made =
            weir_matrix_alloc_many(matrix_, 1 + random_.below(1500), 20, nullptr, blocks, nullptr);
        if (!went("alloc_many", made, {-ENOMEM, -EBUSY}))
            return;
        int const freed = weir_matrix_free_many(matrix_, blocks, static_cast<size_t>(made));
        if (freed != made)
            fail(text("worker %u: free_many gave %d of %d", number_, freed, made));
        add(slot_.done[kMany]);
    }

    void give()
    {
        Slot &peer = control_.slot[random_.below(kWorkers)];
        uint64_t &mail = peer.mail[random_.below(kMailbox)];
        uint64_t const his = load(peer.participant);
        if (his == 0 || his == me_ || load(mail) != 0)
            return;
        uint64_t const index = random_.below(count_);
        weir_ref const block = held_[index];
        if (!went("give", weir_block_give(matrix_, block, his), {-ESRCH}))
            return;
        let_go(index);
        store(mail, uint64_t{block}); // overwritten mail is a leak until its owner ends
        add(slot_.done[kGive]);
    }

    void open_mail()
    {
        uint64_t &mail = slot_.mail[random_.below(kMailbox)];
        weir_ref const block = __atomic_exchange_n(&mail, 0, __ATOMIC_ACQ_REL);
        uint64_t owner = 0;
        if (block == 0 ||
            !went("owner", weir_block_owner(matrix_, block, &owner), {-WEIR_E_STALE}) ||
            owner != me_)
            return; // given to one who had this place before
        verify(block, "mail");
        must("free mail", weir_matrix_free(matrix_, block));
        add(slot_.done[kMail]);
    }

    void change_root()
    {
        char name[16];
        std::snprintf(name, sizeof name, "root %u", static_cast<unsigned>(random_.below(kRoots)));
        weir_ref block = 0;
        if (random_.below(2) == 0) {
            if (!make(block, 0))
                return;
            if (went("bind", weir_matrix_bind(matrix_, name, block), {-EEXIST, -EBUSY}))
                add(slot_.done[kBind]);
            else
                hold(block);
            return;
        }
        if (!went("unbind", weir_matrix_unbind(matrix_, name, &block), {-ENOENT, -EBUSY}))
            return;
        if (block == 0)
            fail("a root named no block");
        verify(block, "unbind");
        hold(block);
        add(slot_.done[kUnbind]);
    }

    void post()
    {
        uint64_t message = __atomic_add_fetch(&control_.next_message, 1, __ATOMIC_RELAXED);
        if (message >= kTracked)
            message = 0;
        weir_ref block;
        if (!make(block, message))
            return;
        weir_post_options with = WEIR_POST_OPTIONS_INIT;
        with.tag = message;
        int64_t const timeout = random_.below(4) == 0 ? 3 * kMillisecond : 0;
        int const code = weir_channel_post(channel_, block, sizeof(Content), &with, timeout);
        if (!went("post", code, {-EAGAIN, -ETIMEDOUT})) {
            hold(block);
            return;
        }
        if (message != 0)
            store(control_.posted[message], static_cast<unsigned char>(1));
        add(slot_.done[kPost]);
    }

    void read()
    {
        weir_message message;
        int64_t const timeout = random_.below(4) == 0 ? 3 * kMillisecond : 0;
        int const code = weir_channel_read(reader_, timeout, &message, nullptr);
        if (!went("read", code, {-EAGAIN, -ETIMEDOUT}))
            return;
        if (message.missed != 0)
            fail("a message was missed");
        Content const content = verify(message.block, "read");
        if (content.message != message.tag)
            fail(text("message %llu has the block of %llu",
                      static_cast<unsigned long long>(message.tag),
                      static_cast<unsigned long long>(content.message)));
        if (message.tag != 0)
            store(control_.read[message.tag], static_cast<unsigned char>(1));
        uint64_t const dice = random_.below(10);
        if (dice == 0) {
            must("nack", weir_channel_nack(reader_, &message));
            add(slot_.done[kNack]);
            return;
        }
        if (dice < 3) {
            must("take", weir_channel_take(reader_, &message));
            hold(message.block);
            add(slot_.done[kTake]);
        } else {
            must("ack", weir_channel_ack(reader_, &message));
            add(slot_.done[kAck]);
        }
        if (message.tag != 0)
            add(control_.answered[message.tag]);
    }

    void look()
    {
        if (count_ != 0) {
            weir_ref const block = held_[random_.below(count_)];
            must("set_state", weir_block_set_state(matrix_, block, 50));
            must("transition", weir_block_transition(matrix_, block, 50, 51));
            add(slot_.done[kState]);
        }
        if (random_.below(20) == 0) {
            uint64_t bytes = 0;
            if (went("trim", weir_matrix_trim(matrix_, random_.below(1 << 20), &bytes), {-EBUSY}) &&
                bytes != 0)
                add(slot_.done[kTrim]);
        }
        if (random_.below(50) != 0)
            return;
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        must("stats", weir_matrix_stats(matrix_, &info));
        must("heal", weir_matrix_heal(matrix_, nullptr));
        add(slot_.done[kLook]);
    }

    Control &control_;
    Slot &slot_;
    unsigned number_;
    Random random_;
    weir_matrix *matrix_ = nullptr;
    weir_channel *channel_ = nullptr;
    weir_subscription *reader_ = nullptr;
    uint64_t me_ = 0;
    weir_ref held_[kHeld] = {};
    unsigned count_ = 0;
};
} // namespace

void work(Control &control, char const *name, unsigned number, uint64_t seed)
{
    Worker(control, name, number, seed).run();
}

} // namespace crash
