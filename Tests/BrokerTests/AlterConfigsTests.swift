import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// AlterConfigs and IncrementalAlterConfigs.
@Suite struct AlterConfigsTests {
    private typealias Operation = IncrementalAlterConfigsRequest.Operation
    private typealias Kind = ConfigResourceType

    private static func change(
        _ name: String, type: Int8 = ConfigResourceType.topic, validateOnly: Bool = false,
        _ changes: [(name: String, operation: Int8, value: String?)]
    ) -> IncrementalAlterConfigsRequest {
        IncrementalAlterConfigsRequest { request in
            request.validateOnly = validateOnly
            request.resources = [
                .init { resource in
                    resource.resourceType = type
                    resource.resourceName = name
                    resource.configs = changes.map { change in
                        .init {
                            $0.name = change.name
                            $0.configOperation = change.operation
                            $0.value = change.value
                        }
                    }
                }
            ]
        }
    }

    private static func replace(_ name: String, _ values: [String: String?]) -> AlterConfigsRequest {
        AlterConfigsRequest { request in
            request.resources = [
                .init { resource in
                    resource.resourceType = ConfigResourceType.topic
                    resource.resourceName = name
                    resource.configs = values.sorted { $0.key < $1.key }.map { entry in
                        .init {
                            $0.name = entry.key
                            $0.value = entry.value
                        }
                    }
                }
            ]
        }
    }

    /// The values that were set, as DescribeConfigs tells them.
    private static func overrides(_ name: String, _ client: SimulatedClient) throws -> [String: String?] {
        let request = DescribeConfigsRequest {
            $0.resources = [
                .init {
                    $0.resourceType = ConfigResourceType.topic
                    $0.resourceName = name
                    $0.configurationKeys = nil
                }
            ]
        }
        let result = try #require(try client.call(request).results.first)
        #expect(result.errorCode == .none)
        return Dictionary(
            uniqueKeysWithValues: result.configs.filter { $0.configSource == 1 }.map { ($0.name, $0.value) })
    }

