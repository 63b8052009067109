/// The shop that all signals come from: seventeen services on Kubernetes, a few pods each.
struct Shop {
    enum ServiceName: String, CaseIterable {
        case gateway, storefront, catalog, search, basket, checkout, pricing, stock, payments, risk
        case delivery, tax, accounts, suggestions, mailer, ledger, picking
    }

    enum Language: String { case go, java, nodejs, python, dotnet, rust, cpp, ruby }

    struct Service {
        var name: ServiceName
        var language: Language
        var version: String
        var replicas: Int
        var port: Int
    }

    struct Pod {
        var service: Service
        var name: String
        var address: String
        /// The machine that the pod is on, and whose collector its telemetry goes through.
        var node: Int
        /// The fields of OTLP's `Resource`.
        var resource: [UInt8]
        /// The fields of OTLP's `InstrumentationScope`.
        var scope: [UInt8]
        /// Nanoseconds after the full export interval at which this pod's exporter wakes up.
        var exportPhase: Int64
    }

    static let nodeCount = 6

    let pods: [Pod]
    private let podsOfService: [ServiceName: [Int]]

    static let services: [Service] = [
        Service(name: .gateway, language: .cpp, version: "1.33.0", replicas: 3, port: 8080),
        Service(name: .storefront, language: .nodejs, version: "5.12.3", replicas: 4, port: 3000),
        Service(name: .catalog, language: .go, version: "3.8.1", replicas: 3, port: 9101),
        Service(name: .search, language: .rust, version: "2.0.7", replicas: 2, port: 9102),
        Service(name: .basket, language: .dotnet, version: "4.1.0", replicas: 3, port: 9103),
        Service(name: .checkout, language: .java, version: "7.3.2", replicas: 3, port: 9104),
        Service(name: .pricing, language: .go, version: "1.19.4", replicas: 2, port: 9105),
        Service(name: .stock, language: .java, version: "2.6.0", replicas: 2, port: 9106),
        Service(name: .payments, language: .nodejs, version: "3.3.9", replicas: 2, port: 9107),
        Service(name: .risk, language: .python, version: "0.14.2", replicas: 2, port: 9108),
        Service(name: .delivery, language: .rust, version: "1.1.5", replicas: 2, port: 9109),
        Service(name: .tax, language: .go, version: "1.0.12", replicas: 1, port: 9110),
        Service(name: .accounts, language: .dotnet, version: "6.0.1", replicas: 2, port: 9111),
        Service(name: .suggestions, language: .python, version: "2.9.0", replicas: 2, port: 9112),
        Service(name: .mailer, language: .ruby, version: "1.5.8", replicas: 1, port: 9113),
        Service(name: .ledger, language: .dotnet, version: "2.2.2", replicas: 2, port: 9114),
        Service(name: .picking, language: .java, version: "1.7.0", replicas: 2, port: 9115),
    ]

    init(seed: UInt64) {
        var dice = Dice(seed: seed, stream: .max)
        let nodes = (0..<Self.nodeCount).map { "node-\($0)-\(dice.hex(6)).eu-central-1.compute.internal" }
        var pods: [Pod] = []
        var podsOfService: [ServiceName: [Int]] = [:]
        for service in Self.services {
            let replicaSet = "\(service.name.rawValue)-\(dice.nameSuffix(10))"
            for _ in 0..<service.replicas {
                podsOfService[service.name, default: []].append(pods.count)
                pods.append(Self.makePod(of: service, replicaSet: replicaSet, nodes: nodes, dice: &dice))
            }
        }
        self.pods = pods
        self.podsOfService = podsOfService
    }

    func pod(of service: ServiceName, dice: inout Dice) -> Int { dice.pick(podsOfService[service] ?? [0]) }

    private static func makePod(
        of service: Service, replicaSet: String, nodes: [String], dice: inout Dice
    ) -> Pod {
        let name = "\(replicaSet)-\(dice.nameSuffix(5))"
        let node = dice.int(below: nodes.count)
        let address = "10.42.\(node).\(dice.int(in: 2...250))"
        var resource = ProtobufWriter()
        resource.attributes(
            1,
            [
                Field("service.name", service.name.rawValue),
                Field("service.namespace", "bookshop"),
                Field("service.version", service.version),
                Field("service.instance.id", uuid(&dice)),
                Field("deployment.environment.name", "production"),
                Field("cloud.region", "eu-central-1"),
                Field("k8s.cluster.name", "books-prod-1"),
                Field("k8s.namespace.name", "bookshop"),
                Field("k8s.deployment.name", service.name.rawValue),
                Field("k8s.pod.name", name),
                Field("k8s.pod.uid", uuid(&dice)),
                Field("k8s.node.name", nodes[node]),
                Field("container.id", dice.hex(64)),
                Field("host.arch", "amd64"),
                Field("process.pid", dice.int(in: 1...40)),
                Field("telemetry.sdk.name", "opentelemetry"),
                Field("telemetry.sdk.language", service.language.rawValue),
                Field("telemetry.sdk.version", "1.4\(service.port % 10).0"),
            ])
        var scope = ProtobufWriter()
        scope.string(1, "bookshop.instrumentation.\(service.language.rawValue)")
        scope.string(2, "0.\(50 + service.port % 10).0")
        return Pod(
            service: service, name: name, address: address, node: node, resource: resource.bytes, scope: scope.bytes,
            exportPhase: Int64(dice.int(below: 5_000)) * 1_000_000)
    }

    private static func uuid(_ dice: inout Dice) -> String {
        "\(dice.hex(8))-\(dice.hex(4))-4\(dice.hex(3))-a\(dice.hex(3))-\(dice.hex(12))"
    }
}
