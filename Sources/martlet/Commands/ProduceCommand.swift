import ArgumentParser
import Basics
import KafkaWire
import MartletClient
import NIOCore

/// The values of `--codec`.
enum CodecOption: String, ExpressibleByArgument, CaseIterable, Sendable {
    case none, gzip, snappy, lz4, zstd

    var codec: Codec {
        switch self {
        case .none: .none
        case .gzip: .gzip
        case .snappy: .snappy
        case .lz4: .lz4
        case .zstd: .zstd
        }
    }
}

/// The values of `--acks`, as Kafka's own tools have them.
enum AcksOption: String, ExpressibleByArgument, CaseIterable, Sendable {
    case zero = "0"
    case one = "1"
    case all

    var acknowledgement: ProducerConfiguration.Acknowledgement {
        switch self {
        case .zero: .none
        case .one: .leader
        case .all: .all
        }
    }
}

/// `martlet produce`.
struct ProduceCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Send lines as records.",
        discussion: """
            Reads standard input or a file; each line is a record. Ends when all of them are acknowledged.

            Examples:
              echo hello | martlet produce greetings
              martlet produce orders --file orders.ndjson --codec zstd
              martlet produce users --key-separator : -H source=import < users.txt
            """
    )

    @Argument(help: "The topic.")
    var topic: String

    @Option(name: [.customShort("f"), .long], help: "Read this file instead of standard input.")
    var file: String?

    @Option(
        name: [.customShort("K"), .long],
        help: "What separates key and value in a line. A line without it has no key.")
    var keySeparator: String?

    @Option(
        name: [.customShort("H"), .customLong("header")],
        help: "A header of every record, NAME=VALUE. May be repeated.")
    var headers: [String] = []

    @Option(name: [.customShort("z"), .long], help: "Compression of the batches.")
    var codec = CodecOption.none

    @Option(help: "Acknowledge: 0 never, 1 when the leader has the records, all when all in-sync replicas have them.")
    var acks = AcksOption.all

    @Option(name: .shortAndLong, help: "The partition (default: by the key's hash, or batch by batch).")
    var partition: Int32?

    @Flag(help: "At the end, print what was sent as a JSON object.")
    var json = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        if let partition, partition < 0 { throw ValidationError("--partition must not be negative") }
        if keySeparator?.isEmpty ?? false { throw ValidationError("--key-separator must not be empty") }
        _ = try template()
    }

    func template() throws -> RecordTemplate {
        let pairs = try headers.map { text in
            guard let (name, value) = text.splitPair() else {
                throw ValidationError("'\(text)' is no header; write NAME=VALUE")
            }
            return RecordHeader(key: name, value: ByteBuffer(string: value))
        }
        return RecordTemplate(topic: topic, partition: partition, headers: pairs, keySeparator: keySeparator)
    }

    func execute() async throws {
        let input = try InputFile(file)
        defer { input.close() }
        var configuration = ProducerConfiguration()
        configuration.codec = codec.codec
        configuration.acknowledgement = acks.acknowledgement
        configuration.deliveryTimeout = .seconds(client.timeout)
        let producer = try Producer(try client.client(), configuration)
        let started = ContinuousClock.now
        let sent = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await producer.run() }
            let lineBytesMaximum = configuration.requestBytes
            let sent = try await send(from: input, through: producer, lineBytesMaximum: lineBytesMaximum)
            try await producer.flush()
            await producer.close()
            try await group.waitForAll()
            return sent
        }
        if json { print(try JSONOutput.line(sent.summary(topic: topic, started.duration(to: .now)))) }
    }

    private func send(
        from input: InputFile, through producer: Producer, lineBytesMaximum: Int
    ) async throws -> SentCount {
        let template = try template()
        var progress = ProgressLine()
        var sent = SentCount()
        var lines = LineSplitter(lineBytesMaximum: lineBytesMaximum)
        while let bytes = try await input.read() {
            lines.append(bytes)
            while let line = try lines.next() {
                try await producer.enqueue(template.record(line))
                sent.add(line)
            }
            progress.show { "\(sent.records) records, \(sent.bytes / 1_000_000) MB" }
        }
        if let line = lines.last() {
            try await producer.enqueue(template.record(line))
            sent.add(line)
        }
        progress.end()
        return sent
    }
}

/// What was handed to the producer.
struct SentCount {
    struct Summary: Encodable {
        var topic: String
        var records: Int
        var bytes: Int
        var seconds: Double
    }

    private(set) var records = 0
    /// Of the lines, without their line feeds.
    private(set) var bytes = 0

    mutating func add(_ line: ByteBuffer) {
        records += 1
        bytes += line.readableBytes
    }

    func summary(topic: String, _ duration: Duration) -> Summary {
        Summary(topic: topic, records: records, bytes: bytes, seconds: duration / .seconds(1))
    }
}

/// Makes records of lines.
struct RecordTemplate: Sendable {
    private let topic: String
    private let partition: Int32?
    private let headers: [RecordHeader]
    private let keySeparator: [UInt8]?

    init(topic: String, partition: Int32?, headers: [RecordHeader], keySeparator: String?) {
        self.topic = topic
        self.partition = partition
        self.headers = headers
        self.keySeparator = keySeparator.map { Array($0.utf8) }
    }

    func record(_ line: ByteBuffer) -> ProducerRecord {
        var value = line
        let key = splitKey(&value)
        return ProducerRecord(topic: topic, partition: partition, key: key, value: value, headers: headers)
    }

    private func splitKey(_ line: inout ByteBuffer) -> ByteBuffer? {
        guard let keySeparator, let range = line.readableBytesView.firstRange(of: keySeparator) else { return nil }
        let key = line.readSlice(length: range.lowerBound - line.readerIndex)
        line.moveReaderIndex(forwardBy: keySeparator.count)
        return key
    }
}
