// SPDX-License-Identifier: MIT OR Apache-2.0
// What people see: sizes, times, safe names, tables, JSON and the progress line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace tool {

/// "1.5 MiB"; exact bytes below 1 KiB.
std::string human_bytes(std::uint64_t bytes);

/// "1.5 ms".
std::string human_time(double ns);

/// A name from shared memory or a file system, made safe to print: control characters and
/// backslashes become escapes, so that nobody's file name drives the terminal.
std::string printable(std::string const &text);

/// The same for a fixed array that may lack its NUL.
std::string bounded(char const *text, std::size_t capacity);

/// Two lower-case hexadecimal digits a byte.
std::string hex_digits(void const *data, std::size_t size);

/// Prints one JSON object and a line end to stdout; invalid UTF-8 becomes U+FFFD.
void print_json(nlohmann::ordered_json const &object);

/// Prints to stdout and throws if that fails, e.g. on a full disk.
void print(std::string const &text);

/// Fails as printing would if whoever reads stdout through a pipe or socket has gone. For who waits for
/// something to print, so that he does not outlive a `| head`.
void check_stdout();

/// A table with left-aligned first column and right-aligned others, unless `left` names them.
class Table {
  public:
    explicit Table(std::vector<std::string> header, std::vector<std::size_t> left = {0});
    void add(std::vector<std::string> row);
    std::string text() const;

  private:
    bool is_left(std::size_t column) const;

    std::vector<std::vector<std::string>> rows_;
    std::vector<std::size_t> left_;
};

/// How many columns of a UTF-8 text a terminal shows, for text without wide characters.
std::size_t columns_of(std::string const &text);

/// Whether a file descriptor is a terminal that understands colours.
bool has_colours(int fd);

/// The width of the terminal, or 80.
std::size_t terminal_width();

/// One line that is rewritten on a terminal, and plain lines now and then elsewhere. On stderr,
/// so that stdout carries the result alone.
class Progress {
  public:
    enum class Style { none, automatic };

    explicit Progress(Style style);
    /// Whether it is time to show something; ask before computing what to show.
    bool due();
    void show(std::string const &line);
    /// Removes the rewritten line.
    void clear();

  private:
    bool enabled_;
    bool live_;
    bool shown_ = false;
    std::int64_t next_ns_ = 0;
};

} // namespace tool
