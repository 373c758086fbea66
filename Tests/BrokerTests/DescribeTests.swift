import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// ApiVersions, DescribeConfigs and DescribeCluster.
@Suite struct DescribeTests {
    private static func describe(
        _ type: Int8, _ name: String, keys: [String]? = nil, _ set: (inout DescribeConfigsRequest) -> Void = { _ in }
    ) -> DescribeConfigsRequest {
        DescribeConfigsRequest { request in
            request.resources = [
                DescribeConfigsRequest.Resource {
                    $0.resourceType = type
                    $0.resourceName = name
                    $0.configurationKeys = keys
                }
            ]
            set(&request)
        }
    }

    @Test(arguments: 0...4 as ClosedRange<Int16>)
    func `ApiVersions offers what the table says, in every version`(version: Int16) throws {
        let world = try World.ready()
        let request = ApiVersionsRequest {
            $0.clientSoftwareName = "test"
            $0.clientSoftwareVersion = "1.0"
        }
        let response = try world.client(of: world.brokers[0]).call(request, version: version)
        #expect(response.errorCode == .none)
        #expect(response.apis.map(\.api) == ApiVersionTable.supported.map(\.api))
    }

    @Test(arguments: ["", "-x", "x-", "a b", "ü"])
    func `a software name that Kafka would refuse is refused`(name: String) throws {
        let world = try World.ready()
        let request = ApiVersionsRequest {
            $0.clientSoftwareName = name
            $0.clientSoftwareVersion = "1"
        }
        #expect(try world.client(of: world.brokers[0]).call(request).errorCode == .invalidRequest)
    }

    @Test func `an ApiVersions request of a newer version is answered in version 0 with our range`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        var frame = ByteBuffer()
        frame.writeMultipleIntegers(ApiKey.apiVersions.rawValue, Int16(99), Int32(7))
        frame.writeBytes([0xFF, 0xFF, 0xFF])
        client.sendFrame(frame)
        #expect(client.answered == [7])
        #expect(!client.isClosed)
    }

    @Test func `a topic's configs come with their sources, and only those asked for`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", configs: ["retention.ms": "5"])
        let all = try #require(try client.call(Self.describe(2, "t")).results.first)
        #expect(all.errorCode == .none)
        #expect(all.configs.map(\.name) == TopicConfig.keys.map(\.name))
        let some = try #require(
            try client.call(Self.describe(2, "t", keys: ["retention.ms", "retention.bytes", "no.such.key"])).results
                .first)
        #expect(some.configs.map(\.name).sorted() == ["retention.bytes", "retention.ms"])
        #expect(some.configs.first { $0.name == "retention.ms" }?.value == "5")
        #expect(some.configs.first { $0.name == "retention.ms" }?.configSource == 1)
        #expect(some.configs.first { $0.name == "retention.bytes" }?.configSource == 5)
        #expect(some.configs.allSatisfy { $0.synonyms.isEmpty && $0.documentation == nil })
    }

    @Test func `synonyms and documentation come when asked for`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let request = Self.describe(2, "t") {
            $0.includeSynonyms = true
            $0.includeDocumentation = true
        }
        let result = try #require(try client.call(request).results.first)
        #expect(result.configs.allSatisfy { $0.synonyms.count == 1 && $0.documentation?.isEmpty == false })
    }

    @Test func `the synonyms of a value that was set name the default that it hides`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", configs: ["retention.ms": "5"])
        let request = Self.describe(2, "t", keys: ["retention.ms"]) { $0.includeSynonyms = true }
        let synonyms = try client.call(request).results[0].configs[0].synonyms
        #expect(synonyms.map(\.value) == ["5", "604800000"])
        #expect(synonyms.map(\.source) == [1, 5])
    }

    @Test func `what holds for every group is told of any group`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let group = try #require(try client.call(Self.describe(ConfigResourceType.group, "g")).results.first)
        #expect(group.errorCode == .none)
        #expect(group.configs.map(\.name) == ["consumer.heartbeat.interval.ms", "consumer.session.timeout.ms"])
        let nameless = try client.call(Self.describe(ConfigResourceType.group, ""))
        #expect(nameless.results.first?.errorCode == .invalidRequest)
    }

    @Test func `a broker describes itself, and nobody else`() throws {
        let world = try World.ready(brokers: 3)
        let client = world.client(of: world.brokers[1])
        for name in ["", "2"] {
            let own = try #require(try client.call(Self.describe(4, name)).results.first)
            #expect(own.errorCode == .none)
            #expect(own.configs.first { $0.name == "broker.id" }?.value == "2")
            #expect(own.configs.allSatisfy { $0.readOnly })
        }
        #expect(try client.call(Self.describe(4, "3")).results.first?.errorCode == .invalidRequest)
    }

    @Test func `missing topics and strange resources are refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        #expect(try client.call(Self.describe(2, "t")).results.first?.errorCode == .unknownTopicOrPartition)
        #expect(try client.call(Self.describe(2, "no name")).results.first?.errorCode == .invalidTopicException)
        #expect(try client.call(Self.describe(8, "1")).results.first?.errorCode == .invalidRequest)
    }

    @Test func `DescribeCluster tells brokers, controller and id`() throws {
        let world = try World.ready(brokers: 3)
        let response = try world.client(of: world.brokers[0]).call(DescribeClusterRequest())
        #expect(response.errorCode == .none)
        #expect(response.brokers.map(\.brokerID) == [1, 2, 3])
        #expect(response.controllerID == world.leader()?.id.rawValue)
        #expect(TopicID(response.clusterID) != nil)
    }

    @Test func `there are no controllers apart from the brokers`() throws {
        let world = try World.ready()
        let response = try world.client(of: world.brokers[0]).call(DescribeClusterRequest { $0.endpointType = 2 })
        #expect(response.errorCode == .unsupportedEndpointType)
    }
}
