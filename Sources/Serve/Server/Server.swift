private import Glibc
private import HTTP
internal import Observability
private import Sockets

/// Puts the server together, runs it until it is told to stop, and takes it apart again.
package enum Server {
    /// How long requests may go on once the server has been told to stop.
    private static let graceSeconds = 10

    /// - Returns: the process's exit status.
    package static func run(_ configuration: Configuration, warnings: [String] = []) -> Int32 {
        let signals = TerminationSignals()
        let log = JSONLog.standardError(level: configuration.logLevel)
        for warning in warnings { log.warning(warning) }
        OpenFiles.raiseLimit()

        let composition: Composition
        do throws(EngineError) {
            composition = try Composition(configuration, log: log)
        } catch {
            log.error("cannot start", ["reason": .string(error.description)])
            return 1
        }
        let servers: Servers
        do throws(TLSIdentity.Failure) {
            servers = try Servers(configuration, composition, log: log)
        } catch {
            return fail(error.description, composition, log)
        }
        do throws(HTTPServerError) {
            try servers.start()
        } catch {
            return fail("\(error)", composition, log)
        }
        servers.announce(log)
        let signal = signals.wait(
            every: 2,
            look: {
                servers.identity?.refresh()
                composition.access.refresh()
            },
            onHangUp: {
                servers.identity?.refresh(isForced: true)
                composition.access.refresh()
            })
        log.info("stopping", ["signal": .string(signal)])
        if !servers.stop(graceSeconds: graceSeconds) {
            log.warning("requests are still running; they are left behind")
        }
        composition.close()
        log.info("stopped")
        return 0
    }

    private static func fail(_ reason: String, _ composition: Composition, _ log: Log) -> Int32 {
        log.error("cannot start", ["reason": .string(reason)])
        composition.close()
        return 1
    }
}

/// SIGTERM, SIGINT and SIGHUP, kept from all threads that are started later, and taken by the one that waits.
struct TerminationSignals {
    private var set = sigset_t()

    init() {
        signal(SIGPIPE, SIG_IGN)
        unsafe sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for SIGTERM or SIGINT; a second one ends the process at once.
    ///
    /// - Parameters:
    ///   - seconds: how often there is a `look` meanwhile.
    ///   - onHangUp: what SIGHUP asks for.
    func wait(every seconds: Int, look: () -> Void, onHangUp: () -> Void) -> String {
        var set = set
        while true {
            var time = timespec(tv_sec: seconds, tv_nsec: 0)
            switch unsafe sigtimedwait(&set, nil, &time) {
            case SIGHUP: onHangUp()
            case SIGTERM: return ended("SIGTERM")
            case SIGINT: return ended("SIGINT")
            default: look()
            }
        }
    }

    private func ended(_ name: String) -> String {
        var set = set
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        return name
    }
}

/// Connections and parts are files; the usual soft limit of 1024 is too few for both.
enum OpenFiles {
    static func raiseLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }

    /// How many connections there may be, so that what is left is enough for `parts` and what else is opened.
    static func connections(beside parts: Int) -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return .max }
        let most = Int(clamping: limit.rlim_cur)
        return max(most - parts - 512, most / 4)
    }
}
