import Basics
import NIOCore
import Testing

@testable import KafkaWire

@Suite("Frames and headers")
struct FrameTests {
    @Test("A Metadata request v0 has the bytes of the protocol's documentation")
    func metadataRequestV0() throws {
        let request = MetadataRequest { $0.topics = [MetadataRequest.Topic { $0.name = "t" }] }
        let frame = try WireFrame(request, version: 0, correlationID: 7, clientID: "c")
        let expected: [UInt8] = [
            0, 0, 0, 18,  // length
            0, 3, 0, 0,  // Metadata, version 0
            0, 0, 0, 7,  // correlation id
            0, 1, 0x63,  // client id "c"
            0, 0, 0, 1,  // one topic
            0, 1, 0x74,  // "t"
        ]
        #expect(frame.contiguous == ByteBuffer(bytes: expected))
    }

    @Test("An InitProducerId response v4 has compact form, header 1 and its tagged sections")
    func initProducerIDResponseV4() throws {
        let response = InitProducerIDResponse { $0.producerID = 258 }
        let frame = try WireFrame(response, version: 4, correlationID: 9)
        let expected: [UInt8] = [
            0, 0, 0, 22,  // length
            0, 0, 0, 9, 0,  // correlation id, no tags
            0, 0, 0, 0,  // throttle time
            0, 0,  // error code
            0, 0, 0, 0, 0, 0, 1, 2,  // producer id
            0, 0,  // producer epoch
            0,  // no tags
        ]
        #expect(frame.contiguous == ByteBuffer(bytes: expected))
    }

