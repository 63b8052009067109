import Glibc

/// `varve-bench`: makes corpora, loads them into a real server, and measures ingest, size and queries.
@main
struct VarveBench {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do {
            var arguments = Array(CommandLine.arguments.dropFirst())
            guard !arguments.isEmpty else { throw BenchError.usage(usage) }
            let command = arguments.removeFirst()
            switch command {
            case "generate": try GenerateCommand(Arguments(arguments, known: GenerateCommand.options)).run()
            case "ingest": try IngestCommand(Arguments(arguments, known: IngestCommand.options)).run()
            case "size": try SizeCommand(Arguments(arguments, known: SizeCommand.options)).run()
            case "query": try query(arguments)
            case "index": try IndexCommand(Arguments(arguments, known: IndexCommand.options)).run()
            case "tenants": try TenantsCommand(Arguments(arguments, known: TenantsCommand.options)).run()
            case "load": try load(&arguments)
            case "help", "--help", "-h": print(usage)
            default: throw BenchError.usage("unknown subcommand '\(command)'\n\n\(usage)")
            }
        } catch let error as BenchError {
            Console.error("varve-bench: \(error.message)")
            exit(error.exitCode)
        } catch {
            Console.error("varve-bench: \(error)")
            exit(1)
        }
    }

    private static func query(_ arguments: [String]) throws(BenchError) {
        if arguments.contains(where: { ["--help", "-h"].contains($0) }) { return print(QueryCommand.usage) }
        try QueryCommand(Arguments(arguments, known: QueryCommand.options)).run()
    }

    private static func load(_ arguments: inout [String]) throws(BenchError) {
        guard !arguments.isEmpty, arguments.removeFirst() == "traces" else { throw .usage(LoadCommand.usage) }
        if arguments.contains(where: { ["--help", "-h"].contains($0) }) { return print(LoadCommand.usage) }
        try LoadCommand(Arguments(arguments, known: LoadCommand.options)).run()
    }

    static let usage = """
        usage: varve-bench SUBCOMMAND [options]

          generate  --signal traces|logs|metrics --rows N --hours H --seed S --out DIR [--end UNIX_SECONDS]
                    writes OTLP/HTTP protobuf bodies and manifest.json
          ingest    --dir DIR [--signal traces|logs|metrics] [--connections 4] [--durability MODE]
                    [--binary .build/release/varve] [--limit-rows N] [--data-dir DIR] [--history FILE]
                    [--quiet SECONDS] [--shift SECONDS|now] [--transport http|grpc]
                    starts a server of its own, loads DIR into it, waits until nothing was merged for 12 seconds, and reports
          size      --data-dir DIR [--binary .build/release/varve] [--history FILE]
                    bytes per row by column of a data directory that no server has open
          index     --dir DIR [--signal traces|logs] [--part-rows 500000] [--limit-rows N] [--history FILE]
                    size, cost and effect of each kind of skip index on the corpus's columns
          query     --corpus DIR [--data-dir DIR | --url http://HOST:PORT] [--hot full,50000] [--only NAME] ...
                    latencies of typical queries, at rest and while rows arrive; query --help says more
          tenants   [--count 3000] [--connections 8] [--binary .build/release/varve] [--data-dir DIR] [--history FILE]
                    a record and a span of each tenant: time, files and memory until the server is at rest, and its next start
          load      traces --dir DIR [--connections 100] [--rate 50000] [--seconds 30] ...
                    searches of many connections while spans arrive; load traces --help says more
        """
}
