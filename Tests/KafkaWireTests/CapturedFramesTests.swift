import Foundation
import NIOCore
import Testing

@testable import KafkaWire

/// A request that a real client sent; `Fixtures/capture` is how they were recorded.
struct CapturedFrame: CustomTestStringConvertible, Sendable {
    let name: String
    let client: String
    let version: Int16
    let bytes: ByteBuffer

    var testDescription: String { name }

    static let all: [CapturedFrame] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let frames = (files ?? []).filter { $0.pathExtension == "hex" }.compactMap(CapturedFrame.init)
        return frames.sorted { $0.name < $1.name }
    }()

    /// `<client>-<api>-v<version>.hex`
    private init?(_ file: URL) {
        name = file.deletingPathExtension().lastPathComponent
        let parts = name.split(separator: "-")
        guard parts.count == 3, let version = Int16(parts[2].dropFirst()),
            let text = try? String(contentsOf: file, encoding: .utf8), let bytes = ByteBuffer(hex: text)
        else { return nil }
        client = String(parts[0])
        self.version = version
        self.bytes = bytes
    }

    /// The header, and the body after it.
    func opened() throws -> (header: RequestHeader, body: ByteBuffer) {
        var rest = bytes
        let length = rest.readInteger(as: Int32.self)
        #expect(length == Int32(rest.readableBytes))
        let header = try RequestHeader(from: &rest)
        return (header, rest)
    }
}

@Suite("Frames of real clients")
struct CapturedFramesTests {
    @Test("There are frames of every API that these clients use")
    func coverage() throws {
        let apis = Set(try CapturedFrame.all.map { try $0.opened().header.api })
        let unused: Set<ApiKey> = [
            .consumerGroupHeartbeat, .consumerGroupDescribe,
            .offsetCommit, .offsetFetch, .joinGroup, .heartbeat, .leaveGroup, .syncGroup, .describeGroups, .listGroups,
            .deleteGroups, .offsetDelete,
        ]
        let known = ApiVersionTable.supported.map(\.api)
        #expect(apis == Set(known).subtracting(unused))
    }

    @Test("A client's request is read, and written again as the same bytes", arguments: CapturedFrame.all)
    func sameBytes(_ frame: CapturedFrame) throws {
        let (header, body) = try frame.opened()
        #expect(header.version == frame.version)
        let type = try #require(requestTypes.first { $0.api == header.api })
        try compare(type, header, body, with: frame)
    }

    private func compare<Request: KafkaRequest>(
        _: Request.Type, _ header: RequestHeader, _ body: ByteBuffer, with frame: CapturedFrame
    ) throws {
        let request = try Request(decoding: body, version: header.version)
        let again = try WireFrame(
            request, version: header.version, correlationID: header.correlationID, clientID: header.clientID
        )
        #expect(again.contiguous == frame.bytes, "\(request)")
    }

    @Test(
        "A client's batch passes validation and its records can be read",
        arguments: CapturedFrame.all.filter { $0.name.contains("-Produce-") }
    )
    func producedBatch(_ frame: CapturedFrame) throws {
        let request = try ProduceRequest(decoding: try frame.opened().body, version: frame.version)
        let records = try #require(request.topics.first?.partitions.first?.records)
        let header = try RecordBatchHeader(validating: records, maximumBytes: 1 << 20, produceVersion: frame.version)
        #expect(header.recordCount == 1)

        var reader = try RecordBatchReader(RecordBatch(records), limit: 1 << 20)
        let record = try reader.next()
        let end = try reader.next()
        #expect(end == nil)
        let text = try #require(record?.value.map { String(buffer: $0) })
        #expect(text.hasPrefix("hello") || text.hasPrefix("again"))
    }

    private let requestTypes: [any KafkaRequest.Type] = allMessages.compactMap { $0 as? any KafkaRequest.Type }
}

extension ByteBuffer {
    /// Bytes of hexadecimal text, white space ignored.
    init?(hex: String) {
        let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
        guard digits.count.isMultiple(of: 2) else { return nil }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        self.init(bytes: bytes)
    }
}
