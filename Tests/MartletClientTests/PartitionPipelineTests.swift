import KafkaWire
import NIOCore
import Testing

@testable import MartletClient

@Suite("Batches between sending and acknowledgement")
struct PartitionPipelineTests {
    private static let now = NIODeadline.uptimeNanoseconds(1_000)
    private static let refused = KafkaClientError.broker(.messageTooLarge, "orders-0")
    private static let lost = KafkaClientError(.connectionClosed, "lost")
    private static let gap = KafkaClientError.broker(.outOfOrderSequenceNumber, "orders-0")

    private func batch(
        _ order: UInt64, records: Int = 2, deadline: NIODeadline = .distantFuture
    ) throws -> ProducerBatch {
        var builder = RecordBatchBuilder()
        for _ in 0..<records { builder.append(key: nil, value: ByteBuffer(string: "x"), timestamp: 0) }
        return ProducerBatch(
            try builder.build(), delivery: BatchDelivery(TopicPartition("orders", 0)), order: order, reservedBytes: 1,
            deadline: deadline)
    }

    private func pipeline() -> PartitionPipeline {
        var pipeline = PartitionPipeline(usesSequences: true)
        pipeline.adopt(ProducerIdentity(id: 9, epoch: 1))
        return pipeline
    }

    private func sequence(_ batch: ProducerBatch) throws -> Int32 {
        let header = try #require(RecordBatchHeader(batch.bytes))
        #expect(header.crc == RecordBatchHeader.checksum(of: batch.bytes))
        return header.baseSequence
    }

    @Test("batches are numbered by their records, under the producer's identity and with a valid checksum")
    func numbering() throws {
        var pipeline = pipeline()
        let first = pipeline.send(try batch(1, records: 3), to: 0)
        let second = pipeline.send(try batch(2, records: 1), to: 0)
        #expect(try sequence(first) == 0)
        #expect(try sequence(second) == 3)
        let third = pipeline.send(try batch(3), to: 0)
        #expect(try sequence(third) == 4)
        #expect(RecordBatchHeader(third.bytes)?.producerID == 9)
        #expect(RecordBatchHeader(third.bytes)?.producerEpoch == 1)
    }

    @Test("without idempotence nothing is numbered")
    func unnumbered() throws {
        var pipeline = PartitionPipeline(usesSequences: false)
        #expect(!pipeline.lacksIdentity)
        let sent = pipeline.send(try batch(1), to: 0)
        #expect(RecordBatchHeader(sent.bytes)?.producerID == -1)
    }

