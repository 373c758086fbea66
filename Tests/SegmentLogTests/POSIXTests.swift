import Basics
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import SegmentLog

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct POSIXFileSystemTests {
    private let files = POSIXFileSystem()

    @Test func manyBuffersAreWrittenOneBehindTheOther() throws {
        let directory = try TemporaryDirectory()
        let file = try files.open(directory.path + "/file", .create)
        // More than one call of pwritev(2) takes.
        let buffers = (0 ..< 1_500).map { ByteBuffer(repeating: UInt8(truncatingIfNeeded: $0), count: $0 % 7) }
        try file.write(buffers, at: 10)
        try file.flush()
        try file.dropCache()
        let expected = buffers.reduce(into: ByteBuffer(repeating: 0, count: 10)) { $0.writeImmutableBuffer($1) }
        #expect(try file.size() == expected.readableBytes)
        #expect(try file.read(at: 0, length: 100_000) == expected)
    }

    @Test func spaceIsReservedCutAndGivenBack() throws {
        let directory = try TemporaryDirectory()
        let file = try files.open(directory.path + "/file", .create)
        try file.allocate(64.kibibytes)
        #expect(try file.size() == 64.kibibytes)
        try file.write([ByteBuffer(repeating: 1, count: 16.kibibytes)], at: 0)
        try file.punchHole(at: 4.kibibytes, length: 4.kibibytes)
        #expect(try file.read(at: 4.kibibytes, length: 4.kibibytes) == ByteBuffer(repeating: 0, count: 4.kibibytes))
        #expect(try file.read(at: 8.kibibytes, length: 1) == ByteBuffer(repeating: 1, count: 1))
        try file.truncate(to: 5)
        #expect(try file.read(at: 0, length: 100).readableBytes == 5)
    }

    @Test func namesAreListedRenamedAndUnlinked() throws {
        let directory = try TemporaryDirectory()
        try files.createDirectory(directory.path)
        _ = try files.open(directory.path + "/a", .create)
        try files.rename(directory.path + "/a", to: directory.path + "/b")
        try files.syncDirectory(directory.path)
        #expect(try files.list(directory.path) == ["b"])
        try files.unlink(directory.path + "/b")
        #expect(try files.list(directory.path).isEmpty)
    }

    @Test func errorsSayWhatFailedWhereAndWhy() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/none"
        #expect(throws: StorageError.io(.open, path: path, errno: ENOENT)) { try files.open(path, .read) }
        #expect(throws: StorageError.io(.unlink, path: path, errno: ENOENT)) { try files.unlink(path) }
        #expect(throws: StorageError.io(.list, path: path, errno: ENOENT)) { try files.list(path) }
        let file = try files.open(directory.path + "/file", .create)
        let readable = try files.open(directory.path + "/file", .read)
        #expect(throws: StorageError.self) { try readable.write([ByteBuffer(string: "x")], at: 0) }
        #expect(try file.size() == 0)
    }

    @Test func aLockExcludesOthersUntilItIsGone() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/lock"
        var lock: (any FileLock)? = try files.lock(path)
        #expect(throws: StorageError.locked(path: path)) { try files.lock(path) }
        withExtendedLifetime(lock) {}
        lock = nil
        _ = try files.lock(path)
    }
}

@Suite struct StorageThreadTests {
    @Test func jobsRunInOrderAndStoppingWaitsForThem() {
        let thread = StorageThread(name: "test")
        let seen = Mutex<[Int]>([])
        let count = 1_000
        for number in 0 ..< count { thread.submit { seen.withLock { $0.append(number) } } }
        thread.stop()
        #expect(seen.withLock { $0 } == Array(0 ..< count))
    }

    /// Loop, writer thread, reader thread and a real directory, all together.
    @Test func aLogOnARealDiskStoresReadsAndComesBack() async throws {
        let directory = try TemporaryDirectory()
        var options = SegmentLogOptions(directory: directory.path + "/shard-0")
        options.segmentBytes = 8.kibibytes
        let writer = StorageThread(name: "writer")
        let reader = StorageThread(name: "reader")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let session = Session(options: options, loop: group.next(), writer: writer, reader: reader)
        let appended = try await session.appendAndClose(blocks: 200)
        #expect(try await session.readAll() == appended)
        writer.stop()
        reader.stop()
        try await group.shutdownGracefully()
        let verification = try LogInspector(options: options, fileSystem: POSIXFileSystem()).verify()
        #expect(verification.isSound && verification.segments.count > 1)
    }
}

/// Uses a log from its loop, as a driver would.
private struct Session: Sendable {
    let options: SegmentLogOptions
    let loop: any EventLoop
    let writer: StorageThread
    let reader: StorageThread

    private func open() throws -> SegmentLog {
        try SegmentLog.open(
            options: options, fileSystem: POSIXFileSystem(), eventLoop: loop, writer: writer, reader: reader)
    }

    func appendAndClose(blocks count: Int) async throws -> [Block] {
        let done = loop.makePromise(of: [Block].self)
        loop.execute {
            do {
                append(count, to: try open(), done)
            } catch {
                done.fail(error)
            }
        }
        return try await done.futureResult.get()
    }

