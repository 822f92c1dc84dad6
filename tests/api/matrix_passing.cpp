// SPDX-License-Identifier: MIT OR Apache-2.0
// A matrix passed by its descriptor over a socket, to processes that share nothing else with it.
#include "tests/api/support.hpp"

#include <sys/socket.h>

using namespace api;

namespace {
union Control {
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/// A pair of sockets over which descriptors travel.
class Wire {
  public:
    Wire()
    {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_) != 0)
            std::abort();
    }
    Wire(Wire const &) = delete;
    Wire &operator=(Wire const &) = delete;
    ~Wire()
    {
        close(ends_[0]);
        close(ends_[1]);
    }

    void send(int fd)
    {
        Control control{};
        msghdr message = describe(control);
        cmsghdr *const rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
        check_eq(sendmsg(ends_[0], &message, MSG_NOSIGNAL), 1);
    }
    int receive()
    {
        Control control{};
        msghdr message = describe(control);
        int fd = -1;
        if (recvmsg(ends_[1], &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
            std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        return fd;
    }

  private:
    msghdr describe(Control &control)
    {
        data_ = {&byte_, 1};
        msghdr message{};
        message.msg_iov = &data_;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        return message;
    }
    int ends_[2];
    char byte_ = 'm';
    iovec data_{};
};
} // namespace

Test(matrix_passing, a_process_that_was_there_before_gets_the_matrix, .timeout = 30)
{
    Wire wire;
    Gate done, leave;
    pid_t const child = start([&] { // before there is a matrix: nothing is inherited
        int const fd = wire.receive();
        child_check(fd >= 0);
        weir_matrix *own = nullptr;
        child_must(weir_matrix_attach_fd(fd, nullptr, &own));
        close(fd);
        weir_ref greeting = 0, block = 0;
        void *data = nullptr;
        child_must(weir_matrix_lookup(own, "greeting", &greeting));
        child_must(weir_matrix_data(own, greeting, &data, nullptr));
        child_check(std::strcmp(static_cast<char *>(data), "ahoy") == 0);
        child_must(weir_matrix_alloc(own, 64, nullptr, &block, nullptr));
        done.open(block);
        leave.pass();
        return 0;
    });
    weir_matrix *const matrix = unnamed();
    weir_ref const greeting = alloc(matrix);
    void *data = nullptr;
    must(weir_matrix_data(matrix, greeting, &data, nullptr));
    std::strcpy(static_cast<char *>(data), "ahoy");
    must(weir_matrix_bind(matrix, "greeting", greeting));
    wire.send(weir_matrix_fd(matrix));
    weir_ref const block = done.pass();
    check_ne(owner_of(matrix, block), participant(matrix));
    check_eq(stats(matrix).participants, 2);
    must(weir_matrix_free(matrix, block)); // one address space or two: a block is a block
    kill_and_join(child);
    check_eq(weir_matrix_heal(matrix, nullptr), 1); // its lock went with it, not with our copy
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

/// Who gets a descriptor for reading, and may not open the file anew, can look and nothing else.
Test(matrix_passing, a_descriptor_for_reading_gives_no_more_than_that, .timeout = 30)
{
    if (geteuid() != 0)
        cr_skip_test("only root can become another user");
    Wire wire;
    pid_t const child = start([&] {
        child_check(setresuid(kNobody, kNobody, kNobody) == 0);
        int const fd = wire.receive();
        auto wanted = options();
        weir_matrix *own = nullptr;
        child_refuse(-EACCES, weir_matrix_attach_fd(fd, &wanted, &own));
        wanted.flags = WEIR_MATRIX_READ_ONLY;
        child_must(weir_matrix_attach_fd(fd, &wanted, &own));
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        child_must(weir_matrix_stats(own, &info));
        child_check(info.used_blocks == 1 && info.participants == 1);
        std::string const again = "/proc/self/fd/" + std::to_string(weir_matrix_fd(own));
        child_check(open(again.c_str(), O_RDWR | O_CLOEXEC) < 0 && errno == EACCES);
        weir_matrix_unref(own);
        return 0;
    });
    auto wanted = options();
    wanted.mode = 0600;
    weir_matrix *const matrix = create(nullptr, wanted);
    struct stat found;
    check_eq(fstat(weir_matrix_fd(matrix), &found), 0);
    check_eq(found.st_mode & 07777, 0600);
    alloc(matrix);
    std::string const path = "/proc/self/fd/" + std::to_string(weir_matrix_fd(matrix));
    int const reading = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    wire.send(reading);
    close(reading);
    check_eq(join(child), 0, "%s", words());
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}
