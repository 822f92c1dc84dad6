// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on numbers: enum values, flag bits, constants.
#include "lint.hpp"

#include <map>

namespace weir::gen {
namespace {

constexpr std::uint64_t kLargestEnum = 2147483647;

class Values {
  public:
    explicit Values(LintContext const &context) : context_(context) {}

    void check(Item const &item)
    {
        if (item.kind == ItemKind::constant)
            return constant(item);
        if (item.kind != ItemKind::enumeration && item.kind != ItemKind::flags)
            return;
        rule_ = item.kind == ItemKind::flags ? "flag-value" : "enum-value";
        if (item.members.empty())
            fail(item.at, describe(item) + " has no values");
        std::map<std::string, std::string> seen;
        for (Member const &member : item.members) {
            if (!member.has_value) {
                fail(member.at, in_quotes(member.name) + " has no value");
                continue;
            }
            range(item, member);
            auto const first = seen.emplace(decimal(member.value), member.name);
            if (!first.second)
                fail(member.at, in_quotes(member.name) + " repeats the value of " +
                                    in_quotes(first.first->second));
        }
    }

  private:
    void fail(Location const &at, std::string const &message)
    {
        context_.diagnostics.error(at, rule_, message);
    }

    void range(Item const &item, Member const &member)
    {
        std::uint64_t const value = member.value.magnitude;
        if (item.kind == ItemKind::enumeration) {
            if (member.value.negative || value > kLargestEnum)
                fail(member.at, in_quotes(member.name) + " = " + decimal(member.value) +
                                    " is outside 0..2147483647");
            return;
        }
        if (member.value.negative || value == 0 || (value & (value - 1)) != 0)
            fail(member.at, in_quotes(member.name) + " is not exactly one bit");
        else if (item.storage == "uint32_t" && value >> 32 != 0)
            fail(member.at, in_quotes(member.name) + " does not fit 'uint32_t'");
    }

    void constant(Item const &item)
    {
        static std::map<std::string, unsigned> const kBits = {
            {"int8_t", 7},  {"int16_t", 15},  {"int32_t", 31},  {"int64_t", 63},
            {"uint8_t", 8}, {"uint16_t", 16}, {"uint32_t", 32}, {"uint64_t", 64},
        };
        rule_ = "abi-type";
        auto const bits = kBits.find(item.storage);
        if (bits == kBits.end())
            return fail(item.at, "type " + in_quotes(item.storage) + " of " + describe(item) +
                                     " is not of fixed width");
        bool const negative = item.value.negative && item.storage[0] == 'u';
        if (negative || (bits->second < 64 && item.value.magnitude >> bits->second != 0))
            fail(item.at, describe(item) + " does not fit " + in_quotes(item.storage));
    }

    LintContext const &context_;
    std::string rule_;
};

} // namespace

void check_values(LintContext const &context)
{
    Values values(context);
    for (Section const &section : context.model.sections)
        for (Item const &item : section.items)
            values.check(item);
}

} // namespace weir::gen
