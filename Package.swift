// swift-tools-version: 6.2
import PackageDescription

// The list of modules below is the architecture: a layer, a name, and what it may import.
// `tools/layers` fails on an import that is not listed here; docs/ARCHITECTURE.md says what each may hold.

let common: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// Whether unsafe code must be marked where it stands: in kernels it need not (docs/decisions/0003), everywhere else it must.
enum Memory { case checked, kernel }

func module(
    _ layer: String, _ name: String, _ memory: Memory = .checked, imports: [String] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name,
        dependencies: imports.map { .init(stringLiteral: $0) },
        path: "Sources/\(layer)/\(name)",
        resources: resources.isEmpty ? nil : resources,
        swiftSettings: common + (memory == .checked ? [.strictMemorySafety()] : [])
    )
}

/// The modules whose tests are built, when it is not all of them: under the thread sanitizer, which `tools/races` runs. Those have what
/// it must be told of `Mutex`, too.
let chosenTests = Context.environment["VARVE_TESTS"].map { Set($0.split(separator: ",").map { "\($0)Tests" }) }

func tests(_ layer: String, _ name: String, imports: [String]) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: (imports + (chosenTests == nil ? [] : ["MutexAnnotations"])).map { .init(stringLiteral: $0) },
        path: "Tests/\(layer)/\(name)Tests",
        swiftSettings: common
    )
}

func system(_ name: String, pkgConfig: String? = nil, package: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/Base/\(name)", pkgConfig: pkgConfig, providers: [.apt([package])])
}

func shim(_ name: String, libraries: [String]) -> Target {
    .target(
        name: name, path: "Sources/Base/\(name)",
        linkerSettings: libraries.map { .linkedLibrary($0) })
}

