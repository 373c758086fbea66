import Basics

/// The state of a `SimulatedFileSystem`, guarded by its lock.
struct SimulatedDisk {
    static let badDescriptor: Int32 = 9
    private static let noSpace: Int32 = 28
    private static let ioError: Int32 = 5

    struct File {
        var cached: [UInt8] = []
        var durable: [UInt8] = []
        /// Sectors written since the last flush.
        var dirty: Set<Int> = []

        mutating func write(_ bytes: ArraySlice<UInt8>, at position: Int) {
            guard !bytes.isEmpty else { return }
            let end = position + bytes.count
            if end > cached.count { resize(to: end) }
            cached.copy(bytes, to: position)
            markDirty(position ..< end)
        }

        mutating func resize(to length: Int) {
            if length > cached.count {
                markDirty(cached.count ..< length)
                cached.append(contentsOf: [UInt8](repeating: 0, count: length - cached.count))
            } else {
                cached.removeLast(cached.count - length)
            }
        }

        private mutating func markDirty(_ range: Range<Int>) {
            guard !range.isEmpty else { return }
            let sector = SimulatedFileSystem.sectorBytes
            for number in range.lowerBound / sector ... (range.upperBound - 1) / sector { dirty.insert(number) }
        }

        mutating func flush() {
            durable.resize(to: cached.count)
            for sector in dirty { durable.copySector(sector, of: cached) }
            dirty = []
        }

        /// Clean sectors are read from the disk again.
        mutating func dropCache() {
            var image = durable
            image.resize(to: cached.count)
            for sector in dirty { image.copySector(sector, of: cached) }
            cached = image
        }
    }

    /// A change of names that `syncDirectory` has not made durable yet.
    enum NameChange {
        case create(String, Int)
        case rename(String, String)
        case unlink(String)

        func apply(to names: inout [String: Int]) {
            switch self {
            case .create(let path, let number): names[path] = number
            case .rename(let source, let target): names[target] = names.removeValue(forKey: source)
            case .unlink(let path): names[path] = nil
            }
        }
    }

    var random: RandomSource
    var files: [Int: File] = [:]
    var names: [String: Int] = [:]
    var locks: Set<String> = []
    var calls: [SimulatedFileSystem.Call] = []
    var callsLeft = Int.max
    var failures: [StorageOperation: [Int32]] = [:]
    /// Calls that will report success and not do what they should.
    var lies: [StorageOperation: Int] = [:]
    /// No file may grow.
    var isFull = false
    /// Counts restarts: a file opened in an earlier life is closed.
    var life = 0
    private var durableNames: [String: Int] = [:]
    private(set) var nameChanges: [NameChange] = []
    private var fileCount = 0
    /// Whether each call that changes something first leaves a copy of the disk in `snapshots`.
    var keepsSnapshots = false
    private(set) var snapshots: [SimulatedDisk] = []
    /// Planned: the disk stops so many calls after the next one of this kind.
    var plannedStop: (operation: StorageOperation, calls: Int)?

    init(random: RandomSource) { self.random = random }

    var isStopped: Bool { callsLeft <= 0 }

    /// What a file is called now, wherever it was opened.
    func name(of number: Int) -> String? { names.first { $0.value == number }?.key }

    /// Counts a call that changes something; the error it fails with, if it does.
    mutating func note(_ operation: StorageOperation, _ path: String, bytes: Int = 0) -> StorageError? {
        guard !isStopped else { return .io(operation, path: path, errno: Self.ioError) }
        if keepsSnapshots { snapshots.append(snapshot()) }
        callsLeft -= 1
        if let stop = plannedStop, stop.operation == operation {
            callsLeft = min(callsLeft, stop.calls)
            plannedStop = nil
        }
        calls.append(.init(operation: operation, name: String(path.split(separator: "/").last ?? ""), bytes: bytes))
        return plannedFailure(operation, path)
    }

    mutating func plannedFailure(_ operation: StorageOperation, _ path: String) -> StorageError? {
        guard var planned = failures[operation], !planned.isEmpty else { return nil }
        let errno = planned.removeFirst()
        failures[operation] = planned
        return .io(operation, path: path, errno: errno)
    }

