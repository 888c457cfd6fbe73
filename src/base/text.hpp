/// Small text helpers that every room needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podwright {

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
/// Lines without their end; a last line without one counts.
std::vector<std::string_view> lines(std::string_view text);
/// Words between runs of blanks and tabs.
std::vector<std::string_view> words(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes);

/// The whole of `text` as a number, or nothing.
std::optional<std::int64_t> to_int(std::string_view text);
std::optional<double> to_double(std::string_view text);

/// The candidate nearest to a mistyped word (edit distance at most a third of its length, at least
/// one), for "did you mean"; nothing where none is near.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);
/// "; did you mean 'name'?" or an empty text.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// Output of a node made safe to show and to store: invalid UTF-8 becomes U+FFFD, escape sequences
/// and control characters except newline and tab are removed, CRLF becomes LF.
std::string clean_output(std::string_view bytes);
bool is_utf8(std::string_view bytes);
/// `bytes` with every invalid byte as U+FFFD; nothing else changes.
std::string valid_utf8(std::string_view bytes);

/// "1.5 GiB"
std::string human_bytes(std::uint64_t bytes);
/// 'a, b and c'; more than `most` names end in "and N more".
std::string human_list(const std::vector<std::string>& names, std::size_t most = 8);
/// A measured quantity in the digits that mean something: 0.30, 9.41, 93.1, 1180.
std::string three_digits(double value);
/// "1 step", "2 steps"
std::string count_of(std::size_t count, std::string_view noun);

/// A unified diff of two texts (three lines of context), headed by `name`; empty when they are equal.
std::string unified_diff(std::string_view before, std::string_view after, std::string_view name);

/// Bytes as hexadecimal digits.
std::string hex_digits(std::string_view bytes);
/// `bytes` random bytes from the system, as hexadecimal digits.
std::string random_hex(std::size_t bytes);

}  // namespace podwright
