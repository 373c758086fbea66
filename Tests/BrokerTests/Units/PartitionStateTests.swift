import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct PartitionStateTests {
    private static let key = PartitionKey(TopicNumber(1), 0)

    @Test func `offsets follow from the counts of the batches`() {
        let state = PartitionState()
        var position = 0
        for (index, count) in [3, 1, 10].enumerated() {
            let result = state.apply(
                .sample(Self.key, count: Int32(count)), at: LogIndex(UInt64(index + 1)), position: position,
                bytes: 100, term: Term(1))
            #expect(result == .appended(baseOffset: Offset(Int64([0, 3, 4][index])), logStart: .zero))
            position += 100
        }
        #expect(state.nextOffset == Offset(14))
        #expect(state.logStart == .zero)
    }

    @Test func `a refused batch takes no offsets`() {
        let state = PartitionState()
        let producer = ByteBuffer.Producer(id: 7, sequence: 0)
        _ = state.apply(.sample(Self.key, producer: producer), at: LogIndex(1), position: 0, bytes: 100, term: Term(1))
        let gap = ProduceCommand.sample(Self.key, producer: .init(id: 7, sequence: 5))
        #expect(
            state.apply(gap, at: LogIndex(2), position: 1, bytes: 100, term: Term(1))
                == .refused(.outOfOrderSequenceNumber))
        let stale = ProduceCommand.sample(Self.key, producer: .init(id: 7, epoch: -1, sequence: 1))
        #expect(
            state.apply(stale, at: LogIndex(3), position: 2, bytes: 100, term: Term(1))
                == .refused(.invalidProducerEpoch))
        let again = ProduceCommand.sample(Self.key, producer: producer)
        #expect(
            state.apply(again, at: LogIndex(4), position: 3, bytes: 100, term: Term(1))
                == .appended(baseOffset: .zero, logStart: .zero))
        #expect(state.nextOffset == Offset(1))
        #expect(state.index.runs.count == 1)
    }

    @Test func `each term begins an epoch where it wrote first`() {
        let state = PartitionState()
        for (index, term) in [2, 2, 5, 9].enumerated() {
            _ = state.apply(
                .sample(Self.key, count: 10), at: LogIndex(UInt64(index + 1)), position: index, bytes: 100,
                term: Term(UInt64(term)))
        }
        #expect(state.epochStarts.map(\.epoch) == [2, 5, 9])
        #expect(state.epochStarts.map(\.startOffset) == [Offset(0), Offset(20), Offset(30)])
        #expect([0, 19, 20, 29, 30, 99].map { state.epoch(at: Offset($0)) } == [2, 2, 5, 5, 9, 9])
        func end(_ epoch: Int32) -> [Int64]? {
            state.endOffset(ofEpoch: epoch).map { [Int64($0.epoch), $0.endOffset.rawValue] }
        }
        #expect(end(1) == nil)
        #expect(end(2) == [2, 20])
        #expect(end(4) == [2, 20])
        #expect(end(5) == [5, 30])
        #expect(end(9) == [9, 40])
        #expect(end(100) == [9, 40])
    }

    @Test func `at the bound the expired producers are forgotten`() {
        let state = PartitionState()
        let day = PartitionState.producerExpiration
        for id in 0..<PartitionState.producersMax {
            let time = id < 100 ? 0 : day
            let command = ProduceCommand.sample(
                Self.key, producer: .init(id: Int64(id), sequence: 0), at: time)
            _ = state.apply(command, at: LogIndex(UInt64(id + 1)), position: id, bytes: 100, term: Term(1))
        }
        #expect(state.producers.count == PartitionState.producersMax)
        let next = ProduceCommand.sample(Self.key, producer: .init(id: 1 << 40, sequence: 0), at: day)
        _ = state.apply(next, at: LogIndex(1 << 20), position: 1 << 20, bytes: 100, term: Term(1))
        #expect(state.producers.count == PartitionState.producersMax - 100 + 1)
        #expect(state.producers[99] == nil)
        #expect(state.producers[100] != nil)
    }

    @Test func `when none has expired, the older half goes, and the ids decide between equals`() {
        let state = PartitionState()
        for id in 0...PartitionState.producersMax {
            let command = ProduceCommand.sample(Self.key, producer: .init(id: Int64(id), sequence: 0), at: 5)
            _ = state.apply(command, at: LogIndex(UInt64(id + 1)), position: id, bytes: 100, term: Term(1))
        }
        #expect(state.producers.count == PartitionState.producersMax / 2 + 1)
        #expect(state.producers[Int64(PartitionState.producersMax / 2) - 1] == nil)
        #expect(state.producers[Int64(PartitionState.producersMax / 2)] != nil)
    }

    @Test func `deleting records moves the beginning up, never down and never beyond the end`() {
        let state = PartitionState()
        for (index, term) in [2, 3, 5].enumerated() {
            _ = state.apply(
                .sample(Self.key, count: 10), at: LogIndex(UInt64(index + 1)), position: index * 1_000_000, bytes: 100,
                term: Term(UInt64(term)))
        }
        #expect(state.deleteRecords(before: Offset(31)) == .refused(.offsetOutOfRange))
        #expect(state.deleteRecords(before: Offset(15)) == .logStart(Offset(15)))
        #expect(state.deleteRecords(before: Offset(3)) == .logStart(Offset(15)))
        #expect(state.logStart == Offset(15))
        #expect(state.bytes == 150)
        #expect(state.epochStarts.map(\.epoch) == [3, 5])
        #expect(state.epochStarts.map(\.startOffset) == [Offset(15), Offset(20)])
        #expect(state.endOffset(ofEpoch: 2) == nil)
        #expect(state.deleteRecords(before: Offset(30)) == .logStart(Offset(30)))
        #expect(state.bytes == 0)
        #expect(state.nextOffset == Offset(30))
        #expect(state.epoch(at: Offset(30)) == 5)
    }

    @Test func `a batch repeated after its records were deleted is still a duplicate`() {
        let state = PartitionState()
        let batch = ProduceCommand.sample(Self.key, producer: .init(id: 7, sequence: 0))
        _ = state.apply(batch, at: LogIndex(1), position: 0, bytes: 100, term: Term(1))
        _ = state.deleteRecords(before: Offset(1))
        #expect(
            state.apply(batch, at: LogIndex(2), position: 100, bytes: 100, term: Term(1))
                == .appended(baseOffset: .zero, logStart: Offset(1)))
        #expect(state.nextOffset == Offset(1))
    }
}
