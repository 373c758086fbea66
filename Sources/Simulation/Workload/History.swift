import Basics
import KafkaWire

/// All that clients did and saw, and whether it can have been so.
///
/// Owner: the world's `Workload`. Grows with the operations of one world, which end with it.
final class History {
    /// One record sent, and what is known of it.
    struct Write {
        let lane: Lane
        let producer: Int
        /// Counts what this producer sent to this lane.
        let order: Int
        /// Whether the lane keeps the producer's order whatever happens: an idempotent producer's does.
        let isOrdered: Bool
        let timestamp: Milliseconds
        let invoked: Instant
        var acknowledged: Instant?
        /// Where it stands: told by the acknowledgement, or seen by a consumer.
        var offset: Int64?
    }

    /// A question "which is the first record of this time or later?", and its answer.
    struct TimeQuery {
        let lane: Lane
        let timestamp: Milliseconds
        /// Nil: there is none.
        let offset: Int64?
        /// All below this was committed when the question was asked.
        let knownEnd: Int64
        /// All below this may have been deleted when the answer was given.
        let mayBeGone: Int64
    }

    struct Statistics: Hashable, Sendable {
        public var sent = 0
        public var acknowledged = 0
        public var read = 0
        public var calls = 0
        public var failedCalls = 0
        public var topicsCreated = 0
        public var topicsDeleted = 0
        /// Offsets that groups committed, and records that they read.
        public var committed = 0
        public var delivered = 0
        public var recordDeletions = 0
        public var alterations = 0
    }

    unowned let world: World
    private(set) var writes: [Value: Write] = [:]
    /// What stands at each offset, as far as anybody was told.
    private(set) var known: [Lane: [Int64: Value]] = [:]
    /// The highest end of each lane that a leader of each epoch told.
    private var ends: [Lane: [Int32: Int64]] = [:]
    private(set) var timeQueries: [TimeQuery] = []
    /// Topics whose deletion was asked for: nothing is promised about them any more.
    private(set) var deleted: Set<TopicID> = []
    /// Names that are, or may be, given to a second topic.
    private(set) var renewedNames: Set<String> = []
    /// Names that must not be: somebody acts by them on what is the first topic's.
    private(set) var pinnedNames: Set<String> = []
    let starts: LogStarts
    var statistics = Statistics()
    private var lastValue: UInt64 = 0

    init(in world: World) {
        self.world = world
        starts = LogStarts(in: world)
    }

    // MARK: What happens

    func invoke(
        _ lane: Lane, producer: Int, order: Int, isOrdered: Bool, timestamp: Milliseconds
    ) -> Value {
        lastValue += 1
        statistics.sent += 1
        let value = Value(number: lastValue)
        writes[value] = Write(
            lane: lane, producer: producer, order: order, isOrdered: isOrdered, timestamp: timestamp,
            invoked: world.scheduler.now)
        return value
    }

    func acknowledge(_ value: Value, at offset: Int64) {
        statistics.acknowledged += 1
        writes[value]?.acknowledged = world.scheduler.now
        learn(value, at: offset, how: "acknowledged")
    }

    func read(_ value: Value, from lane: Lane, at offset: Int64) {
        statistics.read += 1
        guard let write = writes[value] else {
            return world.fail("\(lane) offset \(offset): \(value) was read but never sent")
        }
        guard write.lane == lane else {
            return world.fail("\(lane) offset \(offset): \(value) was read but sent to \(write.lane)")
        }
        learn(value, at: offset, how: "read")
    }

    func answered(_ query: TimeQuery) { timeQueries.append(query) }

    func delete(_ topic: TopicID) { deleted.insert(topic) }

    /// Keeps a name from being used again; false if it is too late for that.
    func pin(_ name: String) -> Bool {
        guard !renewedNames.contains(name) else { return false }
        pinnedNames.insert(name)
        return true
    }

    /// The name is about to be given to another topic; false if it must not be.
    func renew(_ name: String) -> Bool {
        guard !pinnedNames.contains(name) else { return false }
        renewedNames.insert(name)
        return true
    }

    func isDeleted(_ lane: Lane) -> Bool { deleted.contains(lane.topic) }

