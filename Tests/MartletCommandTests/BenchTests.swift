import KafkaWire
import MartletClient
import NIOCore
import Testing

@testable import martlet

@Suite("Bench")
struct BenchTests {
    @Test("values have the size asked for and differ", arguments: [PayloadKind.random, .json], [1, 7, 100, 4_096])
    func payloads(kind: PayloadKind, size: Int) {
        var generator = PayloadGenerator(kind, byteCount: size, seed: 3)
        let values = (0..<20).map { _ in generator.next() }
        #expect(values.allSatisfy { $0.readableBytes == size })
        if size >= 100 { #expect(Set(values).count == 20) }
    }

    @Test("a seed gives the same values again")
    func seeds() {
        var first = PayloadGenerator(.json, byteCount: 300, seed: 5)
        var second = PayloadGenerator(.json, byteCount: 300, seed: 5)
        var third = PayloadGenerator(.json, byteCount: 300, seed: 6)
        let value = first.next()
        #expect(second.next() == value)
        #expect(third.next() != value)
    }

    @Test("random values do not compress and JSON ones do, though not absurdly")
    func compressibility() throws {
        func ratio(_ kind: PayloadKind) throws -> Double {
            try BatchPool(
                kind, recordBytes: 1_000, batchBytes: 64_000, codec: .zstd, count: 4, seed: 1, timestamp: 0
            ).ratio
        }
        #expect(try ratio(.random) < 1.01)
        let json = try ratio(.json)
        #expect(json > 2 && json < 8)
    }

    @Test("a prepared request is what the encoder makes, with correlation id and partition put in",
          arguments: [100, 1_000])
    func frames(recordBytes: Int) throws {
        // Ten records: small batches stand behind their heads, larger ones apart.
        let pool = try BatchPool(
            .json, recordBytes: recordBytes, batchBytes: 10 * recordBytes, codec: .none, count: 1, seed: 1,
            timestamp: 0)
        let frame = try ProduceFrame(pool.batches[0], topic: "orders", acks: -1)
        let source = ProduceSource(
            frames: [frame], partitions: [3, 5], topic: "orders", acks: -1, start: 0, budget: RecordBudget(20))
        for (correlationID, partition) in [(17, 3), (18, 5)] as [(Int32, Int32)] {
            let request = try #require(source.next(correlationID: correlationID))
            #expect((request.batch == nil) == (recordBytes == 100))
            var bytes = request.head
            if let batch = request.batch { bytes.writeImmutableBuffer(batch) }
            let length = bytes.readInteger(as: Int32.self)
            #expect(length == Int32(bytes.readableBytes))
            let header = try RequestHeader(from: &bytes)
            #expect(header.correlationID == correlationID)
            let produce = try ProduceRequest(decoding: bytes, version: header.version)
            #expect(produce.topics[0].name == "orders")
            #expect(produce.topics[0].partitions[0].index == partition)
            #expect(produce.topics[0].partitions[0].records == pool.batches[0].bytes)
        }
        #expect(source.next(correlationID: 19) == nil)
    }

    @Test("the error code of a Produce response is found")
    func response() throws {
        let pool = try BatchPool(
            .json, recordBytes: 10, batchBytes: 10, codec: .none, count: 1, seed: 1, timestamp: 0)
        let frames = try pool.batches.map { try ProduceFrame($0, topic: "orders", acks: -1) }
        let source = ProduceSource(
            frames: frames, partitions: [0], topic: "orders", acks: -1, start: 0, budget: RecordBudget(nil))
        for code in [ErrorCode.none, .notLeaderOrFollower] {
            var frame = try WireFrame(
                ProduceResponse {
                    $0.topics = [
                        .init {
                            $0.name = "orders"
                            $0.partitions = [.init { $0.errorCode = code }]
                        }
                    ]
                }, version: ProduceSource.version, correlationID: 1
            ).contiguous
            frame.moveReaderIndex(forwardBy: 4)
            if code == .none {
                #expect(try source.receive(frame).records == 0)
            } else {
                #expect(throws: CommandFailure.self) { try source.receive(frame) }
            }
        }
    }

    @Test("requests are due at even distances, connections take turns, and nothing shifts what comes later")
    func pace() {
        let start = NIODeadline.uptimeNanoseconds(1_000)
        let connections = (0..<4).map { LoadPace(start: start, interval: 400, connection: $0, of: 4) }
        #expect(connections.map { $0.due.uptimeNanoseconds } == [1_000, 1_100, 1_200, 1_300])
        var pace = connections[1]
        for _ in 0..<1_000_000 { pace.advance() }
        #expect(pace.due.uptimeNanoseconds == 1_100 + 400_000_000)
    }

    @Test("every partition has a connection, and each connection one leader", arguments: 1...9)
    func shares(connections: Int) {
        let brokers = (1...3).map { BrokerAddress(host: "b\($0)", port: 1) }
        let leaders = [0, 1, 1, 2, 0, 1, 1].map { brokers[$0] }
        let shares = BenchTarget.shares(of: leaders, connections: connections)
        #expect(shares.count == max(3, connections))
        #expect(Set(shares.flatMap(\.partitions)) == Set(0...6))
        for share in shares {
            #expect(!share.partitions.isEmpty)
            #expect(share.partitions.allSatisfy { leaders[Int($0)] == share.broker })
        }
    }

    @Test("listening sockets are found by their port")
    func sockets() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1
               1: 0100007F:2384 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4343 1
               2: 0100007F:2385 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4444 1
            """
        #expect(ListeningProcesses.inodes(in: table, listeningOn: [9_092]) == ["socket:[4242]"])
    }
}
