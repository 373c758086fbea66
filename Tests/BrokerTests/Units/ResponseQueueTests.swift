import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct ResponseQueueTests {
    private static func frame(_ text: String) -> WireFrame { WireFrame(framing: ByteBuffer(string: text)) }

    private static func text(_ frame: WireFrame?) -> String? { frame.map { String(buffer: $0.withoutLength) } }

    @Test func `answers leave in the order of the requests`() {
        var queue = ResponseQueue()
        let tickets = (0..<3).map { _ in queue.enqueue() }
        #expect(queue.next() == nil)
        queue.complete(tickets[2], with: Self.frame("c"))
        queue.complete(tickets[1], with: Self.frame("b"))
        #expect(queue.next() == nil)
        queue.complete(tickets[0], with: Self.frame("a"))
        #expect((0..<4).map { _ in Self.text(queue.next()) } == ["a", "b", "c", nil])
        #expect(queue.count == 0)
    }

    @Test func `a silent place is skipped, whether first or between`() {
        var queue = ResponseQueue()
        let tickets = (0..<4).map { _ in queue.enqueue() }
        queue.complete(tickets[0], with: nil)
        queue.complete(tickets[2], with: nil)
        queue.complete(tickets[1], with: Self.frame("b"))
        #expect(Self.text(queue.next()) == "b")
        #expect(queue.next() == nil)
        #expect(queue.count == 1)
        queue.complete(tickets[3], with: nil)
        #expect(queue.next() == nil)
        #expect(queue.count == 0)
    }

    @Test func `bytes that are ready are counted until they leave`() {
        var queue = ResponseQueue()
        let first = queue.enqueue(), second = queue.enqueue()
        queue.complete(second, with: Self.frame("12345"))
        #expect(queue.readyBytes == 9)
        queue.complete(first, with: nil)
        _ = queue.next()
        #expect(queue.readyBytes == 0)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `whatever the order of completion, nothing is lost or changes places`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var queue = ResponseQueue()
        var open: [(ResponseQueue.Ticket, Int)] = []
        var silent: Set<Int> = []
        var left: [Int] = []
        for number in 0..<200 {
            open.append((queue.enqueue(), number))
            while open.count > 5, let next = open.indices.randomElement(using: &random) {
                let (ticket, number) = open.remove(at: next)
                if Bool.random(using: &random) { silent.insert(number) }
                queue.complete(ticket, with: silent.contains(number) ? nil : Self.frame("\(number)"))
            }
            while let frame = queue.next() { left.append(Int(Self.text(frame) ?? "") ?? -1) }
        }
        for (ticket, number) in open { queue.complete(ticket, with: Self.frame("\(number)")) }
        while let frame = queue.next() { left.append(Int(Self.text(frame) ?? "") ?? -1) }
        #expect(left == (0..<200).filter { !silent.contains($0) })
    }
}
