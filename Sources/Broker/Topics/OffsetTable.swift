import Basics
import NIOCore

/// Where the offsets of all partitions stand in one sealed segment: what `OffsetIndex` held of it when the segment was
/// sealed. The content of an offsets file; a value that never changes.
struct OffsetTable: Hashable, Sendable {
    struct Partition: Hashable {
        var key: PartitionKey
        /// The offset behind the partition's last record in the segment.
        var endOffset: Offset
        /// Positions in `runs`; never empty.
        var runs: Range<Int>
        /// The partition's segment before this one.
        var previous: SegmentChain.Link?
        /// One further back: see `SegmentChain`.
        var jump: SegmentChain.Link?
    }

    let segment: LogIndex
    /// By key.
    private(set) var partitions: [Partition] = []
    private(set) var runs: [OffsetIndex.Run] = []

    init(segment: LogIndex) { self.segment = segment }

    /// Adds the runs of a partition, in the order of the keys.
    mutating func append(
        _ key: PartitionKey, _ runs: [OffsetIndex.Run], endOffset: Offset,
        links: (previous: SegmentChain.Link?, jump: SegmentChain.Link?)
    ) {
        let start = self.runs.count
        self.runs += runs
        partitions.append(
            Partition(
                key: key, endOffset: endOffset, runs: start..<self.runs.count, previous: links.previous,
                jump: links.jump))
    }

    subscript(_ key: PartitionKey) -> Partition? {
        var low = 0, high = partitions.count
        while low < high {
            let middle = (low + high) / 2
            if partitions[middle].key.rawValue < key.rawValue { low = middle + 1 } else { high = middle }
        }
        return low < partitions.count && partitions[low].key == key ? partitions[low] : nil
    }

    var residentBytes: Int {
        partitions.count * MemoryLayout<Partition>.stride + runs.count * MemoryLayout<OffsetIndex.Run>.stride
    }
}

/// The bytes of a table, version 1, all integers little-endian; the file around it has the checksum.
///
///     offset size
///          0    4  N, number of partitions
///          4    4  R, number of runs
///          8  72N  partitions, by key
///    8 + 72N  32R  runs: first offset (8), first index (8), last index (8), largest timestamp (8)
///
/// A partition:
///
///          0    8  key: number of the topic (high half) and of the partition
///          8    8  offset behind its last record in the segment
///         16    4  position of its first run
///         20    4  number of its runs
///         24   24  the partition's segment before this one: base (0 for none), first offset, largest timestamp in it
///                  and all before it
///         48   24  the jump, likewise
extension OffsetTable {
    private static let partitionBytes = 72
    private static let runBytes = 32

    func encoded() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(8 + partitions.count * Self.partitionBytes + runs.count * Self.runBytes)
        buffer.writeMultipleIntegers(UInt32(partitions.count), UInt32(runs.count), endianness: .little)
        for partition in partitions {
            buffer.writeMultipleIntegers(
                partition.key.rawValue, partition.endOffset.rawValue, UInt32(partition.runs.lowerBound),
                UInt32(partition.runs.count), endianness: .little)
            buffer.writeLink(partition.previous)
            buffer.writeLink(partition.jump)
        }
        for run in runs {
            buffer.writeMultipleIntegers(
                run.firstOffset.rawValue, run.firstIndex.rawValue, run.lastIndex.rawValue, run.maxTimestamp,
                endianness: .little)
        }
        return buffer
    }

    /// - Returns: nil if these are not the bytes of a table.
    init?(_ bytes: ByteBuffer, of segment: LogIndex) {
        self.init(segment: segment)
        var bytes = bytes
        guard
            let (partitionCount, runCount) = bytes.readMultipleIntegers(
                endianness: .little, as: (UInt32, UInt32).self),
            bytes.readableBytes == Int(partitionCount) * Self.partitionBytes + Int(runCount) * Self.runBytes
        else { return nil }
        partitions.reserveCapacity(Int(partitionCount))
        runs.reserveCapacity(Int(runCount))
        for _ in 0..<partitionCount {
            guard let partition = bytes.readPartition(), partition.runs.upperBound <= Int(runCount) else { return nil }
            partitions.append(partition)
        }
        for _ in 0..<runCount {
            guard
                let (firstOffset, firstIndex, lastIndex, maxTimestamp) = bytes.readMultipleIntegers(
                    endianness: .little, as: (Int64, UInt64, UInt64, Int64).self)
            else { return nil }
            runs.append(
                OffsetIndex.Run(
                    firstOffset: Offset(firstOffset), firstIndex: LogIndex(firstIndex), lastIndex: LogIndex(lastIndex),
                    maxTimestamp: maxTimestamp))
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeLink(_ link: SegmentChain.Link?) {
        writeMultipleIntegers(
            link?.segment.rawValue ?? 0, link?.firstOffset.rawValue ?? 0, link?.maxTimestamp ?? 0, endianness: .little)
    }

    fileprivate mutating func readPartition() -> OffsetTable.Partition? {
        guard
            let (key, endOffset, firstRun, runCount) = readMultipleIntegers(
                endianness: .little, as: (UInt64, Int64, UInt32, UInt32).self),
            runCount > 0, let previous = readLink(), let jump = readLink()
        else { return nil }
        return OffsetTable.Partition(
            key: PartitionKey(rawValue: key), endOffset: Offset(endOffset),
            runs: Int(firstRun)..<Int(firstRun) + Int(runCount), previous: previous, jump: jump)
    }

    private mutating func readLink() -> SegmentChain.Link?? {
        guard
            let (segment, firstOffset, maxTimestamp) = readMultipleIntegers(
                endianness: .little, as: (UInt64, Int64, Int64).self)
        else { return nil }
        guard segment != 0 else { return .some(nil) }
        return SegmentChain.Link(
            segment: LogIndex(segment), firstOffset: Offset(firstOffset), maxTimestamp: maxTimestamp)
    }
}