    private func learn(_ value: Value, at offset: Int64, how: String) {
        guard let write = writes[value] else { return }
        if let other = known[write.lane]?[offset], other != value {
            return world.failPromise("\(write.lane) offset \(offset): \(value) \(how), where \(other) stands")
        }
        if let other = write.offset, other != offset {
            return world.failPromise("\(write.lane): \(value) \(how) at offset \(offset) and at \(other): a duplicate")
        }
        known[write.lane, default: [:]][offset] = value
        writes[value]?.offset = offset
    }

    /// The highest end that leaders of this epoch or earlier ones told.
    func seenEnd(of lane: Lane, upTo epoch: Int32) -> Int64 {
        ends[lane]?.filter { $0.key <= epoch }.values.max() ?? 0
    }

    /// A leader told where a lane ends. What an earlier one had told before it was asked must be there: it serves only
    /// when it has applied all that earlier leaders committed.
    func saw(end: Int64, of lane: Lane, epoch: Int32, noLessThan least: Int64) {
        if end < least, !isDeleted(lane) {
            world.failPromise("\(lane): the leader of epoch \(epoch) tells the end \(end) after \(least)")
        }
        ends[lane, default: [:]][epoch] = max(end, ends[lane]?[epoch] ?? 0)
    }

    /// One past the highest offset that anybody was told of.
    func knownEnd(of lane: Lane) -> Int64 { (known[lane]?.keys.max() ?? -1) + 1 }

    // MARK: The end

    /// Compares the whole content of a lane from its beginning on, read after all faults, with what clients were told.
    func check(_ lane: Lane, from start: Int64, content: [Value]) {
        let end = start + Int64(content.count)
        for (offset, value) in (known[lane] ?? [:]).sorted(by: { $0.key < $1.key }) where offset >= start {
            guard offset < end else {
                return world.fail("\(lane) offset \(offset): \(value) is lost; the lane ends at \(end)")
            }
            guard content[Int(offset - start)] == value else {
                return world.fail("\(lane) offset \(offset): \(value) became \(content[Int(offset - start)])")
            }
        }
        checkOrder(lane, from: start, content)
        checkRealTime(lane, content)
        for query in timeQueries where query.lane == lane { check(query, from: start, content) }
    }

    private func checkOrder(_ lane: Lane, from start: Int64, _ content: [Value]) {
        var newest: [Int: Int] = [:]
        for (position, value) in content.enumerated() {
            guard let write = writes[value], write.isOrdered else { continue }
            // Where the beginning is gone, what comes first is not the first.
            let expected = newest[write.producer].map { $0 + 1 } ?? (start == 0 ? 0 : write.order)
            guard write.order == expected else {
                return world.fail(
                    "\(lane) offset \(start + Int64(position)): producer \(write.producer)'s record \(write.order) "
                        + "stands where its record \(expected) belongs")
            }
            newest[write.producer] = write.order
        }
    }

    /// What was acknowledged before another record was sent stands before it.
    private func checkRealTime(_ lane: Lane, _ content: [Value]) {
        var firstAcknowledgement = Instant.distantFuture
        for value in content.reversed() {
            guard let write = writes[value] else { continue }
            if write.invoked > firstAcknowledgement {
                return world.fail("\(lane): \(value) was sent after a later record had been acknowledged")
            }
            firstAcknowledgement = min(firstAcknowledgement, write.acknowledged ?? .distantFuture)
        }
    }

    private func check(_ query: TimeQuery, from start: Int64, _ content: [Value]) {
        let end = start + Int64(content.count)
        let first = min(max(start, query.mayBeGone), end), last = min(query.offset ?? query.knownEnd, end)
        for value in content[Int(first - start)..<Int(max(first, last) - start)] {
            guard let write = writes[value], write.timestamp >= query.timestamp else { continue }
            return world.fail(
                "\(query.lane): \(query.offset.map { "offset \($0)" } ?? "none") was given as the first record since "
                    + "\(query.timestamp), but \(value) is older by offset and new enough")
        }
        guard let offset = query.offset, offset >= start, offset < end,
            let write = writes[content[Int(offset - start)]]
        else { return }
        if write.timestamp < query.timestamp {
            world.fail("\(query.lane) offset \(offset) is too old for a question for \(query.timestamp)")
        }
    }
}