    private func append(_ count: Int, to log: SegmentLog, _ done: EventLoopPromise<[Block]>) {
        let encoder = BlockEncoder()
        let blocks = (0 ..< count).map { number in
            let base = log.lastIndex.next
            let entries: [Entry] = .numbered(3, from: base, bytes: 50 + number * 10)
            let encoded = encoder.encode(entries, shard: .metadata, compression: .zstd(level: 1))
            return log.append(encoded, base: base, term: Term(1), token: UInt64(number))
        }
        log.onFlushed = { _, through in
            guard through == log.lastIndex else { return }
            log.onFlushed = nil
            log.close { done.succeed(blocks) }
        }
    }

    func readAll() async throws -> [Block] {
        let done = loop.makePromise(of: [Block].self)
        loop.execute {
            do {
                let log = try open()
                read(log, from: log.firstIndex, [], done)
            } catch {
                done.fail(error)
            }
        }
        return try await done.futureResult.get()
    }

    private func read(_ log: SegmentLog, from: LogIndex, _ blocks: [Block], _ done: EventLoopPromise<[Block]>) {
        guard from <= log.lastIndex else { return log.close { done.succeed(blocks) } }
        log.read(from: from, maxBytes: 20_000) { result in
            switch result {
            case .success(let more): read(log, from: more.last?.last.next ?? from, blocks + more, done)
            case .failure(let error): done.fail(error)
            }
        }
    }
}

@Suite struct DirectWriteTests {
    /// Appends buffers of odd sizes, so that pages begin and end in the middle of them.
    private func append(to files: [any StorageFile], from position: Int, rounds: ClosedRange<Int>) throws -> Int {
        var random = RandomSource(seed: UInt64(position))
        var next = position
        for round in rounds {
            let buffers = (1 ... 5).map { number in
                ByteBuffer(bytes: (0 ..< round * number * 20_011).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            }
            for file in files { try file.append(buffers, at: next, durably: round % 2 == 0) }
            next += buffers.reduce(0) { $0 + $1.readableBytes }
        }
        return next
    }

    @Test(arguments: [0, 1, 8, 4_095, 4_096, 70_001])
    func directAppendsAtAnyPositionGiveTheSameFileAsBufferedOnes(position: Int) throws {
        let directory = try TemporaryDirectory()
        let direct = try POSIXFileSystem(writePath: .direct).open(directory.path + "/direct", .create)
        let buffered = try POSIXFileSystem().open(directory.path + "/buffered", .create)
        let end = try append(to: [direct, buffered], from: position, rounds: 1 ... 6)
        try direct.flush()
        try direct.dropCache()
        #expect(try direct.size() >= end)
        #expect(try direct.read(at: 0, length: end) == buffered.read(at: 0, length: end))
    }

    @Test func smallDirectAppendsKeepWhatLiesBeforeThemInTheirPage() throws {
        let directory = try TemporaryDirectory()
        let file = try POSIXFileSystem(writePath: .direct).open(directory.path + "/file", .create)
        var content: [UInt8] = []
        for number in 0 ..< 200 {
            let bytes = [UInt8](repeating: UInt8(number), count: number * 37 % 500 + 1)
            try file.append([ByteBuffer(bytes: bytes)], at: content.count, durably: true)
            content += bytes
        }
        #expect(try file.read(at: 0, length: content.count) == ByteBuffer(bytes: content))
    }

    @Test func anAppendGoesOnInTheMiddleOfAPageThatSomebodyElseWrote() throws {
        let directory = try TemporaryDirectory()
        let system = POSIXFileSystem(writePath: .direct)
        let end = try append(to: [system.open(directory.path + "/file", .create)], from: 0, rounds: 1 ... 1)
        let before = try system.open(directory.path + "/file", .read).read(at: 0, length: end)
        let again = try system.open(directory.path + "/file", .readWrite)
        try again.truncate(to: end - 10)
        try again.append([ByteBuffer(repeating: 7, count: 100)], at: end - 10, durably: true)
        let expected = Array(before.readableBytesView.dropLast(10)) + [UInt8](repeating: 7, count: 100)
        #expect(try again.read(at: 0, length: end + 90) == ByteBuffer(bytes: expected))
    }

    @Test func fillingMakesZerosAndLeavesTheContentAlone() throws {
        let directory = try TemporaryDirectory()
        let file = try POSIXFileSystem(writePath: .direct).open(directory.path + "/file", .create)
        let content = ByteBuffer(repeating: 1, count: 5_000)
        try file.append([content], at: 0, durably: false)
        try file.fill(5_000 ..< 1_000_000)
        #expect(try file.size() == 1_000_000 / DirectWriter.pageBytes * DirectWriter.pageBytes)
        try file.append([content], at: 5_000, durably: true)
        #expect(try file.read(at: 0, length: 10_000) == ByteBuffer(repeating: 1, count: 10_000))
        #expect(try file.read(at: 10_000, length: 500_000) == ByteBuffer(repeating: 0, count: 500_000))
    }
}
