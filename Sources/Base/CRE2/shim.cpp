#include "CRE2.h"

#include <re2/re2.h>

#include <cstring>
#include <string>
#include <vector>

struct varve_re2 {
    varve_re2(const re2::StringPiece &source, const RE2::Options &options) : expression(source, options) {}

    RE2 expression;
    std::vector<std::string> names;
};

namespace {

int32_t code_of(RE2::ErrorCode code) {
    switch (code) {
    case RE2::NoError: return VARVE_RE2_OK;
    case RE2::ErrorBadEscape: return VARVE_RE2_BAD_ESCAPE;
    case RE2::ErrorBadCharClass: return VARVE_RE2_BAD_CHAR_CLASS;
    case RE2::ErrorBadCharRange: return VARVE_RE2_BAD_CHAR_RANGE;
    case RE2::ErrorMissingBracket: return VARVE_RE2_MISSING_BRACKET;
    case RE2::ErrorMissingParen: return VARVE_RE2_MISSING_PAREN;
    case RE2::ErrorUnexpectedParen: return VARVE_RE2_UNEXPECTED_PAREN;
    case RE2::ErrorTrailingBackslash: return VARVE_RE2_TRAILING_BACKSLASH;
    case RE2::ErrorRepeatArgument: return VARVE_RE2_REPEAT_ARGUMENT;
    case RE2::ErrorRepeatSize: return VARVE_RE2_REPEAT_SIZE;
    case RE2::ErrorRepeatOp: return VARVE_RE2_REPEAT_OP;
    case RE2::ErrorBadPerlOp: return VARVE_RE2_BAD_PERL_OP;
    case RE2::ErrorBadUTF8: return VARVE_RE2_BAD_UTF8;
    case RE2::ErrorBadNamedCapture: return VARVE_RE2_BAD_NAMED_CAPTURE;
    case RE2::ErrorPatternTooLarge: return VARVE_RE2_TOO_LARGE;
    default: return VARVE_RE2_INTERNAL;
    }
}

// A search for groups keeps the offsets of all groups for each instruction that may run: 16 bytes for each of these.
const int64_t most_offsets = 4 << 20;

RE2::Anchor anchor_of(bool whole) { return whole ? RE2::ANCHOR_BOTH : RE2::UNANCHORED; }

}  // namespace

extern "C" varve_re2 *varve_re2_create(
    const char *source, size_t length, int64_t max_memory, bool dot_matches_newline, int32_t *error, char *argument,
    size_t argument_capacity, size_t *argument_length) {
    *error = VARVE_RE2_INTERNAL;
    *argument_length = 0;
    varve_re2 *pattern = nullptr;
    try {
        RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(max_memory);
        options.set_dot_nl(dot_matches_newline);
        pattern = new varve_re2(re2::StringPiece(source, length), options);
        if (!pattern->expression.ok()) {
            *error = code_of(pattern->expression.error_code());
            const std::string &text = pattern->expression.error_arg();
            *argument_length = text.size();
            std::memcpy(argument, text.data(), text.size() < argument_capacity ? text.size() : argument_capacity);
            delete pattern;
            return nullptr;
        }
        int64_t groups = pattern->expression.NumberOfCapturingGroups() + 1;
        if (groups * pattern->expression.ProgramSize() > most_offsets) {
            *error = VARVE_RE2_TOO_LARGE;
            delete pattern;
            return nullptr;
        }
        pattern->names.resize(static_cast<size_t>(groups));
        for (const auto &group : pattern->expression.CapturingGroupNames()) {
            pattern->names[static_cast<size_t>(group.first)] = group.second;
        }
        *error = VARVE_RE2_OK;
        return pattern;
    } catch (...) {
        delete pattern;
        return nullptr;
    }
}

extern "C" void varve_re2_destroy(varve_re2 *pattern) { delete pattern; }

extern "C" int32_t varve_re2_group_count(const varve_re2 *pattern) {
    return static_cast<int32_t>(pattern->names.size()) - 1;
}

extern "C" const char *varve_re2_group_name(const varve_re2 *pattern, int32_t group, size_t *length) {
    const std::string &name = pattern->names[static_cast<size_t>(group)];
    *length = name.size();
    return name.empty() ? nullptr : name.data();
}

extern "C" bool varve_re2_matches(const varve_re2 *pattern, const char *text, size_t length, bool whole) {
    try {
        return pattern->expression.Match(re2::StringPiece(text, length), 0, length, anchor_of(whole), nullptr, 0);
    } catch (...) {
        return false;
    }
}

extern "C" bool varve_re2_find(
    const varve_re2 *pattern, const char *text, size_t length, size_t start, bool whole, int64_t *offsets,
    int32_t group_slots) {
    try {
        std::vector<re2::StringPiece> groups(static_cast<size_t>(group_slots));
        if (!pattern->expression.Match(
                re2::StringPiece(text, length), start, length, anchor_of(whole), groups.data(), group_slots)) {
            return false;
        }
        for (int32_t i = 0; i < group_slots; i++) {
            const re2::StringPiece &group = groups[static_cast<size_t>(i)];
            offsets[2 * i] = group.data() == nullptr ? -1 : group.data() - text;
            offsets[2 * i + 1] = group.data() == nullptr ? -1 : group.data() - text + static_cast<int64_t>(group.size());
        }
        return true;
    } catch (...) {
        return false;
    }
}
