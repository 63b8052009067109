internal import API
private import Glibc
internal import Settings

/// Addresses and origins as operators write them.
extension ValueText {
    /// `127.0.0.1:4318`, `[::1]:4318`, `localhost:4318`, or `:4318` for all addresses of the machine.
    static func address(_ text: String) throws(SettingError) -> ListenAddress {
        let expected = "\"\(text)\" is no address; it looks like 127.0.0.1:4318, [::1]:4318 or :4318"
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw SettingError(expected)
        }
        var host = String(text[..<colon])
        // `::` takes IPv4 too, as it does in Go's servers.
        if host.isEmpty { return ListenAddress(host: "::", port: port) }
        if host == "localhost" { host = "127.0.0.1" }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        var storage = in6_addr()
        guard unsafe inet_pton(isBracketed ? AF_INET6 : AF_INET, host, &storage) == 1 else {
            throw SettingError(expected)
        }
        return ListenAddress(host: host, port: port)
    }

    /// `*`, `none`, or origins separated by commas.
    static func origins(_ text: String) throws(SettingError) -> Router.Origins {
        if text == "*" { return .any }
        if text == "none" { return .none }
        let list = text.split(separator: ",").map { String($0.filter { $0 != " " }) }
        guard !list.isEmpty, list.allSatisfy({ $0.contains("://") && $0.count { $0 == "*" } <= 1 }) else {
            throw SettingError("\"\(text)\" is no list of origins; one looks like https://grafana.example.com")
        }
        return .only(list)
    }

    static func origins(_ origins: Router.Origins) -> String {
        switch origins {
        case .none: "none"
        case .any: "*"
        case .only(let list): list.joined(separator: ",")
        }
    }
}
