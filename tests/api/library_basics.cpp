// SPDX-License-Identifier: MIT OR Apache-2.0
// Versions, names of errors, features, size classes, and that every function is there.
#include "tests/api/support.hpp"

struct surface_function {
    char const *name;
    void (*address)(void);
};
extern "C" {
extern const struct surface_function surface_functions[];
extern const size_t surface_count;
}

Test(library_basics, version_of_header_and_library_agree)
{
    check_eq(weir_version_number(), WEIR_VERSION_NUMBER);
    cr_assert_str_eq(weir_version_string(), WEIR_VERSION_STRING);
    char text[32];
    uint32_t const number = weir_version_number();
    std::snprintf(text, sizeof text, "%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
    cr_assert_str_eq(weir_version_string(), text);
}

Test(library_basics, abi_hash_of_versions_to_come_is_zero)
{
    check_eq(weir_abi_hash(WEIR_VERSION_NUMBER + 1), 0);
    check_eq(weir_abi_hash(UINT32_MAX), 0);
    check_eq(weir_abi_hash(1), 0);
    check_eq(weir_abi_hash(WEIR_VERSION_NUMBER), weir_abi_hash(weir_version_number()));
}

Test(library_basics, every_error_has_a_name_and_a_text)
{
    struct {
        int code;
        char const *name;
    } const known[] = {{ENOMEM, "ENOMEM"},
                       {EINVAL, "EINVAL"},
                       {E2BIG, "E2BIG"},
                       {EBUSY, "EBUSY"},
                       {ENOSPC, "ENOSPC"},
                       {ETIMEDOUT, "ETIMEDOUT"},
                       {WEIR_E_STALE, "WEIR_E_STALE"},
                       {WEIR_E_CORRUPT, "WEIR_E_CORRUPT"},
                       {WEIR_E_POISONED, "WEIR_E_POISONED"},
                       {WEIR_E_RETIRED, "WEIR_E_RETIRED"},
                       {WEIR_E_VERSION, "WEIR_E_VERSION"},
                       {WEIR_E_LAPPED, "WEIR_E_LAPPED"},
                       {WEIR_E_TYPE, "WEIR_E_TYPE"},
                       {WEIR_E_FORKED, "WEIR_E_FORKED"}};
    for (auto const &error : known) {
        cr_assert_str_eq(weir_error_name(error.code), error.name);
        cr_assert_str_eq(weir_error_name(-error.code), error.name);
        cr_assert_str_eq(weir_strerror(error.code), weir_strerror(-error.code));
        check_ge(std::strlen(weir_strerror(error.code)), 4);
    }
}

Test(library_basics, any_number_has_a_text_and_a_name)
{
    int const odd[] = {0, 1, -1, 4095, 4104, -4104, 100000, INT32_MAX, INT32_MIN};
    for (int const code : odd) {
        cr_assert_not_null(weir_strerror(code));
        cr_assert_not_null(weir_error_name(code));
    }
    for (int code = -5000; code < 5000; ++code)
        cr_assert(weir_strerror(code) != nullptr && weir_error_name(code) != nullptr);
}

Test(library_basics, features_are_yes_or_no_and_unknown_ones_are_refused)
{
    check_eq(weir_feature_supported(WEIR_FEATURE_NAMED), 1);
    check_eq(weir_feature_supported(WEIR_FEATURE_MEMFD), 1);
    int const uring = weir_feature_supported(WEIR_FEATURE_IO_URING);
    cr_assert(uring == 0 || uring == 1);
    refuse(-EINVAL, weir_feature_supported(0));
    refuse(-EINVAL, weir_feature_supported(4));
    refuse(-EINVAL, weir_feature_supported(UINT32_MAX));
}

Test(library_basics, size_classes_are_those_of_the_manual)
{
    struct {
        size_t size;
        uint32_t first, second;
    } const known[] = {{1, 0, 0},   {15, 0, 0},    {16, 0, 1},    {64, 0, 4},    {127, 0, 7},
                       {128, 7, 0}, {1024, 10, 0}, {1151, 10, 0}, {1152, 10, 1}, {SIZE_MAX, 63, 7}};
    for (auto const &expected : known) {
        uint32_t first = 99, second = 99;
        must(weir_size_class(expected.size, &first, &second));
        check_eq(first, expected.first, "size %zu", expected.size);
        check_eq(second, expected.second, "size %zu", expected.size);
    }
}

Test(library_basics, size_class_of_nothing_is_refused_and_writes_nothing)
{
    uint32_t first = 99, second = 98;
    refuse(-EINVAL, weir_size_class(0, &first, &second));
    refuse(-EINVAL, weir_size_class(16, nullptr, &second));
    refuse(-EINVAL, weir_size_class(16, &first, nullptr));
    check_eq(first, 99);
    check_eq(second, 98);
}

Test(library_basics, every_function_of_the_header_is_in_the_library)
{
    check_ge(surface_count, 53);
    for (size_t i = 0; i < surface_count; ++i)
        cr_assert_not_null(reinterpret_cast<void *>(surface_functions[i].address), "%s",
                           surface_functions[i].name);
}
