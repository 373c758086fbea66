import Foundation
import KafkaWire
import NIOCore
import Testing

@testable import MartletClient
@testable import martlet

@Suite("What commands read and print")
struct OutputTests {
    private var record: ConsumerRecord {
        get throws {
            var builder = RecordBatchBuilder()
            let headers = [
                RecordHeader(key: "a", value: ByteBuffer(string: "1")), RecordHeader(key: "b", value: nil),
            ]
            builder.append(
                key: ByteBuffer(string: "key"), value: ByteBuffer(bytes: [0xFF, 0x00]), headers: headers, timestamp: 77)
            builder.baseOffset = 9
            var reader = try RecordBatchReader(builder.build(), limit: 1_000)
            let record = try reader.next()
            return ConsumerRecord(try #require(record), from: TopicPartition("orders", 4))
        }
    }

    @Test("a format puts every part in its place")
    func format() throws {
        var output = ByteBuffer()
        try RecordFormat(#"%t/%p@%o %T %k [%h] 100%%\t\\\n"#).write(record, to: &output)
        #expect(String(buffer: output) == "orders/4@9 77 key [a=1,b=] 100%\t\\\n")
    }

    @Test("a value is printed byte for byte")
    func value() throws {
        var output = ByteBuffer()
        try RecordFormat("%v").write(record, to: &output)
        #expect(Array(output.readableBytesView) == [0xFF, 0x00])
    }

    @Test("unknown places in a format are refused", arguments: ["%x", "%", #"\q"#, #"\"#])
    func badFormat(text: String) {
        #expect(throws: (any Error).self) { try RecordFormat(text) }
    }

    @Test("JSON has text as text and other bytes as base64")
    func json() throws {
        var output = ByteBuffer()
        RecordJSON.writeLine(try record, to: &output)
        let expected =
            #"{"headers":[{"name":"a","value":"1"},{"name":"b"}],"key":"key","offset":9,"partition":4,"#
            + #""timestamp":77,"topic":"orders","valueBase64":"/wA="}"# + "\n"
        #expect(String(buffer: output) == expected)
    }

    @Test("JSON text is escaped so that it reads back the same")
    func escaping() throws {
        let value = String((0..<0x80).map { Character(Unicode.Scalar($0)) }) + "é€😀\\\"/"
        var tricky = try record
        tricky.headers = RecordHeaders()
        tricky.value = ByteBuffer(string: value)
        var output = ByteBuffer()
        RecordJSON.writeLine(tricky, to: &output)
        let line = Data(output.readableBytesView)
        #expect(!line.dropLast().contains(UInt8(ascii: "\n")))
        let object = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
        #expect(object["value"] as? String == value)
        #expect(object["offset"] as? Int == 9)
    }

    @Test(
        "every form of --from is read",
        arguments: [
            ("beginning", .beginning), ("end", .end), ("42", .offset(42)),
            ("@1700000000000", .timestamp(1_700_000_000_000)),
            ("@2023-11-14T22:13:20Z", .timestamp(1_700_000_000_000)),
        ] as [(String, ConsumerStart)])
    func from(text: String, start: ConsumerStart) {
        #expect(StartOption(argument: text)?.start == start)
    }

    @Test("other forms of --from are refused", arguments: ["", "-1", "@", "@yesterday", "start"])
    func badFrom(text: String) {
        #expect(StartOption(argument: text) == nil)
    }

    @Test("columns line up, numbers to the right")
    func table() {
        var table = Table([("NAME", .left), ("COUNT", .right)])
        table.add(["a", "5"])
        table.add(["longer name", "123456"])
        #expect(table.description == "NAME          COUNT\na                 5\nlonger name  123456")
    }

    @Test("lines come out whole, however the input is cut", arguments: 1...9)
    func lines(pieceBytes: Int) throws {
        var input = ByteBuffer(string: "first\n\nthird line\nlast")
        var splitter = LineSplitter(lineBytesMaximum: 100)
        var lines: [String] = []
        while input.readableBytes > 0 {
            let piece = input.readSlice(length: min(pieceBytes, input.readableBytes))
            splitter.append(try #require(piece))
            while let line = try splitter.next() { lines.append(String(buffer: line)) }
        }
        #expect(lines == ["first", "", "third line"])
        let last = splitter.last()
        #expect(last.map { String(buffer: $0) } == "last")
        let more = splitter.last()
        #expect(more == nil)
    }

    @Test("a line beyond the bound is refused")
    func longLine() {
        var splitter = LineSplitter(lineBytesMaximum: 3)
        splitter.append(ByteBuffer(string: "four"))
        #expect(throws: CommandFailure.self) { try splitter.next() }
    }

    @Test("a line is cut into key and value at the first separator")
    func template() {
        let template = RecordTemplate(topic: "t", partition: nil, headers: [], keySeparator: "::")
        let record = template.record(ByteBuffer(string: "a::b::c"))
        #expect(record.key == ByteBuffer(string: "a"))
        #expect(record.value == ByteBuffer(string: "b::c"))
        #expect(template.record(ByteBuffer(string: "abc")).key == nil)
    }

    @Test("a cluster without controller, or with a partition without leader, is not healthy")
    func cluster() {
        let partition = TopicDescription.Partition(
            index: 0, leader: 1, leaderEpoch: 3, replicas: [1], inSyncReplicas: [1], offlineReplicas: [])
        let topic = TopicDescription(name: "orders", id: .zero, isInternal: false, partitions: [partition])
        let broker = ClusterDescription.Broker(id: 1, address: BrokerAddress(host: "a", port: 1), rack: nil)
        var cluster = ClusterDescription(clusterID: "c", controller: 1, brokers: [broker])
        let report = ClusterReport(cluster, [topic])
        #expect(report.isHealthy)
        #expect(report.text.contains("     1  a:1          1  controller"))
        cluster.controller = nil
        #expect(!ClusterReport(cluster, [topic]).isHealthy)
        var leaderless = topic
        leaderless.partitions[0].leader = nil
        cluster.controller = 1
        #expect(!ClusterReport(cluster, [leaderless]).isHealthy)
    }

    @Test("errors say what to do next")
    func advice() {
        let failure = CommandFailure(KafkaClientError(.connectionFailed, "no connection"))
        #expect(failure.description.hasPrefix("no connection\n"))
        #expect(failure.description.contains("martlet serve"))
    }

    @Test(
        "numbers have their digits",
        arguments: [(1.0, 0, "1"), (1.005, 1, "1.0"), (0.0625, 3, "0.063"), (-2.5, 2, "-2.50"), (.nan, 1, "-")])
    func digits(value: Double, digits: Int, text: String) {
        #expect(value.fixed(digits) == text)
    }
}
