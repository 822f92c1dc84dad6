// SPDX-License-Identifier: MIT OR Apache-2.0
// A picture that fills the terminal until somebody presses q. ANSI escapes and termios, no library.
#include "terminal.hpp"

#include "clock.hpp"
#include "output.hpp"

#include "interrupt.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace tool {
namespace {
constexpr char kEnter[] = "\033[?1049h\033[?25l"; // the other screen, no cursor
constexpr char kLeave[] = "\033[?25h\033[?1049l";

std::size_t terminal_height()
{
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row >= 4)
        return size.ws_row;
    return 24;
}

/// The first `columns` of a line of UTF-8.
std::string cut(std::string const &line, std::size_t columns)
{
    std::string shown = line;
    while (columns_of(shown) > columns)
        shown.pop_back();
    while (shown.size() < line.size() &&
           (static_cast<unsigned char>(line[shown.size()]) & 0xc0) == 0x80)
        shown += line[shown.size()];
    return shown;
}
} // namespace

LiveScreen::LiveScreen()
{
    watch_interrupts();
    if (tcgetattr(STDIN_FILENO, &before_) == 0) {
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        raw.c_cc[VSUSP] = _POSIX_VDISABLE; // stopped, we would leave the terminal like this
        keys_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
    }
    print(kEnter);
}

LiveScreen::~LiveScreen()
{
    std::fputs(kLeave, stdout); // not print(): that may throw
    std::fflush(stdout);
    if (keys_)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

void LiveScreen::show(std::string const &text)
{
    std::size_t const width = terminal_width();
    std::size_t const height = terminal_height();
    std::string frame = "\033[H"; // over what is there, so that it does not flicker
    std::size_t at = 0;
    for (std::size_t line = 0; line + 1 < height && at < text.size(); ++line) {
        std::size_t const end = std::min(text.find('\n', at), text.size());
        frame += cut(text.substr(at, end - at), width) + "\033[K\n";
        at = end + 1;
    }
    print(frame + "\033[J");
}

bool LiveScreen::pause(std::int64_t ns)
{
    std::int64_t const end = now_ns() + ns;
    for (std::int64_t left = ns; left > 0; left = end - now_ns()) {
        pollfd keys{keys_ ? STDIN_FILENO : -1, POLLIN, 0};
        int const ready =
            poll(&keys, 1, static_cast<int>((left + kMillisecond - 1) / kMillisecond));
        if (was_interrupted())
            return false;
        char key = 0;
        if (ready > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
            return false; // q, or the terminal is gone
    }
    return true;
}

} // namespace tool
