import Basics
import NIOCore
import SegmentLog
import Simulation

/// The files of a small log with some bytes changed, as a start finds them: recovery refuses, or makes a log of them
/// that can be read in full and is found the same by the next start.
///
///     offset size
///          0    1  bit 0: checksums are made right; bit 1: loss is accepted; the rest: which file
///          1    …  changes: position 2, length 1 (modulo 32), and so many bytes; a position behind the end extends
enum StorageTarget {
    private static let directory = "/log"

    static func run(_ input: ByteBuffer, damaging target: FuzzTarget) {
        var input = input
        guard let choice = input.readInteger(as: UInt8.self) else { return }
        let names = files.keys.sorted().filter { $0.hasSuffix(suffix(target)) }
        let name = names[Int(choice >> 2) % names.count]
        var content = files[name] ?? ByteBuffer()
        change(&content, &input)
        if choice & 1 != 0 { repair(&content, target) }
        let disk = SimulatedFileSystem()
        do {
            for (other, bytes) in files { try write(other == name ? content : bytes, to: other, on: disk) }
            try disk.syncDirectory(directory)
        } catch {
            preconditionFailure("the disk fails: \(error)")
        }
        guard let first = blocks(on: disk, acceptDataLoss: choice & 2 != 0) else { return }
        disk.restart(losing: .everythingUnflushed)
        precondition(blocks(on: disk, acceptDataLoss: false) == first, "another start finds another log")
    }

    private static func suffix(_ target: FuzzTarget) -> String {
        switch target {
        case .sidecars: ".index"
        case .states: "state"
        default: ".log"
        }
    }

    private static func change(_ content: inout ByteBuffer, _ input: inout ByteBuffer) {
        while let (position, length) = input.readMultipleIntegers(as: (UInt16, UInt8).self),
            let bytes = input.readBytes(length: min(Int(length % 32), input.readableBytes))
        {
            let end = Int(position) + bytes.count
            if end > content.writerIndex { content.writeRepeatingByte(0, count: end - content.writerIndex) }
            content.setBytes(bytes, at: Int(position))
        }
    }

    private static func repair(_ content: inout ByteBuffer, _ target: FuzzTarget) {
        switch target {
        case .states:
            for page in 0..<3 { Checksums.repairRecord(&content, at: page * 4_096) }
        case .sidecars:
            let records = Checksums.crc32c(content, at: 64, max(0, content.writerIndex - 64))
            content.setInteger(records, at: 36, endianness: .little)
            Checksums.repairRecord(&content, at: 0)
        default:
            Checksums.repairRecord(&content, at: 0)
            var position = 64
            while let length = Checksums.repairBlock(&content, at: position) { position += length }
        }
    }

    private static func write(
        _ content: ByteBuffer, to name: String, on disk: SimulatedFileSystem
    ) throws(StorageError) {
        let file = try disk.open("\(directory)/\(name)", .create)
        try file.write([content], at: 0)
        try file.flush()
    }

    // MARK: A log

    /// All blocks of the log, none when it cannot be opened; traps if what recovery accepted cannot be read.
    private static func blocks(on disk: SimulatedFileSystem, acceptDataLoss: Bool) -> [ByteBuffer]? {
        let scheduler = Scheduler()
        guard let log = try? open(disk, scheduler, acceptDataLoss: acceptDataLoss) else { return nil }
        var found: [ByteBuffer] = []
        var next = log.firstIndex
        while log.lastIndex > .zero, next <= log.lastIndex {
            var answer: Result<[Block], StorageError>?
            log.read(from: next, maxBytes: 1_000) { answer = $0 }
            scheduler.run(until: scheduler.now + .seconds(1))
            guard case .success(let blocks) = answer, let last = blocks.last else {
                // Segments that are taken from a sidecar are verified when they are read.
                if case .failure(.damaged) = answer { return nil }
                preconditionFailure("\(next) of \(log.lastIndex) cannot be read: \(String(describing: answer))")
            }
            found += blocks.map(\.bytes.joined)
            next = last.last.next
        }
        scheduler.run(until: scheduler.now + .seconds(1))
        return found
    }

    private static func open(
        _ disk: SimulatedFileSystem, _ scheduler: Scheduler, acceptDataLoss: Bool
    ) throws(StorageError) -> SegmentLog {
        var options = SegmentLogOptions(directory: directory)
        options.segmentBytes = 1_000
        options.preallocate = false
        options.acceptDataLoss = acceptDataLoss
        let life = Life()
        let executor = SimulatedExecutor(scheduler, life: life, latency: { .milliseconds(1) })
        return try SegmentLog.open(
            options: options, fileSystem: disk, eventLoop: SimulatedLoop(scheduler, life: life), writer: executor,
            reader: executor)
    }

    /// Four segments of some blocks each, with sidecars, as a running log leaves them.
    private static let files: [String: ByteBuffer] = {
        let disk = SimulatedFileSystem()
        let scheduler = Scheduler()
        do {
            let log = try open(disk, scheduler, acceptDataLoss: false)
            log.saveHardState(HardStateRecord(term: 2, vote: 1)) {}
            let encoder = BlockEncoder()
            for number in 0..<12 {
                let entries = (0...number % 3).map { position in
                    Entry(
                        type: .command, head: ByteBuffer(repeating: UInt8(position), count: 10),
                        payload: ByteBuffer(repeating: 7, count: 30 + 40 * number))
                }
                let block = encoder.encode(
                    entries, shard: .metadata, compression: number % 2 == 0 ? .zstd(level: 1) : .off)
                log.append(block, base: log.lastIndex.next, term: Term(UInt64(1 + number / 6)), token: 0)
                scheduler.run(until: scheduler.now + .seconds(1))
            }
            var files: [String: ByteBuffer] = [:]
            for name in try disk.list(directory) where !name.hasSuffix("lock") {
                files[name] = disk.content("\(directory)/\(name)").map { ByteBuffer(bytes: $0) }
            }
            return files
        } catch {
            preconditionFailure("the log cannot be made: \(error)")
        }
    }()
}
