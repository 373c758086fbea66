import Basics
import NIOCore
import Synchronization

/// A file system in memory that loses what a real one may lose: for tests and simulations.
///
/// Each file has two images: what was written, and what a power failure leaves. `flush` copies sectors of 512 bytes
/// from one to the other, `syncDirectory` does the same for names. Faults are planned by whoever runs the world; the
/// numbers for random losses come from one seed.
public final class SimulatedFileSystem: FileSystem {
    public static let sectorBytes = 512

    /// A call that changed something, or was meant to.
    public struct Call: Hashable, Sendable {
        public var operation: StorageOperation
        /// The last component of the path.
        public var name: String
        public var bytes = 0
    }

    /// What survives a crash.
    public enum Loss: Hashable, Sendable {
        /// The process ends; the machine stays up.
        case nothing
        /// Power failure, and nothing reached the disk by chance.
        case everythingUnflushed
        /// Power failure; each unflushed sector is old, new or torn, and some names arrived.
        case random
    }

    let world: Mutex<SimulatedDisk>

    public convenience init(seed: UInt64 = 0) { self.init(SimulatedDisk(random: RandomSource(seed: seed))) }

    private init(_ disk: SimulatedDisk) { world = Mutex(disk) }

    /// A disk of its own with what this one would hold if the power failed now and nothing unflushed survived.
    public func afterPowerLoss() -> SimulatedFileSystem {
        var disk = world.withLock { $0 }
        disk.restart(losing: .everythingUnflushed)
        return SimulatedFileSystem(disk)
    }

    /// A disk of its own with what a reader sees now.
    public func copy() -> SimulatedFileSystem {
        var disk = world.withLock { $0 }
        disk.restart(losing: .nothing)
        return SimulatedFileSystem(disk)
    }

    // MARK: The world's side

    /// All calls that change something, in order.
    public var calls: [Call] { world.withLock { $0.calls } }

    /// Keeps a copy of the disk before each call that changes something.
    public func keepSnapshots() { world.withLock { $0.keepsSnapshots = true } }

    /// The disk as it was before each call since `keepSnapshots`, and as it is now.
    public var snapshots: [SimulatedFileSystem] {
        world.withLock { $0.snapshots + [$0.snapshot()] }.map(SimulatedFileSystem.init)
    }

    /// All that a power failure now might lose.
    public var unflushed: Remains { world.withLock { $0.unflushed } }

    public var callCount: Int { world.withLock { $0.calls.count } }

    public func clearCalls() { world.withLock { $0.calls = [] } }

    /// Every call from the `count`-th changing one on fails, as if the machine had stopped there.
    public func stop(afterCalls count: Int) { world.withLock { $0.callsLeft = count } }

    /// As if the machine stopped `calls` calls after the next one of this kind.
    public func stop(atNext operation: StorageOperation, calls: Int) {
        world.withLock { $0.plannedStop = (operation, calls) }
    }

    /// The next call of this kind fails with `errno`. A failed write has written half; a failed flush has lost
    /// everything unflushed and will not say so again.
    public func failNext(_ operation: StorageOperation, errno: Int32) {
        world.withLock { $0.failures[operation, default: []].append(errno) }
    }

    /// The next flush stores nothing, or the next write goes to another place; either reports success.
    public func lieNext(_ operation: StorageOperation) { world.withLock { $0.lies[operation, default: 0] += 1 } }

    /// Whether writes and allocations that would make a file longer fail, over restarts too.
    public func setFull(_ isFull: Bool) { world.withLock { $0.isFull = isFull } }

    /// What `failNext` and `stop(atNext:)` planned and has not happened yet does not happen.
    public func forgetPlannedFailures() {
        world.withLock { world in
            world.failures = [:]
            world.plannedStop = nil
        }
    }

    /// Ends whoever uses the files: open files and locks are gone, and so is what `loss` takes.
    public func restart(losing loss: Loss) { world.withLock { $0.restart(losing: loss) } }

    /// The power fails, and leaves just these of the changes that were not flushed.
    public func restart(leaving remains: Remains) { world.withLock { $0.restart(leaving: remains) } }

    /// Ends whoever uses the files, and removes them all.
    public func erase() { world.withLock { $0.erase() } }

    /// The bytes of a file as a reader sees them; nil if there is none.
    public func content(_ path: String) -> [UInt8]? {
        world.withLock { world in world.names[path].flatMap { world.files[$0]?.cached } }
    }

    /// Changes a file behind everybody's back, on the disk itself.
    public func alter(_ path: String, _ change: @Sendable (inout [UInt8]) -> Void) {
        world.withLock { world in
            guard let number = world.names[path], var file = world.files[number] else { return }
            change(&file.cached)
            file.durable = file.cached
            file.dirty = []
            world.files[number] = file
        }
    }

    // MARK: FileSystem

    public func createDirectory(_ path: String) throws(StorageError) {}

    public func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any StorageFile {
        let result = world.withLock { $0.open(path, mode) }
        let opened = try result.get()
        return SimulatedFile(system: self, number: opened.number, life: opened.life, path: path)
    }

    public func list(_ directory: String) throws(StorageError) -> [String] {
        let prefix = directory + "/"
        return world.withLock { world in
            world.names.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        }
    }

