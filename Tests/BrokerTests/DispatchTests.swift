import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// What arrives as bytes, and what leaves in which order.
@Suite struct DispatchTests {
    private static func header(_ api: Int16, _ version: Int16) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeMultipleIntegers(api, version, Int32(1), Int16(-1))
        return frame
    }

    @Test(arguments: [-1, 5, 25, 26, 27, 999, Int16.min, Int16.max])
    func `a request of an API that is not served closes the connection`(api: Int16) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        client.sendFrame(Self.header(api, 0))
        #expect(client.isClosed)
        #expect(client.refusal == .unknownAPI(api))
    }

    @Test func `a request of a version that is not served closes the connection`() throws {
        let world = try World.ready()
        for (api, version) in [(ApiKey.produce, Int16(2)), (.fetch, 3), (.metadata, 14), (.metadata, -1)] {
            let client = world.client(of: world.brokers[0])
            client.sendFrame(Self.header(api.rawValue, version))
            #expect(client.refusal == .unsupportedVersion(api, version))
        }
    }

    @Test(arguments: [0, 1, 7])
    func `bytes that are shorter than a header close the connection`(count: Int) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        client.sendFrame(ByteBuffer(repeating: 0, count: count))
        #expect(client.refusal == .wire(.truncated))
    }

    @Test func `a body that ends too early closes the connection`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        client.sendFrame(Self.header(ApiKey.metadata.rawValue, 1))
        #expect(client.isClosed)
    }

    @Test func `answers leave in the order of the requests, whichever is ready first`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        _ = try client.send(
            SimulatedClient.fetchRequest("t", from: 0, maxWait: 1_000), version: SimulatedClient.fetchVersion)
        let metadata = try client.send(MetadataRequest())
        world.run(for: .milliseconds(500))
        #expect(client.answered == [1])
        #expect(!metadata.isAnswered)
        world.run(for: .seconds(1))
        #expect(client.answered == [1, 2, 3])
    }

    @Test func `a request without an answer does not hold up those behind it`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        _ = try client.send(
            SimulatedClient.produceRequest(.batch("a"), to: "t", acks: 0), version: SimulatedClient.produceVersion)
        _ = try client.call(MetadataRequest())
        #expect(client.answered == [1, 3])
        #expect(try client.consume("t") == ["a"])
    }

    @Test func `a connection that closes takes its requests with it`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        _ = try client.send(
            SimulatedClient.fetchRequest("t", from: 0, maxWait: 1_000), version: SimulatedClient.fetchVersion)
        _ = try client.send(
            SimulatedClient.produceRequest(.batch("a"), to: "t"), version: SimulatedClient.produceVersion)
        client.close()
        world.run(for: .seconds(2))
        #expect(client.answered == [1])
        #expect(world.brokers[0].broker.waitingFetchCount == 0)
        // What was proposed stays proposed.
        #expect(try world.client(of: world.brokers[0]).consume("t") == ["a"])
    }

    /// Damaged requests of every API: whatever they say, the broker answers, refuses or closes, and serves on.
    @Test(arguments: 0..<20)
    func `damaged requests never harm the broker`(seed: Int) throws {
        let world = try World.ready()
        let healthy = world.client(of: world.brokers[0])
        try healthy.createTopic("t", partitions: 2)
        var random = RandomSource(seed: UInt64(seed))
        for _ in 0..<40 {
            let client = world.client(of: world.brokers[0])
            client.sendFrame(try Self.damaged(using: &random))
            world.run(for: .milliseconds(20))
        }
        world.run(for: .seconds(1))
        #expect(try healthy.produce(.batch("a"), to: "t", partition: 1).errorCode == .none)
    }

    private static func damaged(using random: inout RandomSource) throws -> ByteBuffer {
        var bytes = Array(try sample(using: &random).readableBytesView)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[Int.random(in: bytes.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            default: bytes.insert(0xFF, at: Int.random(in: bytes.indices, using: &random))
            }
        }
        return ByteBuffer(bytes: bytes)
    }

    private static func sample(using random: inout RandomSource) throws -> ByteBuffer {
        func frame<Request: KafkaRequest>(_ request: Request, _ random: inout RandomSource) throws -> ByteBuffer {
            let versions = ApiVersionTable[Request.api]?.decodable ?? Request.versions
            return try WireFrame(
                request, version: Int16.random(in: versions, using: &random), correlationID: 1, clientID: "x"
            ).withoutLength
        }
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return try frame(SimulatedClient.produceRequest(.batch("a", "b"), to: "t"), &random)
        case 1: return try frame(SimulatedClient.fetchRequest("t", from: 0, maxWait: 10), &random)
        case 2: return try frame(MetadataRequest { $0.topics = [.init { $0.name = "t" }] }, &random)
        case 3: return try frame(CreateTopicsRequest { $0.topics = [.init { $0.name = "u" }] }, &random)
        case 4: return try frame(DeleteTopicsRequest { $0.topicNames = ["v"] }, &random)
        case 5: return try frame(CreatePartitionsRequest { $0.topics = [.init { $0.name = "u" }] }, &random)
        case 6: return try frame(InitProducerIDRequest(), &random)
        case 7: return try frame(DescribeConfigsRequest { $0.resources = [.init { $0.resourceType = 2 }] }, &random)
        default:
            return try frame(
                ListOffsetsRequest {
                    $0.topics = [
                        .init {
                            $0.name = "t"
                            $0.partitions = [.init()]
                        }
                    ]
                }, &random)
        }
    }
}