let package = Package(
    name: "varve",
    products: [
        .executable(name: "varve", targets: ["varve"]),
        .executable(name: "varve-compact", targets: ["varve-compact"]),
        .executable(name: "varve-bench", targets: ["varve-bench"]),
    ],
    targets: [
        // C libraries
        system("CZstd", pkgConfig: "libzstd", package: "libzstd-dev"),
        system("CLZ4", pkgConfig: "liblz4", package: "liblz4-dev"),
        system("CSnappy", package: "libsnappy-dev"),
        system("CRoaring", package: "libroaring-dev"),
        system("CXXHash", pkgConfig: "libxxhash", package: "libxxhash-dev"),
        system("CDeflate", pkgConfig: "libdeflate", package: "libdeflate-dev"),
        system("CNGHTTP2", pkgConfig: "libnghttp2", package: "libnghttp2-dev"),
        system("CGnuTLS", pkgConfig: "gnutls", package: "libgnutls28-dev"),
        system("CYAML", pkgConfig: "yaml-0.1", package: "libyaml-dev"),
        shim("CBeast", libraries: []),
        shim("CRE2", libraries: ["re2"]),
        shim("CLinux", libraries: []),
        shim("CSearch", libraries: []),

        // Base
        module("Base", "Core", .kernel, imports: ["CSearch", "CXXHash"]),
        module("Base", "Observability"),
        module("Base", "Scheduling", imports: ["Core", "Observability"]),
        module("Base", "Compression", .kernel, imports: ["CZstd", "CLZ4", "CDeflate", "CSnappy"]),
        module("Base", "Pattern", .kernel, imports: ["CRE2"]),
        module("Base", "JSON", .kernel),
        module("Base", "Files", imports: ["CLinux"]),
        module("Base", "Encoding", .kernel, imports: ["Core", "Compression"]),
        module("Base", "Indexing", .kernel, imports: ["Core", "CRoaring"]),
        module("Base", "TableSchema", imports: ["Core"]),
        module("Base", "Settings", imports: ["Core", "CYAML"]),
        .target(
            name: "Schema", path: "Schema", exclude: ["README.md"],
            resources: [
                .embedInCode("LOCK"),
                .embedInCode("001_otel_metrics.sql"),
                .embedInCode("002_otel_logs.sql"),
                .embedInCode("003_otel_traces.sql"),
            ],
            swiftSettings: common),

        tests("Base", "Compression", imports: ["Compression"]),
        tests("Base", "Encoding", imports: ["Core", "Encoding", "Randomness"]),
        tests("Base", "Indexing", imports: ["Core", "Indexing", "Randomness"]),

        // Engine
        module("Engine", "Columns", .kernel, imports: ["Core", "TableSchema"]),
        module(
            "Engine", "Parts", .kernel,
            imports: ["Core", "Observability", "Columns", "Encoding", "Indexing", "Files", "TableSchema"]),
        module("Engine", "Plans", imports: ["Core", "TableSchema"]),
        module(
            "Engine", "Storage",
            imports: [
                "Core", "Observability", "Scheduling", "Columns", "Files", "Parts", "Pattern", "Plans", "TableSchema",
                "Indexing",
            ]),
        module(
            "Engine", "Execution", .kernel,
            imports: ["Core", "Scheduling", "Columns", "Plans", "Storage", "TableSchema"]),
        module(
            "Engine", "Ingest",
            imports: [
                "Core", "Observability", "Scheduling", "Compression", "Columns", "Files", "Storage", "TableSchema",
            ]),

        module("Engine", "Rollups", imports: ["Core", "Columns", "TableSchema"]),
        module(
            "Engine", "Maintenance",
            imports: [
                "Core", "Observability", "Scheduling", "Columns", "Files", "Parts", "Rollups", "Settings", "Storage",
                "TableSchema",
            ]),

        module(
            "Engine", "Offline",
            imports: ["Core", "Columns", "Files", "Ingest", "Maintenance", "Parts", "Storage", "TableSchema"]),

        module("Engine", "Archive", imports: ["Core", "Compression", "Files"]),

        // Signals
        module(
            "Signals", "Telemetry", .kernel,
            imports: ["Core", "Columns", "TableSchema"]),
        module(
            "Signals", "OTLP", .kernel,
            imports: ["Core", "Columns", "JSON", "Telemetry"]),

        // Query
        module("Query", "QueryModel", imports: ["Core", "Scheduling", "Pattern", "Settings"]),
        module("Query", "PromQL", imports: ["Core", "Scheduling", "JSON", "Pattern", "QueryModel"]),
        module("Query", "LogQL", imports: ["Core", "Scheduling", "Pattern", "QueryModel"]),
        module(
            "Query", "TraceSearch",
            imports: ["Core", "Observability", "Scheduling", "Pattern", "QueryModel", "Settings"]),

        // Serve
        module("Serve", "Sockets", .kernel, imports: ["Observability", "Scheduling", "CLinux", "CGnuTLS"]),
        module(
            "Serve", "HTTP", .kernel,
            imports: ["Observability", "Scheduling", "Compression", "Sockets", "CLinux", "CBeast"]),
        module(
            "Serve", "GRPC", .kernel,
            imports: ["Observability", "Scheduling", "Compression", "Sockets", "HTTP", "CLinux", "CNGHTTP2"]),
        module(
            "Serve", "Readers",
            imports: [
                "Core", "Observability", "Scheduling", "Columns", "Encoding", "Execution", "Indexing", "JSON", "Parts",
                "Plans",
                "Rollups", "Storage",
                "TableSchema", "Telemetry",
                "QueryModel", "Pattern",
            ]),
        module("Serve", "Limits", imports: ["Core", "Observability", "Scheduling", "Settings"]),
        module(
            "Serve", "Authorization", imports: ["Core", "JSON", "Limits", "Observability", "Settings", "CGnuTLS"]),
        module(
            "Serve", "API",
            imports: [
                "Authorization", "Core", "Observability", "Scheduling", "Compression", "JSON", "HTTP", "GRPC",
                "Limits", "Pattern", "QueryModel",
                "PromQL", "LogQL", "TraceSearch", "OTLP", "Archive", "Files", "Ingest", "Settings", "Telemetry",
            ], resources: [.embedInCode("REST/openapi.json")]),
        module(
            "Serve", "Server",
            imports: [
                "Core", "Observability", "Scheduling", "JSON", "Files", "Compression", "TableSchema", "Schema",
                "Columns", "Storage", "Maintenance", "Archive", "Ingest", "Telemetry", "OTLP", "QueryModel", "LogQL",
                "TraceSearch", "Parts", "Readers", "HTTP", "GRPC", "Sockets", "Authorization", "API", "Limits",
                "Settings", "CLinux",
            ]),

        // Commands
        module("Commands", "Corpus"),
        .executableTarget(
            name: "varve-bench",
            dependencies: [
                "CNGHTTP2", "Columns", "Core", "Observability", "Corpus", "Files", "Indexing", "OTLP", "Parts",
                "Schema",
                "TableSchema", "Telemetry",
            ], path: "Sources/Commands/varve-bench",
            swiftSettings: common),
        tests("Commands", "Corpus", imports: ["Corpus"]),
        module(
            "Commands", "Export",
            imports: ["Core", "Columns", "Files", "JSON", "Offline", "Parts", "Storage", "TableSchema", "Telemetry"]),
        .executableTarget(
            name: "varve-compact",
            dependencies: [
                "Columns", "Core", "Encoding", "Export", "Files", "Ingest", "JSON", "Maintenance", "Offline", "Parts",
                "Schema", "Settings", "Storage", "TableSchema",
            ], path: "Sources/Commands/varve-compact", swiftSettings: common + [.strictMemorySafety()]),
        .executableTarget(
            name: "varve-fuzz",
            dependencies: [
                "Archive", "Authorization", "Columns", "Compression", "Core", "Corpus", "Encoding", "EngineFixtures",
                "Execution", "Files",
                "GRPC", "Indexing", "Ingest", "JSON", "Limits", "LogQL", "Maintenance", "OTLP", "Offline", "Parts",
                "Pattern",
                "Plans",
                "PromQL", "QueryModel", "QuerySupport",
                "Randomness", "Scheduling", "Schema", "Storage", "TableSchema", "Telemetry", "TraceSearch",
            ], path: "Tests/Fuzz", exclude: ["FailCases"],
            swiftSettings: common),
        .executableTarget(
            name: "varve-schema", dependencies: ["TableSchema", "Schema"], path: "Sources/Commands/varve-schema",
            swiftSettings: common + [.strictMemorySafety()]),
        .executableTarget(
            name: "varve", dependencies: ["Server"], path: "Sources/Commands/varve",
            swiftSettings: common + [.strictMemorySafety()]),

        // Tests
        tests("Base", "Pattern", imports: ["Pattern"]),
        tests("Base", "JSON", imports: ["JSON", "Randomness"]),
        tests("Base", "Files", imports: ["Files"]),
        tests("Base", "TableSchema", imports: ["Randomness", "TableSchema", "Schema"]),
        tests(
            "Serve", "API",
            imports: [
                "API", "Archive", "Compression", "Core", "GRPC", "Observability", "Scheduling", "EngineFixtures",
                "Files",
                "HTTP", "Ingest", "JSON",
                "Limits", "LogFixtures", "LogQL", "OTLP", "Pattern", "QueryModel",
                "QuerySupport", "Settings", "TraceFixtures", "TraceSearch",
            ]),
        tests(
            "Serve", "Readers",
            imports: [
                "Columns", "Core", "Observability", "Scheduling", "Files", "Ingest", "Maintenance", "OTLP", "Pattern",
                "Plans",
                "PromQL",
                "QueryModel", "QuerySupport", "Randomness", "Readers",
                "Schema",
                "Storage", "TableSchema", "Telemetry", "TraceFixtures", "TraceSearch",
            ]),
        tests("Query", "QueryModel", imports: ["Core", "Scheduling", "QueryModel", "QuerySupport", "Randomness"]),
        .target(
            name: "TraceFixtures", dependencies: ["Core", "Scheduling", "QueryModel", "Randomness", "Telemetry"],
            path: "Tests/Support/TraceFixtures",
            swiftSettings: common),
        tests(
            "Query", "TraceSearch",
            imports: [
                "Core", "Observability", "Scheduling", "Pattern", "QueryModel", "Randomness", "TraceSearch",
                "TraceFixtures",
            ]),
        .target(
            name: "LogFixtures", dependencies: ["Core", "Observability", "Scheduling", "Pattern", "QueryModel"],
            path: "Tests/Support/LogFixtures",
            swiftSettings: common),
        tests(
            "Query", "LogQL",
            imports: ["Core", "Scheduling", "JSON", "LogQL", "Pattern", "QueryModel", "LogFixtures", "Randomness"]),
        tests("Base", "Core", imports: ["Core"]),
        tests("Base", "Scheduling", imports: ["Observability", "Scheduling", "Core", "Randomness"]),
        .target(name: "Randomness", path: "Tests/Support/Randomness", swiftSettings: common),
        .target(
            name: "EngineFixtures",
            dependencies: [
                "Columns", "Core", "Files", "Parts", "Plans", "Randomness", "Scheduling", "Schema", "TableSchema",
                "Telemetry",
            ],
            path: "Tests/Support/EngineFixtures", swiftSettings: common),
        tests(
            "Engine", "Parts",
            imports: [
                "Columns", "Core", "Observability", "EngineFixtures", "Files", "Indexing", "Parts", "Randomness",
                "TableSchema",
            ]),
        tests(
            "Engine", "Storage",
            imports: [
                "Columns", "Core", "Observability", "Scheduling", "Encoding", "EngineFixtures", "Files", "Indexing",
                "OTLP", "Parts", "Randomness",
                "Schema",
                "Storage", "TableSchema", "Telemetry",
            ]),
        .target(
            name: "Simulation",
            dependencies: [
                "Columns", "Core", "Scheduling", "EngineFixtures", "Files", "Ingest", "Maintenance", "OTLP", "Parts",
                "Plans", "Randomness", "Rollups", "Storage", "TableSchema", "Telemetry",
            ],
            path: "Tests/Support/Simulation", swiftSettings: common),
        .executableTarget(
            name: "varve-simulate", dependencies: ["EngineFixtures", "Simulation"], path: "Tests/Simulate",
            swiftSettings: common),
        tests("Engine", "Plans", imports: ["Core", "EngineFixtures", "Plans", "Randomness", "TableSchema"]),
        tests(
            "Engine", "Execution",
            imports: [
                "Columns", "Core", "EngineFixtures", "Execution", "Files", "Observability", "Parts", "Pattern", "Plans",
                "Randomness", "Scheduling", "Storage", "TableSchema",
            ]),
        tests("Engine", "Archive", imports: ["Archive", "Core", "EngineFixtures", "Files", "Randomness"]),
        tests(
            "Engine", "Ingest",
            imports: [
                "Columns", "Compression", "Core", "Scheduling", "EngineFixtures", "Files", "Ingest", "Parts",
                "Randomness",
                "Simulation", "Storage", "TableSchema",
            ]),
        tests(
            "Engine", "Columns",
            imports: ["Columns", "Core", "EngineFixtures", "Randomness", "TableSchema"]),
        tests("Signals", "Telemetry", imports: ["EngineFixtures", "Randomness", "Telemetry"]),
        tests(
            "Signals", "OTLP",
            imports: ["Columns", "Core", "EngineFixtures", "OTLP", "Randomness", "TableSchema", "Telemetry"]),
        tests(
            "Engine", "Rollups",
            imports: [
                "Columns", "Core", "EngineFixtures", "Files", "Maintenance", "Parts", "Randomness", "Rollups",
                "Storage", "TableSchema", "Telemetry",
            ]),
        tests(
            "Engine", "Maintenance",
            imports: [
                "Columns", "Core", "Observability", "Scheduling", "EngineFixtures", "Files", "Indexing", "Maintenance",
                "Parts", "Randomness",
                "Storage",
                "TableSchema", "Telemetry",
            ]),
        tests(
            "Engine", "Offline",
            imports: [
                "Columns", "Core", "Scheduling", "EngineFixtures", "Files", "Indexing", "Ingest", "Maintenance",
                "Offline", "Parts", "Randomness", "Settings", "Storage", "TableSchema",
            ]),
        tests("Serve", "Authorization", imports: ["Authorization", "Core", "Limits", "Randomness", "Settings"]),
        tests(
            "Serve", "Limits", imports: ["Core", "Limits", "Randomness", "Scheduling", "Settings"]),
        .target(name: "RawSocket", path: "Tests/Support/RawSocket", swiftSettings: common),
        tests("Serve", "HTTP", imports: ["HTTP", "Compression", "RawSocket"]),
        tests("Serve", "GRPC", imports: ["GRPC", "HTTP", "RawSocket", "Scheduling", "Sockets"]),
        tests(
            "Serve", "Server",
            imports: [
                "Server", "API", "Columns", "Compression", "Core", "Observability", "Scheduling", "Files", "Ingest",
                "Maintenance", "OTLP",
                "QueryModel", "Readers",
                "Settings", "Storage", "TableSchema", "Telemetry", "TraceFixtures",
            ]),
        .target(
            name: "QuerySupport", dependencies: ["Core", "PromQL", "QueryModel", "Randomness", "Scheduling"],
            path: "Tests/Support/Query",
            swiftSettings: common),
        tests(
            "Query", "PromQL", imports: ["Core", "Scheduling", "PromQL", "QueryModel", "QuerySupport", "Randomness"]),
    ].filter { target in target.type != .test || chosenTests?.contains(target.name) ?? true }
        + (chosenTests == nil ? [] : [.target(name: "MutexAnnotations", path: "Tests/Support/MutexAnnotations")])
)