    @Test("An ApiVersions response keeps header 0 in flexible versions")
    func apiVersionsHeader() throws {
        let response = ApiVersionsResponse { $0.finalizedFeaturesEpoch = 0 }
        let frame = try WireFrame(response, version: 3, correlationID: 1)
        let expected: [UInt8] = [
            0, 0, 0, 22,  // length
            0, 0, 0, 1,  // correlation id and nothing else
            0, 0,  // error code
            1,  // no APIs
            0, 0, 0, 0,  // throttle time
            1,  // one tag
            1, 8,  // tag 1 has 8 bytes
            0, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(frame.contiguous == ByteBuffer(bytes: expected))
    }

    @Test("A response header is read as its request's version demands", arguments: [0, 8, 9, 13] as [Int16])
    func responseHeader(_ version: Int16) throws {
        let response = MetadataResponse { $0.controllerID = 4 }
        var frame = try WireFrame(response, version: version, correlationID: 77).contiguous
        frame.moveReaderIndex(forwardBy: 4)
        let header = try ResponseHeader(from: &frame, answering: MetadataRequest.self, version: version)
        #expect(header.correlationID == 77)
        let expected = version == 0 ? MetadataResponse() : response
        #expect(try MetadataResponse(decoding: frame, version: version) == expected)
    }

    @Test("Of an unknown API or version only the first eight bytes are read", arguments: [(18, 99), (999, 0), (0, 2)])
    func unknownRequests(_ key: Int16, _ version: Int16) throws {
        var frame = ByteBuffer()
        frame.writeMultipleIntegers(key, version, 5 as Int32)
        frame.writeBytes([0xFF, 0x00])
        let header = try RequestHeader(from: &frame)
        #expect(header.api.rawValue == key)
        #expect(header.correlationID == 5)
        #expect(header.clientID == nil)
        #expect(frame.readableBytes == 2)
    }

    @Test("Large records are parts of the frame, small ones are copied into it")
    func attachments() throws {
        let large = ByteBuffer(repeating: 1, count: 512)
        let small = ByteBuffer(repeating: 2, count: 511)
        var response = FetchResponse()
        response.topics = [
            FetchResponse.Topic {
                $0.name = "orders"
                $0.partitions = [large, small, large].map { bytes in
                    FetchResponse.Partition { $0.records = Records(bytes) }
                }
            }
        ]
        let frame = try WireFrame(response, version: 11, correlationID: 1)
        #expect(frame.map(\.readableBytes).filter { $0 == 512 }.count == 2)
        #expect(frame.count == 4)
        #expect(frame.reduce(0) { $0 + $1.readableBytes } == frame.byteCount)
        #expect(frame.contiguous.getInteger(at: 0, as: Int32.self) == Int32(frame.byteCount - 4))
        let shared = frame[1].withUnsafeReadableBytes { $0.baseAddress }
        #expect(shared == large.withUnsafeReadableBytes { $0.baseAddress })
    }

    @Test("The records of a Produce request are a slice of its frame")
    func produceSlice() throws {
        let request = ProduceRequest {
            $0.topics = [
                ProduceRequest.Topic {
                    $0.partitions = [ProduceRequest.Partition { $0.records = ByteBuffer(repeating: 3, count: 2_000) }]
                }
            ]
        }
        let body = try encodedBody(request, version: 9)
        let decoded = try ProduceRequest(decoding: body, version: 9)
        let records = try #require(decoded.topics.first?.partitions.first?.records)
        let inside = body.withUnsafeReadableBytes { frame in
            records.withUnsafeReadableBytes { slice in
                guard let start = frame.baseAddress, let address = slice.baseAddress else { return false }
                return address >= start && address + slice.count <= start + frame.count
            }
        }
        #expect(inside)
        #expect(decoded == request)
    }

    @Test("A batch gets its offset and epoch on the way out, and keeps its own")
    func stampedRecords() throws {
        var builder = RecordBatchBuilder()
        builder.append(key: nil, value: ByteBuffer(repeating: 9, count: 700), timestamp: 1)
        let batch = try builder.build()
        var records = Records()
        records.append(batch: batch.bytes, baseOffset: 42, leaderEpoch: 6)

        let response = FetchResponse {
            $0.topics = [FetchResponse.Topic { $0.partitions = [FetchResponse.Partition { $0.records = records }] }]
        }
        let body = try encodedBody(response, version: 12)
        let decoded = try FetchResponse(decoding: body, version: 12)
        let seen = try RecordBatch(try #require(decoded.topics.first?.partitions.first?.records.contiguous))
        #expect(seen.header.baseOffset == 42)
        #expect(seen.header.partitionLeaderEpoch == 6)
        #expect(seen.isIntact)
        #expect(batch.header.baseOffset == 0)
    }
}

@Suite("What is advertised")
struct ApiVersionTableTests {
    @Test("Every advertised version can be decoded, but for Produce 0 to 2")
    func advertised() {
        for support in ApiVersionTable.supported {
            for version in support.advertised {
                let served = support.api != .produce || version >= 3
                #expect(support.serves(version) == served, "\(support.api) v\(version)")
            }
        }
        #expect(ApiVersionTable[.produce]?.advertised == 0...13)
        #expect(ApiVersionTable[.fetch]?.serves(18) == false)
        #expect(ApiVersionTable[ApiKey(rawValue: -1)] == nil)
        #expect(ApiVersionTable[ApiKey(rawValue: .max)] == nil)
    }

    @Test("The table is ordered by key, and every request of the module is in it")
    func complete() {
        let keys = ApiVersionTable.supported.map(\.api.rawValue)
        #expect(keys == keys.sorted())
        for message in allMessages { #expect(ApiVersionTable[message.api]?.decodable == message.versions) }
    }
}

@Suite("Codes, keys and ids")
struct ProtocolValueTests {
    @Test("Error codes have the names and the retriability of the protocol")
    func errorCodes() {
        #expect(ErrorCode.notLeaderOrFollower.rawValue == 6)
        #expect(ErrorCode.notLeaderOrFollower.name == "NOT_LEADER_OR_FOLLOWER")
        #expect(ErrorCode.notLeaderOrFollower.isRetriable)
        #expect(!ErrorCode.invalidRecord.isRetriable)
        #expect(ErrorCode(rawValue: 1_234).name == "UNKNOWN_CODE_1234")
        #expect(ApiKey.offsetForLeaderEpoch.name == "OffsetForLeaderEpoch")
    }

    @Test("A topic id is written as URL-safe base64 and read back")
    func topicIDText() {
        #expect(TopicID.zero.description == "AAAAAAAAAAAAAAAAAAAAAA")
        #expect(TopicID.metadata.description == "AAAAAAAAAAAAAAAAAAAAAQ")
        let id = TopicID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        #expect(id.description == "ASNFZ4mrze_-3LqYdlQyEA")
        #expect(TopicID("ASNFZ4mrze_-3LqYdlQyEA") == id)
        #expect(TopicID("ASNFZ4mrze_-3LqYdlQyEB") == nil)
        #expect(TopicID("ASNFZ4mrze/-3LqYdlQyEA") == nil)
        #expect(TopicID("short") == nil)
    }

    @Test("Random topic ids survive their text, are of version 4, and never begin with a dash")
    func randomTopicIDs() {
        var random = RandomSource(seed: 3)
        for _ in 0..<2_000 {
            let id = TopicID(using: &random)
            #expect(TopicID(id.description) == id)
            #expect(!id.description.hasPrefix("-"))
            #expect(id.high >> 12 & 0xF == 4 && id.low >> 62 == 0b10)
        }
    }
}