    @Test(arguments: IncrementalAlterConfigsRequest.versions)
    func `single keys are set and deleted, the others stay`(version: Int16) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", configs: ["retention.ms": "5", "flush.ms": "6"])
        let request = Self.change(
            "t",
            [
                ("retention.ms", Operation.delete, nil), ("segment.ms", Operation.set, "7"),
                ("cleanup.policy", Operation.append, "delete"),
            ])
        let answer = try #require(try client.call(request, version: version).results.first)
        #expect(answer.errorCode == .none)
        #expect(answer.resourceType == Kind.topic && answer.resourceName == "t")
        #expect(
            try Self.overrides("t", client) == ["flush.ms": "6", "segment.ms": "7", "cleanup.policy": "delete"])
    }

    @Test(arguments: AlterConfigsRequest.versions)
    func `the whole configuration is replaced`(version: Int16) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", configs: ["retention.ms": "5", "flush.ms": "6"])
        let request = Self.replace("t", ["segment.ms": "7"])
        #expect(try client.call(request, version: version).results.map(\.errorCode) == [.none])
        #expect(try Self.overrides("t", client) == ["segment.ms": "7"])
    }

    @Test func `a change counts for the very next batch`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let batch = try ByteBuffer.batch(String(repeating: "x", count: 1_000), timestamps: [5])
        #expect(try client.produce(batch, to: "t").errorCode == .none)
        _ = try client.call(Self.change("t", [("max.message.bytes", Operation.set, "500")]))
        #expect(try client.produce(batch, to: "t").errorCode == .messageTooLarge)
        _ = try client.call(
            Self.change(
                "t",
                [
                    ("max.message.bytes", Operation.delete, nil),
                    ("message.timestamp.type", Operation.set, "LogAppendTime"),
                ]))
        let dated = try client.produce(batch, to: "t")
        #expect(dated.errorCode == .none)
        #expect(dated.logAppendTimeMs == world.wallClock)
    }

    @Test func `validating changes nothing, and finds what is wrong`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        func codes(_ changes: [(name: String, operation: Int8, value: String?)]) throws -> [ErrorCode] {
            try client.call(Self.change("t", validateOnly: true, changes)).results.map(\.errorCode)
        }
        #expect(try codes([("retention.ms", Operation.set, "1")]) == [.none])
        #expect(try codes([("retention.ms", Operation.set, "soon")]) == [.invalidConfig])
        #expect(try Self.overrides("t", client).isEmpty)
    }

    @Test(arguments: [
        ("no.such.key", 0, "1", ErrorCode.invalidConfig), ("no.such.key", 1, nil, .invalidConfig),
        ("retention.ms", 0, "soon", .invalidConfig), ("retention.ms", 2, "1", .invalidConfig),
        ("cleanup.policy", 3, "delete", .invalidConfig), ("retention.ms", 4, "1", .invalidRequest),
        ("retention.ms", -1, "1", .invalidRequest), ("retention.ms", 0, nil, .invalidRequest),
    ] as [(String, Int8, String?, ErrorCode)])
    func `what cannot be is refused, and nothing of the request is done`(
        name: String, operation: Int8, value: String?, code: ErrorCode
    ) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let answer = try #require(
            try client.call(Self.change("t", [("flush.ms", 0, "7"), (name, operation, value)])).results.first)
        #expect(answer.errorCode == code)
        #expect(answer.errorMessage?.contains(name) == true)
        #expect(try Self.overrides("t", client).isEmpty)
    }

    @Test func `replacing with an unknown key, a bad value or none is refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", configs: ["flush.ms": "6"])
        func codes(_ values: [String: String?]) throws -> [ErrorCode] {
            try client.call(Self.replace("t", values)).results.map(\.errorCode)
        }
        #expect(try codes(["no.such.key": "1"]) == [.invalidConfig])
        #expect(try codes(["retention.ms": "x"]) == [.invalidConfig])
        #expect(try codes(["retention.ms": nil]) == [.invalidRequest])
        #expect(try Self.overrides("t", client) == ["flush.ms": "6"])
    }

    @Test func `a key or a resource named twice is refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let twice = Self.change("t", [("flush.ms", Operation.set, "1"), ("flush.ms", Operation.set, "2")])
        #expect(try client.call(twice).results.map(\.errorCode) == [.invalidRequest])
        var request = Self.change("t", [("flush.ms", Operation.set, "1")])
        request.resources.append(request.resources[0])
        #expect(try client.call(request).results.map(\.errorCode) == [.invalidRequest, .invalidRequest])
        #expect(try Self.overrides("t", client).isEmpty)
    }

    @Test func `topics that are not there, brokers, groups and loggers are refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        for (type, name, code) in [
            (Kind.topic, "t", ErrorCode.unknownTopicOrPartition), (Kind.topic, "no name", .invalidTopicException),
            (Kind.broker, "1", .invalidRequest), (Kind.broker, "", .invalidRequest), (Kind.group, "g", .invalidRequest),
            (Kind.brokerLogger, "1", .invalidRequest), (0, "x", .invalidRequest),
        ] {
            let request = Self.change(name, type: type, [("retention.ms", Operation.set, "1")])
            let answer = try #require(try client.call(request).results.first)
            #expect(answer.errorCode == code)
            #expect(answer.errorMessage?.isEmpty == false)
        }
    }

    @Test func `a follower has the configuration changed by the leader`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        let client = world.client(of: follower)
        try client.createTopic("t")
        let request = Self.change("t", [("retention.ms", Operation.set, "9")])
        #expect(try client.call(request).results.map(\.errorCode) == [.none])
        #expect(try client.call(Self.replace("t", ["flush.ms": "8"])).results.map(\.errorCode) == [.none])
        world.run(for: .seconds(1))
        #expect(try Self.overrides("t", client) == ["flush.ms": "8"])
        let digests = world.brokers.map { broker in broker.read { $0.stateDigest(of: .metadata) } }
        #expect(Set(digests).count == 1)
    }

    @Test func `without a metadata leader nothing is changed`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        for broker in world.brokers where broker !== follower { world.kill(broker) }
        let client = world.client(of: follower)
        let request = Self.change("t", [("retention.ms", Operation.set, "9")])
        #expect(try client.call(request).results.map(\.errorCode) == [.notController])
    }
}
