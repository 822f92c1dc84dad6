// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes JSON, indented, keys in the order in which they are given.
#pragma once

#include <cstdint>
#include <string>

namespace weir::gen {

class Json {
  public:
    void open_object(std::string const &key = "") { open(key, '{', '}'); }
    void open_array(std::string const &key = "") { open(key, '[', ']'); }
    void close();

    void text(std::string const &key, std::string const &value);
    void number(std::string const &key, std::uint64_t value);
    void raw(std::string const &key, std::string const &value); ///< a number or a literal
    void boolean(std::string const &key, bool value) { raw(key, value ? "true" : "false"); }

    std::string take() { return out_ + "\n"; }

  private:
    void open(std::string const &key, char begin, char end);
    void item(std::string const &key);

    std::string out_;
    std::string closers_;
    bool empty_ = true;
};

} // namespace weir::gen
