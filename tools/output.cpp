// SPDX-License-Identifier: MIT OR Apache-2.0
// What people see: sizes, times, safe names, tables, JSON and the progress line.
#include "output.hpp"

#include "clock.hpp"
#include "error.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
constexpr std::int64_t kLivePeriodNs = 100 * kMillisecond;
constexpr std::int64_t kPlainPeriodNs = 2 * kSecond;

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

/// Bytes of the UTF-8 character at `at` that every reader takes; 0 if there is none.
std::size_t character_at(std::string const &text, std::size_t at)
{
    auto const byte = [&text](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    unsigned const lead = byte(at);
    std::size_t const length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    std::uint32_t code = length < 2 ? lead : lead & (0xffu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte(at + i) & 0x3f);
    }
    bool const overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    bool const no_character = (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ||
                              (code & 0xfffe) == 0xfffe || (code >= 0x80 && code < 0xa0);
    return overlong || no_character ? 0 : length;
}

std::string padded(std::string const &cell, std::size_t width, bool left)
{
    std::string const gap(width - std::min(width, columns_of(cell)), ' ');
    return left ? cell + gap : gap + cell;
}
} // namespace

std::string human_bytes(std::uint64_t bytes)
{
    static constexpr std::array<char const *, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024)
        return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_time(double ns)
{
    if (ns < 1e3)
        return fmt::format("{:.0f} ns", ns);
    if (ns < 1e6)
        return fmt::format("{:.1f} us", ns / 1e3);
    if (ns < 1e9)
        return fmt::format("{:.1f} ms", ns / 1e6);
    return fmt::format("{:.2f} s", ns / 1e9);
}

std::string printable(std::string const &text)
{
    std::string safe;
    for (std::size_t i = 0; i < text.size();) {
        auto const byte = static_cast<unsigned char>(text[i]);
        std::size_t const length = character_at(text, i);
        if (length == 0 || is_control(byte) || text[i] == '\\')
            safe += fmt::format("\\x{:02x}", byte);
        else
            safe += text.substr(i, length);
        i += length == 0 ? 1 : length;
    }
    return safe;
}

std::string bounded(char const *text, std::size_t capacity)
{
    return printable(std::string(text, strnlen(text, capacity)));
}

std::string hex_digits(void const *data, std::size_t size)
{
    static char const kDigits[] = "0123456789abcdef";
    auto const *const bytes = static_cast<unsigned char const *>(data);
    std::string text(2 * size, '0');
    for (std::size_t i = 0; i < size; ++i) {
        text[2 * i] = kDigits[bytes[i] >> 4];
        text[2 * i + 1] = kDigits[bytes[i] & 15];
    }
    return text;
}

void print(std::string const &text)
{
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        fail_errno("cannot write to stdout");
}

void check_stdout()
{
    pollfd out{STDOUT_FILENO, 0, 0};
    if (poll(&out, 1, 0) != 1 || (out.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0)
        return;
    errno = (out.revents & POLLNVAL) != 0 ? EBADF : EPIPE; // HUP: of a socket, both ways
    fail_errno("cannot write to stdout");
}

void print_json(nlohmann::ordered_json const &object)
{
    print(object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

Table::Table(std::vector<std::string> header, std::vector<std::size_t> left)
    : left_(std::move(left))
{
    rows_.push_back(std::move(header));
}

void Table::add(std::vector<std::string> row)
{
    row.resize(rows_.front().size());
    rows_.push_back(std::move(row));
}

bool Table::is_left(std::size_t column) const
{
    return std::find(left_.begin(), left_.end(), column) != left_.end();
}

std::string Table::text() const
{
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (auto const &row : rows_)
        for (std::size_t column = 0; column < row.size(); ++column)
            widths[column] = std::max(widths[column], columns_of(row[column]));

    std::string text;
    for (auto const &row : rows_) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column)
            line +=
                (column == 0 ? "" : "  ") + padded(row[column], widths[column], is_left(column));
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::size_t columns_of(std::string const &text)
{
    // Continuation bytes of UTF-8 take no column.
    auto const starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts));
}

bool has_colours(int fd)
{
    char const *const term = std::getenv("TERM");
    return isatty(fd) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
           std::strcmp(term, "dumb") != 0;
}

std::size_t terminal_width()
{
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

Progress::Progress(Style style)
    : enabled_(style == Style::automatic),
      live_(isatty(STDOUT_FILENO) == 1 && isatty(STDERR_FILENO) == 1)
{
    if (!live_)
        next_ns_ = now_ns() + kPlainPeriodNs; // a short run needs no line in between
}

bool Progress::due()
{
    if (!enabled_ || now_ns() < next_ns_)
        return false;
    next_ns_ = now_ns() + (live_ ? kLivePeriodNs : kPlainPeriodNs);
    return true;
}

void Progress::show(std::string const &line)
{
    if (!live_) {
        fmt::print(stderr, "{}\n", line);
        return;
    }
    std::string const cut = line.substr(0, terminal_width() - 1);
    fmt::print(stderr, "\r{}\033[K", cut); // erases what the last, longer line left
    std::fflush(stderr);
    shown_ = true;
}

void Progress::clear()
{
    if (shown_)
        fmt::print(stderr, "\r\033[K");
    shown_ = false;
}

} // namespace tool