    public func rename(_ source: String, to target: String) throws(StorageError) {
        try world.withLock { $0.rename(source, to: target) }.get()
    }

    public func unlink(_ path: String) throws(StorageError) {
        try world.withLock { $0.unlink(path) }.get()
    }

    public func syncDirectory(_ path: String) throws(StorageError) {
        try world.withLock { $0.syncDirectory(path) }.get()
    }

    public func lock(_ path: String) throws(StorageError) -> any FileLock {
        let life = try world.withLock { $0.lock(path) }.get()
        return SimulatedLock(system: self, path: path, life: life)
    }
}

private final class SimulatedLock: FileLock {
    private let system: SimulatedFileSystem
    private let path: String
    private let life: Int

    init(system: SimulatedFileSystem, path: String, life: Int) {
        self.system = system
        self.path = path
        self.life = life
    }

    deinit {
        system.world.withLock { world in
            if world.life == life { world.locks.remove(path) }
        }
    }
}

private final class SimulatedFile: StorageFile {
    /// How far from its place a misdirected write lands.
    private static let misdirectedBytes = 4.kibibytes

    private let system: SimulatedFileSystem
    private let number: Int
    private let life: Int
    private let path: String

    init(system: SimulatedFileSystem, number: Int, life: Int, path: String) {
        self.system = system
        self.number = number
        self.life = life
        self.path = path
    }

    private func access<Value: Sendable>(
        _ operation: StorageOperation, bytes: Int = 0, changes: Bool = true, growsTo end: Int = 0,
        _ body: (inout SimulatedDisk.File) -> Value,
        onFailure: (inout SimulatedDisk.File) -> Void = { _ in }
    ) throws(StorageError) -> Value {
        let result: Result<Value, StorageError> = system.world.withLock { world in
            guard world.life == life, world.files[number] != nil else {
                return .failure(.io(operation, path: path, errno: SimulatedDisk.badDescriptor))
            }
            let name = world.name(of: number) ?? path
            let error =
                changes ? world.note(operation, name, bytes: bytes) : world.plannedFailure(operation, name)
            if let error = error ?? world.growthFailure(operation, name, of: number, to: end) {
                if !world.isStopped { onFailure(&world.files[number, default: .init()]) }
                return .failure(error)
            }
            return .success(body(&world.files[number, default: .init()]))
        }
        return try result.get()
    }

    func size() throws(StorageError) -> Int {
        try access(.size, changes: false) { $0.cached.count }
    }

    func read(into target: UnsafeMutableRawBufferPointer, at position: Int) throws(StorageError) -> Int {
        let bytes = try access(.read, changes: false) { file -> [UInt8] in
            guard position < file.cached.count else { return [] }
            return Array(file.cached[position ..< min(position + target.count, file.cached.count)])
        }
        bytes.withUnsafeBytes { target.copy($0, to: 0) }
        return bytes.count
    }

    func write(_ buffers: [ByteBuffer], at position: Int) throws(StorageError) {
        try write(buffers, at: position, paddingTo: 1)
    }

    /// As a direct write does it, with sectors for pages.
    func append(_ buffers: [ByteBuffer], at position: Int, durably: Bool) throws(StorageError) {
        try write(buffers, at: position, paddingTo: SimulatedFileSystem.sectorBytes)
        if durably { try flush() }
    }

    func fill(_ range: Range<Int>) throws(StorageError) {
        try access(.allocate, bytes: range.count, growsTo: range.upperBound) { file in
            file.write([UInt8](repeating: 0, count: range.count)[...], at: range.lowerBound)
        }
    }

    private func write(_ buffers: [ByteBuffer], at position: Int, paddingTo page: Int) throws(StorageError) {
        var bytes: [UInt8] = []
        for buffer in buffers { buffer.withUnsafeReadableBytes { bytes.append(contentsOf: $0) } }
        let isMisdirected = system.world.withLock { $0.takeLie(.write) }
        let place = position + (isMisdirected ? Self.misdirectedBytes : 0)
        let padding = [UInt8](repeating: 0, count: -(place + bytes.count) & (page - 1))
        try access(.write, bytes: bytes.count, growsTo: place + bytes.count + padding.count) { file in
            file.write(bytes[...], at: place)
            file.write(padding[...], at: place + bytes.count)
        } onFailure: { file in
            file.write(bytes[..<(bytes.count / 2)], at: position)
        }
    }

    func flush() throws(StorageError) {
        let isLost = system.world.withLock { $0.takeLie(.flush) }
        try access(.flush) { isLost ? $0.dirty = [] : $0.flush() } onFailure: { $0.dirty = [] }
    }

    func dropCache() throws(StorageError) {
        try access(.dropCache, changes: false) { $0.dropCache() }
    }

    func truncate(to length: Int) throws(StorageError) {
        try access(.truncate) { $0.resize(to: length) }
    }

    func allocate(_ length: Int) throws(StorageError) {
        try access(.allocate, growsTo: length) { $0.resize(to: max(length, $0.cached.count)) }
    }

    func punchHole(at position: Int, length: Int) throws(StorageError) {
        try access(.punchHole) { file in
            let end = min(position + length, file.cached.count)
            file.write(Array(repeating: 0, count: max(0, end - position))[...], at: position)
        }
    }
}
