import Basics
import MartletClient

/// Where a group shall go on.
enum OffsetResetTarget: Hashable, Sendable {
    case earliest
    case latest
    case offset(Int64)
    case time(Milliseconds)
    case shift(Int64)
}

/// Finds out what a reset of a group's offsets changes.
struct OffsetReset: Sendable {
    /// One partition's offset before and after.
    struct Change: Encodable, Hashable, Sendable {
        var topic: String
        var partition: Int32
        /// Nil if nothing was committed.
        var from: Int64?
        var to: Int64

        var place: TopicPartition { TopicPartition(topic, partition) }
    }

    let group: String
    let target: OffsetResetTarget
    /// None for all that the group has committed something for.
    let selections: [TopicSelection]

    func changes(_ admin: Admin) async throws -> [Change] {
        let committed = try await admin.committedOffsets(of: group).mapValues(\.offset)
        let places = try await places(committed, admin)
        guard !places.isEmpty else {
            throw CommandFailure(
                "group \(group) has committed nothing", advice: "Say which topics it is about with --topic NAME.")
        }
        let beginnings = try await admin.offsets(of: places, at: .beginning).compactMapValues { $0 }
        let ends = try await admin.offsets(of: places, at: .end).compactMapValues { $0 }
        var byTime: [TopicPartition: Int64] = [:]
        if case .time(let time) = target {
            byTime = try await admin.offsets(of: places, at: .timestamp(time)).compactMapValues { $0 }
        }
        return places.map { place in
            let beginning = beginnings[place] ?? 0, end = ends[place] ?? 0
            let wanted: Int64 = switch target {
            case .earliest: beginning
            case .latest: end
            case .offset(let offset): offset
            case .time: byTime[place] ?? end
            case .shift(let distance): Self.shifted(committed[place] ?? beginning, by: distance)
            }
            return Change(
                topic: place.topic, partition: place.partition, from: committed[place],
                to: Self.clamped(wanted, beginning, end))
        }
    }

    /// Never outside the partition.
    static func clamped(_ offset: Int64, _ beginning: Int64, _ end: Int64) -> Int64 {
        max(beginning, min(offset, end))
    }

    /// Offsets are as large as somebody once said: the sum may be beyond any.
    static func shifted(_ offset: Int64, by distance: Int64) -> Int64 {
        let (sum, overflow) = offset.addingReportingOverflow(distance)
        return overflow ? (distance < 0 ? .min : .max) : sum
    }

    private func places(_ committed: [TopicPartition: Int64], _ admin: Admin) async throws -> [TopicPartition] {
        var places = selections.isEmpty ? Set(committed.keys) : []
        for selection in selections {
            let known = try await admin.describeTopic(selection.name).partitions.map(\.index)
            if let unknown = selection.partitions?.first(where: { !known.contains($0) }) {
                throw CommandFailure(
                    "topic \(selection.name) has no partition \(unknown)",
                    advice: "See its partitions with 'martlet topic describe \(selection.name)'.")
            }
            places.formUnion((selection.partitions ?? known).map { TopicPartition(selection.name, $0) })
        }
        return places.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }
}
