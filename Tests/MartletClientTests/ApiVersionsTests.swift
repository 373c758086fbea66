import KafkaWire
import NIOCore
import Testing

@testable import MartletClient

@Suite("Version negotiation")
struct ApiVersionsTests {
    private func versions(_ api: ApiKey, _ range: ClosedRange<Int16>) -> ApiVersions {
        ApiVersions(
            ApiVersionsResponse {
                $0.apis = [
                    .init {
                        $0.api = api
                        $0.minVersion = range.lowerBound
                        $0.maxVersion = range.upperBound
                    }
                ]
            })
    }

    @Test("the highest common version is taken, and no higher than the limit")
    func highest() throws {
        #expect(try versions(.produce, 0...99).highest(of: ProduceRequest.self) == ProduceRequest.versions.upperBound)
        #expect(try versions(.produce, 0...7).highest(of: ProduceRequest.self) == 7)
        #expect(try versions(.produce, 0...99).highest(of: ProduceRequest.self, upTo: 12) == 12)
    }

    @Test("without a common version, or without the API, the request is refused")
    func none() {
        #expect(throws: KafkaClientError.self) { try versions(.produce, 0...2).highest(of: ProduceRequest.self) }
        #expect(throws: KafkaClientError.self) { try versions(.produce, 50...60).highest(of: ProduceRequest.self) }
        #expect(throws: KafkaClientError.self) { try versions(.fetch, 0...9).highest(of: ProduceRequest.self) }
    }

    @Test("a broker with older ApiVersions is asked again in the version it lists", arguments: [0, 2, 3] as [Int16])
    func downgrade(highest: Int16) async throws {
        let one = try await OneBroker()
        one.broker.update { $0.highestApiVersions = highest }
        let admin = Admin(one.client)
        let cluster = try await admin.describeCluster()
        #expect(cluster.brokers.map(\.address) == [one.broker.address])
        #expect(one.broker.versions(of: .apiVersions).prefix(2) == [4, highest])
        await admin.close()
        try await one.broker.stop()
    }

    @Test("requests go out in the broker's versions")
    func oldBroker() async throws {
        let one = try await OneBroker()
        one.broker.update {
            $0.versions[.metadata] = 0...5
            $0.versions[.produce] = 0...7
            $0.versions[.initProducerID] = 0...1
        }
        let metadata = try await withProducer(one.client) { producer in
            try await producer.send(ProducerRecord(topic: "orders", value: "x"))
        }
        #expect(metadata.offset == 0)
        #expect(one.broker.versions(of: .produce) == [7])
        #expect(Set(one.broker.versions(of: .metadata)) == [5])
        try await one.broker.stop()
    }
}
