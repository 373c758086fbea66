import NIOCore
import Testing

@testable import KafkaWire

@Suite struct SmallArrayTests {
    @Test(arguments: 0...3) func `elements are kept in order, however many there are`(count: Int) {
        var small: SmallArray<Int> = []
        for element in 0..<count { small.append(10 * element) }
        #expect(small.count == count)
        #expect(Array(small) == (0..<count).map { 10 * $0 })
        #expect("\(small)" == "\(Array(small))")
        #expect(small == SmallArray(stride(from: 0, to: 10 * count, by: 10)))
    }

    @Test(arguments: 0...2) func `each element is replaced by itself`(position: Int) {
        var small: SmallArray = [1, 2, 3]
        small[position] += 10
        var expected = [1, 2, 3]
        expected[position] += 10
        #expect(Array(small) == expected)
    }

    @Test func `what is mapped is small, too`() {
        let mapped: SmallArray<String> = SmallArray([1, 2, 3]).map { "\($0)" }
        #expect(mapped == ["1", "2", "3"])
        #expect(SmallArray<Int>().map { $0 }.isEmpty)
    }

    @Test(arguments: 0...3) func `its bytes are those of an array`(count: Int) throws {
        let elements = (0..<count).map { number in
            ProduceRequest.Partition {
                $0.index = Int32(number)
                $0.records = ByteBuffer(string: "records \(number)")
            }
        }
        let request = ProduceRequest {
            $0.topics = [
                .init {
                    $0.name = "topic"
                    $0.partitions = SmallArray(elements)
                }
            ]
        }
        for version: Int16 in [8, 9] {
            let decoded = try ProduceRequest(decoding: encodedBody(request, version: version), version: version)
            #expect(decoded.topics.map(\.partitions) == [SmallArray(elements)])
        }
    }

    @Test func `null and a count beyond the bytes are refused`() {
        // No transactional id, acks, time-out, and then the count of the topics.
        let start: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]
        #expect(throws: WireError.unexpectedNull) {
            try ProduceRequest(decoding: ByteBuffer(bytes: start + [0xff, 0xff, 0xff, 0xff]), version: 8)
        }
        #expect(throws: WireError.invalidLength) {
            try ProduceRequest(decoding: ByteBuffer(bytes: start + [0, 0, 0, 2, 0]), version: 8)
        }
    }
}