    @Test("a lost connection sends all batches again, oldest first, one at a time, under their old numbers")
    func retryOrder() throws {
        var pipeline = pipeline()
        for order in 1...3 { _ = pipeline.send(try batch(UInt64(order)), to: 0) }
        for order in 1...3 as ClosedRange<UInt64> {
            let settled1 = pipeline.complete(order, .retriable(Self.lost, mayBeStored: true), now: Self.now)
            #expect(settled1.isEmpty)
        }
        for (order, number) in [(1, 0), (2, 2), (3, 4)] as [(UInt64, Int32)] {
            #expect(pipeline.maySend(to: 1))
            let waiting = pipeline.takeWaiting()
            let again = pipeline.send(try #require(waiting), to: 1)
            #expect(again.order == order)
            #expect(try sequence(again) == number)
            if order < 3 { #expect(!pipeline.maySend(to: 1)) }
            let settled2 = pipeline.complete(order, .stored(.init(baseOffset: 0)), now: Self.now)
            #expect(settled2.count == 1)
        }
        #expect(pipeline.isEmpty)
    }

    @Test("while a batch waits for its retry and others are under way, nothing new is sent")
    func newBatchesWait() throws {
        var pipeline = pipeline()
        _ = pipeline.send(try batch(1), to: 0)
        _ = pipeline.send(try batch(2), to: 0)
        _ = pipeline.complete(1, .retriable(Self.lost, mayBeStored: false), now: Self.now)
        #expect(!pipeline.maySend(to: 0))
        // The second one meets the gap that the first one left, and is no error.
        let settled3 = pipeline.complete(2, .outOfOrder(Self.gap), now: Self.now)
        #expect(settled3.isEmpty)
        #expect(pipeline.maySend(to: 0))
        let next4 = pipeline.takeWaiting()
        #expect(next4?.order == 1)
    }

    @Test("batches under way keep new ones from going to another broker")
    func oneBroker() throws {
        var pipeline = pipeline()
        _ = pipeline.send(try batch(1), to: 0)
        #expect(pipeline.maySend(to: 0))
        #expect(!pipeline.maySend(to: 1))
    }

    @Test("behind a refused batch the others are numbered anew under another identity")
    func refusal() throws {
        var pipeline = pipeline()
        for order in 1...3 { _ = pipeline.send(try batch(UInt64(order)), to: 0) }
        let settled = pipeline.complete(1, .refused(Self.refused), now: Self.now)
        #expect(settled.map(\.batch.order) == [1])
        #expect(!pipeline.maySend(to: 0))
        let settled5 = pipeline.complete(2, .outOfOrder(Self.gap), now: Self.now)
        #expect(settled5.isEmpty)
        let settled6 = pipeline.complete(3, .outOfOrder(Self.gap), now: Self.now)
        #expect(settled6.isEmpty)
        #expect(pipeline.lacksIdentity)
        pipeline.adopt(ProducerIdentity(id: 10, epoch: 0))
        let waiting = pipeline.takeWaiting()
        let again = pipeline.send(try #require(waiting), to: 0)
        #expect(again.order == 2)
        #expect(try sequence(again) == 0)
        #expect(RecordBatchHeader(again.bytes)?.producerID == 10)
    }

    @Test("a broker that has lost count gets the batch again under a new identity")
    func brokerLostCount() throws {
        var pipeline = pipeline()
        _ = pipeline.send(try batch(1), to: 0)
        let settled7 = pipeline.complete(1, .outOfOrder(Self.gap), now: Self.now)
        #expect(settled7.isEmpty)
        #expect(pipeline.lacksIdentity)
        let next8 = pipeline.takeWaiting()
        #expect(next8?.isNumbered == false)
    }

    @Test("a batch that may be stored is never sent under a new identity: it fails and says so")
    func ambiguity() throws {
        var pipeline = pipeline()
        let soon = NIODeadline.uptimeNanoseconds(500)
        _ = pipeline.send(try batch(1, deadline: soon), to: 0)
        _ = pipeline.send(try batch(2), to: 0)
        var settled = pipeline.complete(1, .retriable(Self.lost, mayBeStored: true), now: Self.now)
        #expect(settled.map(\.batch.order) == [1])
        settled = pipeline.complete(2, .retriable(Self.lost, mayBeStored: true), now: Self.now)
        #expect(settled.map(\.batch.order) == [2])
        for item in settled {
            #expect(throws: KafkaClientError.self) { try item.result.get() }
            if case .failure(let error) = item.result { #expect(error.mayHaveBeenStored) }
        }
        #expect(pipeline.lacksIdentity)
    }

    @Test("a waiting batch whose time is over fails, and those behind it go on")
    func expiry() throws {
        var pipeline = pipeline()
        _ = pipeline.send(try batch(1, deadline: .uptimeNanoseconds(2_000)), to: 0)
        _ = pipeline.send(try batch(2), to: 0)
        for order in [1, 2] as [UInt64] {
            _ = pipeline.complete(order, .retriable(Self.lost, mayBeStored: false), now: Self.now)
        }
        let settled9 = pipeline.expire(now: .uptimeNanoseconds(1_999))
        #expect(settled9.isEmpty)
        let settled = pipeline.expire(now: .uptimeNanoseconds(2_000))
        #expect(settled.map(\.batch.order) == [1])
        let next10 = pipeline.takeWaiting()
        #expect(next10?.order == 2)
    }

    @Test("sequences go on at 0 after the largest number")
    func wrapping() {
        #expect(PartitionPipeline.sequence(after: 5, records: 3) == 8)
        #expect(PartitionPipeline.sequence(after: .max, records: 1) == 0)
        #expect(PartitionPipeline.sequence(after: .max - 1, records: 4) == 2)
    }
}