    mutating func takeLie(_ operation: StorageOperation) -> Bool {
        guard let count = lies[operation], count > 0, !isStopped else { return false }
        lies[operation] = count - 1
        return true
    }

    /// The error of a call that would make a file longer while the disk is full.
    func growthFailure(_ operation: StorageOperation, _ path: String, of file: Int, to end: Int) -> StorageError? {
        guard isFull, end > files[file]?.cached.count ?? 0 else { return nil }
        return .io(operation, path: path, errno: Self.noSpace)
    }

    mutating func open(_ path: String, _ mode: FileMode) -> Result<(number: Int, life: Int), StorageError> {
        if let number = names[path] { return .success((number, life)) }
        guard mode == .create else { return .failure(.io(.open, path: path, errno: .noSuchFile)) }
        if let error = note(.open, path) { return .failure(error) }
        fileCount += 1
        files[fileCount] = File()
        change(.create(path, fileCount))
        return .success((fileCount, life))
    }

    mutating func rename(_ source: String, to target: String) -> Result<Void, StorageError> {
        guard names[source] != nil else { return .failure(.io(.rename, path: source, errno: .noSuchFile)) }
        if let error = note(.rename, target) { return .failure(error) }
        change(.rename(source, target))
        return .success(())
    }

    mutating func unlink(_ path: String) -> Result<Void, StorageError> {
        guard names[path] != nil else { return .failure(.io(.unlink, path: path, errno: .noSuchFile)) }
        if let error = note(.unlink, path) { return .failure(error) }
        change(.unlink(path))
        return .success(())
    }

    mutating func syncDirectory(_ path: String) -> Result<Void, StorageError> {
        if let error = note(.syncDirectory, path) { return .failure(error) }
        durableNames = names
        nameChanges = []
        return .success(())
    }

    mutating func lock(_ path: String) -> Result<Int, StorageError> {
        locks.insert(path).inserted ? .success(life) : .failure(.locked(path: path))
    }

    private mutating func change(_ change: NameChange) {
        change.apply(to: &names)
        nameChanges.append(change)
    }

    mutating func erase() {
        restart(losing: .nothing)
        files = [:]
        names = [:]
        durableNames = [:]
        nameChanges = []
    }

    mutating func restart(losing loss: SimulatedFileSystem.Loss) {
        switch loss {
        case .nothing: endLife()
        case .everythingUnflushed: restart(leaving: Remains())
        case .random: restart(leaving: unflushed.drawn(using: &random))
        }
    }

    mutating func restart(leaving remains: Remains) {
        endLife()
        for change in nameChanges.prefix(remains.nameChanges) { change.apply(to: &durableNames) }
        names = durableNames
        nameChanges = []
        for number in files.keys { files[number]?.lose(allBut: remains, of: number) }
        let named = Set(names.values)
        files = files.filter { named.contains($0.key) }
    }

    private mutating func endLife() {
        life += 1
        callsLeft = .max
        plannedStop = nil
        failures = [:]
        locks = []
    }

    func snapshot() -> SimulatedDisk {
        var copy = self
        copy.keepsSnapshots = false
        copy.snapshots = []
        return copy
    }
}

extension [UInt8] {
    mutating func resize(to length: Int) {
        if length > count {
            append(contentsOf: [UInt8](repeating: 0, count: length - count))
        } else {
            removeLast(count - length)
        }
    }

    /// Copies the first `bytes` of one sector, as far as `source` has them.
    mutating func copySector(
        _ sector: Int, of source: [UInt8], bytes: Int = SimulatedFileSystem.sectorBytes
    ) {
        let start = sector * SimulatedFileSystem.sectorBytes
        let end = Swift.min(start + bytes, source.count)
        guard start < end else { return }
        if count < end { resize(to: end) }
        copy(source[start ..< end], to: start)
    }

    fileprivate mutating func copy(_ source: ArraySlice<UInt8>, to position: Int) {
        withUnsafeMutableBytes { target in
            source.withUnsafeBytes { target.copy($0, to: position) }
        }
    }
}
