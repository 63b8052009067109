// Assertions are for those who call the parser wrongly; here they would be for clients.
#define BOOST_DISABLE_ASSERTS
#include "CBeast.h"

#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <new>

namespace beast = boost::beast;
namespace http = boost::beast::http;

struct varve_http_parser final : http::basic_parser<true> {
    explicit varve_http_parser(const varve_http_events *events) : events(events) {}

    const varve_http_events *events;
    void *context = nullptr;
    bool has_head = false;
    const char *reason = "";

private:
    void on_request_impl(
        http::verb, beast::string_view method, beast::string_view target, int version, beast::error_code &) override {
        events->request(context, method.data(), method.size(), target.data(), target.size(), version);
    }

    void on_response_impl(int, beast::string_view, int, beast::error_code &) override {}

    void on_field_impl(
        http::field, beast::string_view name, beast::string_view value, beast::error_code &) override {
        if (!has_head) events->field(context, name.data(), name.size(), value.data(), value.size());
    }

    void on_header_impl(beast::error_code &) override {}

    void on_body_init_impl(const boost::optional<std::uint64_t> &, beast::error_code &) override {}

    std::size_t on_body_impl(beast::string_view bytes, beast::error_code &) override {
        events->body(context, bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code &) override {}

    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, beast::error_code &) override {
        events->body(context, bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_finish_impl(beast::error_code &) override {}
};

static const char *reason_of(const beast::error_code &code) {
    switch (static_cast<http::error>(code.value())) {
    case http::error::bad_line_ending: return "a line does not end with CRLF";
    case http::error::bad_method: return "the method is no token";
    case http::error::bad_target: return "the request's target has characters that none may have";
    case http::error::bad_version: return "the version of HTTP is none that is spoken here";
    case http::error::bad_field: return "a header's name is no token";
    case http::error::bad_value: return "a header's value has characters that none may have";
    case http::error::bad_content_length: return "Content-Length is no number, or one of several";
    case http::error::bad_transfer_encoding: return "Transfer-Encoding stands twice, or beside Content-Length";
    case http::error::bad_chunk:
    case http::error::bad_chunk_extension: return "a chunk is malformed";
    case http::error::bad_obs_fold: return "a header is folded";
    default: return "the request is malformed";
    }
}

varve_http_parser *varve_http_parser_create(const varve_http_events *events, uint32_t head_limit) {
    auto parser = new (std::nothrow) varve_http_parser(events);
    if (parser == nullptr) return nullptr;
    parser->header_limit(head_limit);
    // Not none, which Boost 1.74 takes for less than any length.
    parser->body_limit((std::numeric_limits<std::uint64_t>::max)());
    return parser;
}

void varve_http_parser_destroy(varve_http_parser *parser) { delete parser; }

int varve_http_parser_feed(
    varve_http_parser *parser, void *context, const void *bytes, size_t count, size_t *consumed) {
    parser->context = context;
    beast::error_code code;
    *consumed = parser->put(boost::asio::const_buffer(bytes, count), code);
    if (code == http::error::need_more) return VARVE_HTTP_NEEDS_MORE;
    if (code) {
        parser->reason = reason_of(code);
        return code == http::error::header_limit ? VARVE_HTTP_HEAD_TOO_LARGE : VARVE_HTTP_MALFORMED;
    }
    if (!parser->has_head && parser->is_header_done()) {
        parser->has_head = true;
        return VARVE_HTTP_HEAD;
    }
    return parser->is_done() ? VARVE_HTTP_DONE : VARVE_HTTP_GOES_ON;
}

int varve_http_parser_keeps_alive(const varve_http_parser *parser) { return parser->keep_alive(); }

int varve_http_parser_has_body(const varve_http_parser *parser) { return !parser->is_done(); }

const char *varve_http_parser_reason(const varve_http_parser *parser) { return parser->reason; }
